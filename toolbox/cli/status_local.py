"""How the local pipeline is: from its logs, its status file and the emulator's queues."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from local import emulator, endpoints
from toolbox.watching.emf import CounterLogs
from toolbox.watching.feeds import feed_states, read_rows
from toolbox.watching.queues import queue_name, read_queue
from toolbox.watching.status import (
    ConsumerState,
    FeedState,
    QueueState,
    Status,
    WatchError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from mypy_boto3_sqs import SQSClient

#: The logical id of a mapping, as the CDK makes it: consumer, construct, hash.
POLLED_WITH = "api_credential"
_MAPPING = re.compile(r"^(\w+?)StreamMapping[0-9A-F]*$")


class LocalWatcher:
    """Looks at the local pipeline, as often as it is asked to."""

    def __init__(self, state: Path) -> None:
        self._state = state
        self._logs = CounterLogs(state / "logs")

    def look(self, now: float, minutes: int) -> Status:
        """Say how it is.

        Parameters
        ----------
        now : float
            The time, in epoch seconds.
        minutes : int
            Over how many minutes rates are averages.

        Raises
        ------
        PipelineError
            When none runs.
        """
        where = endpoints.read(self._state)
        self._logs.read()
        sqs = emulator.client(
            "sqs",
            endpoint_url=where.aws_endpoint_url,
            region=where.region,
            credentials=where.credentials,
        )
        return Status(
            deployment=f"the local pipeline in {self._state}",
            as_of=now,
            minutes=minutes,
            sources=self._logs.sources(now, minutes),
            consumers=self._consumers(),
            tickets=read_queue(sqs, where.dead_letter_queue, "tickets"),
            queues=_queues(sqs, where.dead_letter_queue),
            feeds=self._feeds(where, now),
            accounts=self._logs.accounts(now),
        )

    def _feeds(self, where: endpoints.Endpoints, now: float) -> tuple[FeedState, ...]:
        polled: dict[str, list[str]] = {
            source: [] for source, kinds in where.parameters.items() if POLLED_WITH in kinds
        }
        rows: dict[tuple[str, str], Mapping[str, Any]] = {}
        if polled:
            client = emulator.client(
                "dynamodb",
                endpoint_url=where.aws_endpoint_url,
                region=where.region,
                credentials=where.credentials,
            )
            # A stack has two tables.
            names = set(client.list_tables()["TableNames"]) - {where.dedupe_table}
            for name in names:
                rows |= read_rows(client, name)
        return feed_states(self._logs.feeds(), rows, polled, now)

    def _consumers(self) -> tuple[ConsumerState, ...]:
        try:
            document = json.loads((self._state / "status.json").read_text())
            mappings = dict(document["mappings"])
        except FileNotFoundError:
            return ()
        except (ValueError, KeyError, TypeError) as error:
            raise WatchError(f"{self._state}/status.json: broken: {error}") from None
        return tuple(
            ConsumerState(_consumer(name), each["millis_behind"] / 1000)
            for name, each in mappings.items()
        )


def _consumer(mapping: str) -> str:
    found = _MAPPING.match(mapping)
    name = found[1] if found else mapping
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name).lower()


def _queues(sqs: SQSClient, tickets: str) -> tuple[QueueState, ...]:
    try:
        pages = sqs.get_paginator("list_queues").paginate()
        urls = [url for page in pages for url in page.get("QueueUrls", [])]
    except (BotoCoreError, ClientError) as error:
        raise WatchError(f"the queues cannot be listed: {error}") from None
    names = {queue_name(url): url for url in urls if queue_name(url) != queue_name(tickets)}
    return tuple(read_queue(sqs, url, name) for name, url in sorted(names.items()))
