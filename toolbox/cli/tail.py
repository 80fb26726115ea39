"""`mozdef-ef tail`: print what MozDef would read."""

from __future__ import annotations

import json
import sys
import time
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer
from botocore.exceptions import BotoCoreError, ClientError

from local.queue_look import look_at
from pipeline.errors import PipelineError
from toolbox.deployments import DEFAULT_STATE, State, local_clients, running
from toolbox.terminal.nearest import unknown
from toolbox.terminal.output import console, print_json_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mypy_boto3_sqs import SQSClient

    from local import endpoints

    #: A body, and what to call once it is printed.
    Message = tuple[str, Callable[[], object]]

HIDDEN_SECONDS = 60
_PAUSE_SECONDS = 0.5


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
    state: State = DEFAULT_STATE,
) -> None:
    """Print the MozDef events that wait on the queues, one JSON object a line.

    They stay where they are, and to look at one does not count as a receive. With --consume they
    are received and deleted.
    """
    where = running(state)
    if source is not None and source not in where.queues:
        raise unknown("source in the running pipeline", source, where.queues)
    urls = sorted({where.queues[source]} if source else set(where.queues.values()))
    look = partial(_received, local_clients(where)("sqs")) if consume else _Looker(where)
    left = sys.maxsize if most is None else most
    for body, done in _messages(look, urls, follow=follow):
        _print(body)
        done()
        left -= 1
        if not left:
            return


def _messages(
    look: Callable[[str], Iterator[Message]], urls: list[str], *, follow: bool
) -> Iterator[Message]:
    while True:
        found = False
        for url in urls:
            for message in look(url):
                found = True
                yield message
        if not found and not follow:
            return
        if not found:
            time.sleep(_PAUSE_SECONDS)


class _Looker:
    """Looks at what came since the last look."""

    def __init__(self, where: endpoints.Endpoints) -> None:
        self._where = where
        self._seen: dict[str, int] = {}

    def __call__(self, url: str) -> Iterator[Message]:
        for message in look_at(self._where, url, self._seen.get(url, -1)):
            self._seen[url] = message.number
            yield message.body, _nothing


def _nothing() -> None:
    """Leave it where it is."""


def _received(sqs: SQSClient, url: str) -> Iterator[Message]:
    """Receive one message: what --count leaves out must not be hidden."""
    try:
        answer = sqs.receive_message(
            QueueUrl=url, VisibilityTimeout=HIDDEN_SECONDS, WaitTimeSeconds=0
        )
        for message in answer.get("Messages", []):
            handle = message["ReceiptHandle"]
            yield message["Body"], partial(sqs.delete_message, QueueUrl=url, ReceiptHandle=handle)
    except (BotoCoreError, ClientError) as error:
        raise TailError(f"{url}: {error}; is the pipeline up?") from None


def _print(body: str) -> None:
    try:
        # MozDef's own reader: it takes half a surrogate pair, and numbers of any size.
        json.loads(body)
    except (ValueError, RecursionError):
        console.print(body)
    else:
        print_json_text(body)
