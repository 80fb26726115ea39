"""How the local pipeline is: from its logs, its status file and the emulator's queues."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from local.queue_look import oldest_in
from toolbox.deployments import local_clients, running
from toolbox.watching.emf import CounterLogs
from toolbox.watching.feeds import feed_states, read_rows
from toolbox.watching.queues import queue_name, read_queue
from toolbox.watching.status import (
    REDRIVE,
    ConsumerState,
    FeedState,
    HeldShard,
    QueueState,
    Status,
    WatchError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from mypy_boto3_sqs import SQSClient

    from local import endpoints
    from toolbox.seams import ServiceClients

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
        where = running(self._state)
        self._logs.read()
        client = local_clients(where)
        sqs = client("sqs")
        return Status(
            deployment=f"the local pipeline in {self._state}",
            as_of=now,
            minutes=minutes,
            sources=self._logs.sources(now, minutes),
            consumers=self._consumers(now),
            tickets=_queue(sqs, where, where.dead_letter_queue, "tickets", now),
            queues=_queues(sqs, where, now),
            feeds=self._feeds(where, now),
            accounts=self._logs.accounts(now),
            missing_secrets=_missing(where, client),
            refusals=self._logs.refusals(now, minutes),
            local=True,
        )

    def history(self, now: float, minutes: int) -> dict[str, list[float]]:
        """Return what the fan-out counted in each of the last minutes, as it was read by `look`."""
        return self._logs.history(now, minutes)

    def _feeds(self, where: endpoints.Endpoints, now: float) -> tuple[FeedState, ...]:
        polled: dict[str, list[str]] = {
            source: [] for source, kinds in where.parameters.items() if POLLED_WITH in kinds
        }
        rows: dict[tuple[str, str], Mapping[str, Any]] = {}
        if polled:
            dynamodb = local_clients(where)("dynamodb")
            # A stack has two tables.
            names = set(dynamodb.list_tables()["TableNames"]) - {where.dedupe_table}
            for name in names:
                rows |= read_rows(dynamodb, name)
        return feed_states(self._logs.feeds(), rows, polled, now)

    def _consumers(self, now: float) -> tuple[ConsumerState, ...]:
        try:
            document = json.loads((self._state / "status.json").read_text())
            return tuple(
                self._consumer(_consumer(name), name, each, now)
                for name, each in document["mappings"].items()
            )
        except FileNotFoundError:
            return ()
        except (ValueError, KeyError, TypeError) as error:
            raise WatchError(f"{self._state}/status.json: broken: {error}") from None

    def _consumer(
        self, name: str, mapping: str, read: Mapping[str, Any], now: float
    ) -> ConsumerState:
        function = mapping.partition("StreamMapping")[0]
        held = tuple(
            HeldShard(
                name,
                one["shard"],
                int(one["tries"]),
                max(now - one["oldest"], 0.0),
                one["error"] or self._logs.why_unsettled(function, one["shard"]),
            )
            for one in read["held"]
        )
        return ConsumerState(name, read["millis_behind"] / 1000, held)


def _consumer(mapping: str) -> str:
    found = _MAPPING.match(mapping)
    name = found[1] if found else mapping
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name).lower()


def _queues(sqs: SQSClient, where: endpoints.Endpoints, now: float) -> tuple[QueueState, ...]:
    try:
        pages = sqs.get_paginator("list_queues").paginate()
        urls = [url for page in pages for url in page.get("QueueUrls", [])]
    except (BotoCoreError, ClientError) as error:
        raise WatchError(f"the queues cannot be listed: {error}") from None
    # Those that are gone as well.
    known = [one for url in where.queues.values() for one in (url, f"{url}{REDRIVE}")]
    names = {queue_name(url): url for url in [*known, *urls]}
    names.pop(queue_name(where.dead_letter_queue), None)
    return tuple(_queue(sqs, where, url, name, now) for name, url in sorted(names.items()))


def _queue(
    sqs: SQSClient, where: endpoints.Endpoints, url: str, name: str, now: float
) -> QueueState:
    state = read_queue(sqs, url, name)
    oldest = oldest_in(where, url) if state.messages else None
    return state if oldest is None else replace(state, oldest_seconds=max(now - oldest.sent, 0.0))


def _missing(where: endpoints.Endpoints, client: ServiceClients) -> tuple[str, ...]:
    """Return `<source>/<kind>` of the parameters `/<project>/<source>/<stage>/<kind>` that lack."""
    try:
        pages = client("ssm").get_paginator("describe_parameters").paginate()
        parts = [str(one["Name"]).split("/") for page in pages for one in page["Parameters"]]
    except (BotoCoreError, ClientError) as error:
        raise WatchError(f"the secrets cannot be listed: {error}") from None
    there = {(one[2], one[4]) for one in parts if len(one) == 5}
    needed = {(source, kind) for source, kinds in where.parameters.items() for kind in kinds}
    return tuple(f"{source}/{kind}" for source, kind in sorted(needed - there))
