"""An archive and a queue that are made while they are read: 10 million deliveries in 30 days."""

from __future__ import annotations

import gzip
import threading
import time
from bisect import bisect_right
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import orjson

from loadtests.bench.stand_ins import SHARDS, ranged
from pipeline.archive.keys import (
    LEDGER_PREFIX,
    RAW_PREFIX,
    REJECTED_PREFIX,
    hour_folder,
    name_of,
    object_name,
    partition_of,
    source_folder,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

BUCKET = "archive"
BEGINS = datetime(2026, 10, 24, tzinfo=UTC)
SOURCES = ("auth0", "github", "gitlab", "okta", "slack", "stripe")
#: The archiver's window is 60 seconds, and the next one begins with the next event.
_RAW_SECONDS = 61.0
#: The fan-out's window is a second, and an event is waited for before it.
_LEDGER_WINDOW = 1.0
#: One event of so many, within an hour of a shard, is rejected; one of so many is missing.
_REJECTED, _MISSING = 100, 3_000
#: Packed bytes of an event of 1 KB, of a line of the ledger by itself, and of a rejected event.
_RAW_BYTES, _LEDGER_BYTES, _REJECTED_BYTES = 475, 115, 900
_PAGE = 1_000
_BODY = '{"action":"made","text":"' + "lorem ipsum dolor " * 20 + '"}'
#: What differs from hour to hour, with the length of what it stands for.
_HOUR, _NUMBER, _BEGIN = b"2000-01-01T00", b"9" * 9, b"8" * 8


@dataclass(frozen=True)
class _Object:
    """An object of an hour of a shard: its first event, and all of them."""

    first: int
    events: tuple[int, ...]
    size: int


class _HourOfShard:
    """What one hour of one shard has, which is the same in each."""

    def __init__(self, events: int) -> None:
        self.events = events
        rate = events / 3_600
        each = max(1, round(events * _RAW_SECONDS / 3_600))
        windows = [range(at, min(at + each, events)) for at in range(0, events, each)]
        self.raw = {
            source: [
                self._object([n for n in window if n % len(SOURCES) == number], _RAW_BYTES)
                for window in windows
                if any(n % len(SOURCES) == number for n in window)
            ]
            for number, source in enumerate(SOURCES)
        }
        batch = max(1, round(rate * _LEDGER_WINDOW + 1))
        self.ledger = [
            self._object([n for n in range(at, min(at + batch, events)) if not missing(n)], 0)
            for at in range(0, events, batch)
            if any(not missing(n) for n in range(at, min(at + batch, events)))
        ]
        self.rejected = {
            source: [
                self._object([n], _REJECTED_BYTES)
                for n in range(events)
                if rejected(n) and n % len(SOURCES) == number
            ]
            for number, source in enumerate(SOURCES)
        }

    def _object(self, events: list[int], size: int) -> _Object:
        packed = len(events) * size or 100 + len(events) * (_LEDGER_BYTES - 60)
        return _Object(events[0], tuple(events), packed)


def missing(event: int) -> bool:
    """Tell whether the ledger lacks an event of an hour of a shard."""
    return event % _MISSING == _MISSING - 1


def rejected(event: int) -> bool:
    """Tell whether an event of an hour of a shard was rejected."""
    return event % _REJECTED == 0 and not missing(event)


class GeneratedBucket:
    """An S3 client of such an archive.

    Parameters
    ----------
    events : int
        Of all days; rounded down to whole ones of each hour and shard.
    """

    def __init__(self, days: int, events: int) -> None:
        self._hours = [BEGINS + timedelta(hours=number) for number in range(days * 24)]
        self._numbers = {hour_folder(at.timestamp()): n for n, at in enumerate(self._hours)}
        each = events // (len(self._hours) * SHARDS)
        self._of_hour = _HourOfShard(each)
        places = len(self._hours) * SHARDS
        self.events = each * places
        self.missing = sum(map(missing, range(each))) * places
        self.rejected = sum(map(rejected, range(each))) * places
        self.read = self.listed = 0
        self.making = 0.0
        self._lock = threading.Lock()
        self._lines = lru_cache(maxsize=None)(self._template)

    def told(self) -> dict[str, Any]:
        """Return what was asked of it, and the CPU that it took itself."""
        return {
            "objects_read": self.read,
            "listings": self.listed,
            "making_cpu_seconds": round(self.making, 1),
        }

    def list_objects_v2(
        self,
        *,
        Prefix: str,  # noqa: N803
        Delimiter: str = "",  # noqa: N803
        StartAfter: str = "",  # noqa: N803
        ContinuationToken: str = "",  # noqa: N803
        **_: Any,
    ) -> dict[str, Any]:
        """List a page of what lies below a prefix."""
        begun = time.thread_time()
        try:
            if Delimiter:
                top = Prefix.partition("/")[0]
                found = [f"{top}/{source_folder(source)}" for source in SOURCES]
                return {"CommonPrefixes": [{"Prefix": one} for one in found]}
            return self._page(Prefix, max(StartAfter, ContinuationToken))
        finally:
            self._took(begun, listed=1)

    def get_object(self, *, Key: str, Range: str = "", **_: Any) -> dict[str, Any]:  # noqa: N803
        """Return a range of an object."""
        begun = time.thread_time()
        try:
            return ranged(self._content(Key), Range)
        finally:
            self._took(begun, read=1)

    def _took(self, begun: float, read: int = 0, listed: int = 0) -> None:
        with self._lock:
            self.making += time.thread_time() - begun
            self.read, self.listed = self.read + read, self.listed + listed

    def _page(self, prefix: str, after: str) -> dict[str, Any]:
        contents: list[dict[str, Any]] = []
        for folder in self._folders(prefix):
            if after and after > folder and not after.startswith(folder):
                continue
            keys, sizes = self._keys(folder)
            start = bisect_right(keys, after) if after.startswith(folder) else 0
            for key, size in zip(keys[start:], sizes[start:], strict=True):
                if not key.startswith(prefix):
                    continue
                if len(contents) == _PAGE:
                    token = contents[-1]["Key"]
                    return {
                        "Contents": contents,
                        "IsTruncated": True,
                        "NextContinuationToken": token,
                    }
                contents.append({"Key": key, "Size": size})
        return {"Contents": contents}

    def _folders(self, prefix: str) -> Iterator[str]:
        """Return the folders of hours that a prefix touches, in the order of their keys."""
        tops = [RAW_PREFIX, REJECTED_PREFIX]
        roots = [LEDGER_PREFIX, *(top + source_folder(one) for top in tops for one in SOURCES)]
        for root in sorted(roots):
            if not root.startswith(prefix) and not prefix.startswith(root):
                continue
            hour = prefix[len(root) :][: len(hour_folder(0.0))]
            if len(hour) == len(hour_folder(0.0)):
                if hour in self._numbers:
                    yield root + hour
                continue
            yield from (root + one for one in self._numbers if one.startswith(hour))

    @lru_cache(maxsize=64)  # noqa: B019 - it lives as long as the process
    def _keys(self, folder: str) -> tuple[list[str], list[int]]:
        number = self._numbers[folder[-len(hour_folder(0.0)) :]]
        found = [
            (folder + object_name(_shard(shard), _sequence(number, one.first)), one.size)
            for shard in range(SHARDS)
            for one in self._objects(folder)
        ]
        found.sort()
        return [key for key, _ in found], [size for _, size in found]

    def _objects(self, folder: str) -> list[_Object]:
        place = partition_of(f"{folder}x")
        if place is None:
            return self._of_hour.ledger
        kind = self._of_hour.raw if folder.startswith(RAW_PREFIX) else self._of_hour.rejected
        return kind[place.source]

    def _content(self, key: str) -> bytes:
        folder = key.rpartition("/")[0]
        hour = folder[-(len(hour_folder(0.0)) - 1) :] + "/"
        name = name_of(key)
        assert name is not None, key  # noqa: S101 - `_page` made it
        shard = name.shard
        text = self._lines(folder.partition("/")[0], name.sequence % 10_000_000)
        number = self._numbers[hour] * SHARDS + int(shard.rpartition("-")[2])
        begin = _beginning(self._numbers[hour]).encode()
        at = f"{hour[3:13]}T{hour[17:19]}".encode()
        text = text.replace(_HOUR, at).replace(_NUMBER, b"%09d" % number)
        text = text.replace(b"shardId-x", shard.encode()).replace(_BEGIN, begin)
        return gzip.compress(text, compresslevel=0, mtime=0)

    def _template(self, top: str, first: int) -> bytes:
        """Return the lines of an object, with marks for what differs from hour to hour."""
        if top == "ledger":
            (found,) = [one for one in self._of_hour.ledger if one.first == first]
            return b"".join(map(_ledger_line, found.events))
        kind = self._of_hour.raw if top == "raw" else self._of_hour.rejected
        objects = kind[SOURCES[first % len(SOURCES)]]
        (found,) = [one for one in objects if one.first == first]
        return b"".join(_raw_line(n, with_reason=top == "rejected") for n in found.events)


def _shard(number: int) -> str:
    return f"shardId-{number:012d}"


def _sequence(hour: int, event: int) -> str:
    """Return a sequence number of 56 digits, as Kinesis has them."""
    return f"{_beginning(hour)}{event:048d}"


def _beginning(hour: int) -> str:
    return f"{49_660_000 + hour:08d}"


def _place(event: int) -> dict[str, Any]:
    at = event % 3_600
    mark = _NUMBER.decode()
    return {
        "id": f"{mark}{event:07d}ESHA=",
        "source": SOURCES[event % len(SOURCES)],
        "shard_id": "shardId-x",
        "sequence_number": f"{_BEGIN.decode()}{event:048d}",
        "arrived": f"{_HOUR.decode()}:{at // 60:02d}:{at % 60:02d}.123+00:00",
    }


def _ledger_line(event: int) -> bytes:
    outcome = ("rejected", "schema_violation") if rejected(event) else ("delivered", None)
    return orjson.dumps({**_place(event), "outcome": outcome[0], "reason": outcome[1]}) + b"\n"


def _raw_line(event: int, *, with_reason: bool) -> bytes:
    place = _place(event)
    why = {"reason": "schema_violation", "explanation": "rule 'type'"} if with_reason else {}
    return (
        orjson.dumps(
            {
                **why,
                **place,
                "event_type": "",
                "envelope_id": place["id"],
                "envelope_source": place["source"],
                "envelope_ts": 1_795_464_503_123,
                "key": f"72d3162e-cc78-11e3-81ab-{_NUMBER.decode()}",
                "ip": "192.0.2.1",
                "headers": {"content-type": "application/json", "x-github-event": "push"},
                "replay": "",
                "replays": 0,
                "body": _BODY,
            }
        )
        + b"\n"
    )


class GeneratedQueue:
    """A dead-letter queue with a notification for each of many rejected objects."""

    def __init__(self, days: int, tickets: int) -> None:
        self._days, self._tickets = days, tickets
        self._given = 0
        self.calls = 0
        self._lock = threading.Lock()

    def receive_message(self, **_: Any) -> dict[str, Any]:
        """Take up to ten."""
        with self._lock:
            first = self._given
            self._given = min(first + 10, self._tickets)
            self.calls += 1
        return {"Messages": [self._message(number) for number in range(first, self._given)]}

    def change_message_visibility_batch(self, **_: Any) -> None:
        """Take some back."""
        with self._lock:
            self.calls += 1

    def _message(self, number: int) -> dict[str, Any]:
        hour = BEGINS + timedelta(hours=number % (self._days * 24))
        source = SOURCES[number % len(SOURCES)]
        folder = f"{REJECTED_PREFIX}{source_folder(source)}{hour_folder(hour.timestamp())}"
        key = folder + object_name(_shard(number % SHARDS), _sequence(number, 0))
        stored = {"bucket": {"name": BUCKET}, "object": {"key": key, "size": _REJECTED_BYTES}}
        return {
            "MessageId": f"{number:036d}",
            # As long as SQS's are.
            "ReceiptHandle": f"{number:0412d}",
            "Body": orjson.dumps({"Records": [{"s3": stored}]}).decode(),
            "Attributes": {"SentTimestamp": str(int(hour.timestamp() * 1000))},
        }
