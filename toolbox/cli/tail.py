"""`mozdef-ef tail`: print what MozDef would read."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from botocore.exceptions import BotoCoreError, ClientError

from local import endpoints
from pipeline.errors import PipelineError
from toolbox.deployments import local_clients
from toolbox.terminal.output import WRONG_USAGE, console, errors, print_json_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

HIDDEN_SECONDS = 60


class TailError(PipelineError):
    """A queue cannot be read."""


def tail(
    source: Annotated[
        str | None, typer.Argument(help="Only this source's queue; default: every queue.")
    ] = None,
    *,
    follow: Annotated[bool, typer.Option(help="Wait for more until Ctrl-C.")] = False,
    most: Annotated[int | None, typer.Option("--count", min=1, help="Stop after so many.")] = None,
    consume: Annotated[
        bool, typer.Option(help="Delete what is printed, as MozDef does; default: leave it.")
    ] = False,
    state: Annotated[
        Path, typer.Option(help="State directory of the running local pipeline.")
    ] = Path(".local"),
) -> None:
    """Print the MozDef events that wait on the queues, one JSON object a line.

    Without --consume every message is given back to its queue at the end. Each look counts as a
    receive, and after ten of them SQS moves a message to the redrive queue.
    """
    where = endpoints.read(state)
    if source is not None and source not in where.queues:
        known = ", ".join(sorted(where.queues))
        errors.print(f"mozdef-ef: {source}: no such source; there are {known}")
        raise typer.Exit(WRONG_USAGE)
    urls = {where.queues[source]} if source else set(where.queues.values())
    sqs = local_clients(where)("sqs")
    seen: dict[str, tuple[str, str]] = {}
    try:
        for url, message in _messages(sqs, sorted(urls), follow=follow):
            if message["MessageId"] in seen:
                continue
            seen[message["MessageId"]] = (url, message["ReceiptHandle"])
            _print(message["Body"])
            if consume:
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            if most is not None and len(seen) >= most:
                break
    except (BotoCoreError, ClientError) as error:
        raise TailError(f"{where.aws_endpoint_url}: {error}; is the pipeline up?") from None
    finally:
        if not consume:
            _give_back(sqs, list(seen.values()))


def _messages(
    sqs: SQSClient, urls: list[str], *, follow: bool
) -> Iterator[tuple[str, MessageTypeDef]]:
    while True:
        found = False
        for url in urls:
            answer = sqs.receive_message(
                QueueUrl=url,
                MaxNumberOfMessages=10,
                VisibilityTimeout=HIDDEN_SECONDS,
                WaitTimeSeconds=0,
            )
            for message in answer.get("Messages", []):
                found = True
                yield url, message
        if not found and not follow:
            return
        if not found:
            time.sleep(0.5)


def _print(body: str) -> None:
    try:
        # MozDef's own reader: it takes half a surrogate pair, and numbers of any size.
        json.loads(body)
    except (ValueError, RecursionError):
        console.print(body)
    else:
        print_json_text(body)


def _give_back(sqs: SQSClient, messages: list[tuple[str, str]]) -> None:
    for url, receipt in messages:
        # The queue gives it back by itself later, so a failure here is no loss.
        with suppress(BotoCoreError, ClientError):
            sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=receipt, VisibilityTimeout=0)
