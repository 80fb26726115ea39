"""What an explanation asks beside the archive: the table of copies, the queues, the function's log.

Each is a Protocol, so that a stack, the local pipeline and a test can answer in their own way.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import orjson
from botocore.exceptions import BotoCoreError, ClientError

from pipeline.event.times import iso_milliseconds
from toolbox.explaining.found import BatchTry
from toolbox.explaining.meaning import same_message

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from toolbox.seams import FilteredLogs, KeyedTable

_MOST_TRIES = 50
_MOST_LOOKED_AT = 20_000
#: A record can be tried for so long (`MaximumRecordAgeInSeconds` has a day at most here).
_TRIED_SECONDS = 86_400
_MARK = b'"message":"batch"'


class RememberedEvent(NamedTuple):
    """An event that was delivered, and its place on the stream."""

    id: str
    place: str


class CopyTable(Protocol):
    """Knows which events were delivered."""

    def delivered(self, key: str, /) -> RememberedEvent | None:
        """Return the event that was delivered under a key; None where none is remembered."""
        ...


class QueueSight(Protocol):
    """Sees what lies on MozDef's queues."""

    def body_of(self, message_id: str, /) -> str | None:
        """Return the body of the message with an id; None where none is seen."""
        ...

    def place_of(self, message: bytes, /) -> str:
        """Say where a message lies."""
        ...


class BatchLog(Protocol):
    """Knows the invocations of the fan-out."""

    def tries(self, shard: str, sequence: int, since: float, /) -> tuple[BatchTry, ...]:
        """Return those whose batch held a record, from a time in epoch seconds on."""
        ...


class DeliveredTable:
    """The deduplication table of a deployment."""

    def __init__(self, dynamodb: KeyedTable, table: str, lacks: Callable[[str], None]) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._lacks = lacks

    def delivered(self, key: str, /) -> RememberedEvent | None:
        """Ask the table."""
        try:
            answer = self._dynamodb.get_item(TableName=self._table, Key={"pk": {"S": key}})
        except (BotoCoreError, ClientError) as error:
            self._lacks(f"the deduplication table cannot be asked: {error}")
            return None
        item = answer.get("Item", {})
        found = item.get("id", {}).get("S", "")
        return RememberedEvent(found, item.get("at", {}).get("S", "")) if found else None


class UnseenQueues:
    """Those of a stack: SQS shows a message to nobody but who receives it."""

    def body_of(self, _message_id: str, /) -> str | None:
        """See nothing."""
        return None

    def place_of(self, _message: bytes, /) -> str:
        """Say so."""
        return "not to be seen without a receive, which would count"


class SeenInQueues:
    """The queues of the local pipeline, which can be looked at.

    Parameters
    ----------
    look : Callable[[], Iterable[tuple[str, Any]]]
        Returns every message with its queue's name.
    """

    def __init__(self, look: Callable[[], Iterable[tuple[str, Any]]]) -> None:
        self._look = look

    def body_of(self, message_id: str, /) -> str | None:
        """Return the body of the message with an id."""
        found = (one.body for _, one in self._looked_at() if one.id == message_id)
        return next(found, None)

    def place_of(self, message: bytes, /) -> str:
        """Say in which queue a message lies, and how often it was received."""
        wanted, text = json.loads(message), message.decode()
        for queue, one in self._looked_at():
            if one.body == text or same_message(wanted, one.body.encode(errors="surrogatepass")):
                return f"{one.place} in {queue}, received {one.receives} times"
        return "in no queue any more: MozDef took it and deleted it, or it grew too old"

    def _looked_at(self) -> Iterator[tuple[str, Any]]:
        for number, one in enumerate(self._look()):
            if number >= _MOST_LOOKED_AT:
                return
            yield one


class LocalBatchLog:
    """The log file of the fan-out of the local pipeline."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs

    def tries(self, shard: str, sequence: int, since: float, /) -> tuple[BatchTry, ...]:
        """Read the file's lines of batches."""
        return _tries(self._lines(), shard, sequence, since)

    def _lines(self) -> Iterator[bytes]:
        for path in sorted(self._logs.glob("FanOut*.log")):
            with path.open("rb") as file:
                yield from (line for line in file if _MARK in line)


class StackBatchLog:
    """The log group of a stack's fan-out.

    Parameters
    ----------
    function : str
        Its name.
    """

    def __init__(self, logs: FilteredLogs, function: str, lacks: Callable[[str], None]) -> None:
        self._logs = logs
        self._function = function
        self._lacks = lacks

    def tries(self, shard: str, sequence: int, since: float, /) -> tuple[BatchTry, ...]:
        """Ask CloudWatch Logs for the lines of a shard's batches."""
        return _tries(self._lines(shard, since), shard, sequence, since)

    def _lines(self, shard: str, since: float) -> Iterator[bytes]:
        request = {
            "logGroupName": f"/aws/lambda/{self._function}",
            "filterPattern": f'{{ $.message = "batch" && $.shard = "{shard}" }}',
            "startTime": int(since * 1000),
            "endTime": int((since + _TRIED_SECONDS) * 1000),
        }
        try:
            pages = self._logs.get_paginator("filter_log_events").paginate(**request)
            for page in pages:
                yield from (one["message"].encode() for one in page["events"])
        except (BotoCoreError, ClientError) as error:
            self._lacks(f"the log of {self._function} cannot be read: {error}")


def _tries(lines: Iterable[bytes], shard: str, sequence: int, since: float) -> tuple[BatchTry, ...]:
    found: list[BatchTry] = []
    for line in lines:
        try:
            read = orjson.loads(line)
            held = read["shard"] == shard and int(read["first"]) <= sequence <= int(read["last"])
            if not held or (at := _logged(read["timestamp"])) < since:
                continue
            # The logger leaves out what is None.
            checkpoint = read.get("checkpoint")
            settled = checkpoint is None or sequence < int(checkpoint)
            why = () if settled else tuple(str(one) for one in read["unsettled"])
            one = BatchTry(
                iso_milliseconds(at), str(read["request_id"]), int(read["records"]), settled, why
            )
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
            continue
        found.append(one)
        if settled or len(found) >= _MOST_TRIES:
            break
    return tuple(found)


def _logged(text: str) -> float:
    """Read the time of a line of Powertools's logger: `2026-11-26 17:48:35,609+0000`."""
    when = datetime.strptime(text, "%Y-%m-%d %H:%M:%S,%f%z")
    return when.astimezone(UTC).timestamp()
