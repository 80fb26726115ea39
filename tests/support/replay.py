"""Stand-ins for what a replay calls, and archives to replay."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson

from pipeline.archive.keys import ArchiveKind
from pipeline.archive.listing import ArchiveListing
from pipeline.archive.objects import ObjectRef, Objects
from pipeline.aws.limits import RECORD_BYTES
from pipeline.event.envelope import Envelope, decode_envelope
from pipeline.replay.engine import Replayer
from pipeline.replay.event_types import EventTypes
from pipeline.replay.filters import Filter
from pipeline.replay.history import UnaskedHistory
from pipeline.replay.job import Job, JobStore
from pipeline.replay.selection import select
from pipeline.stream.kpl import MAGIC
from pipeline.stream.pace import Pace
from pipeline.stream.records import read_records
from pipeline.stream.sending import StreamWriter
from pipeline.stream.shards import ShardMap
from tests.support.bench import record
from tests.support.fakes import FakeS3, client_error

ARRIVED = "2026-11-23T20:08:23.123+00:00"
HOUR = "dt=2026-11-23/hr=20"
WRITTEN = datetime(2026, 11, 23, 20, 9, tzinfo=UTC)
JOB = "replay-20261123T210000-0a1b"


class Body:
    def __init__(self, data: bytes) -> None:
        self._data = data

    def read(self) -> bytes:
        return self._data


class FakeArchive(FakeS3):
    """S3 with ranges, listings in small pages, and objects that are gone."""

    def __init__(self) -> None:
        super().__init__()
        self.ranges: list[tuple[str, int, int]] = []
        self.page = 3

    def get_object(
        self, *, Bucket: str, Key: str, Range: str | None = None, IfMatch: str | None = None
    ) -> dict[str, Any]:
        self._call()
        if Key not in self.objects:
            raise client_error("NoSuchKey", "GetObject", 404)
        data = self.objects[Key]
        etag = str(hash(data))
        if IfMatch is not None and IfMatch != etag:
            raise client_error("PreconditionFailed", "GetObject", 412)
        if Range is None:
            return {"Body": Body(data), "ContentLength": len(data), "ETag": etag}
        first, last = (int(part) for part in Range.removeprefix("bytes=").split("-"))
        if first >= len(data):
            raise client_error("InvalidRange", "GetObject", 416)
        part = data[first : last + 1]
        self.ranges.append((Key, first, len(part)))
        return {
            "Body": Body(part),
            "ContentRange": f"bytes {first}-{first + len(part) - 1}/{len(data)}",
            "ETag": etag,
        }

    def list_objects_v2(
        self,
        *,
        Bucket: str,
        Prefix: str,
        Delimiter: str | None = None,
        StartAfter: str = "",
        ContinuationToken: str = "",
    ) -> dict[str, Any]:
        self._call()
        after = max(StartAfter, ContinuationToken)
        keys = sorted(key for key in self.objects if key.startswith(Prefix) and key > after)
        if Delimiter:
            below = {key[: key.index(Delimiter, len(Prefix)) + 1] for key in keys
                     if Delimiter in key[len(Prefix) :]}  # fmt: skip
            direct = [key for key in keys if Delimiter not in key[len(Prefix) :]]
            return {
                "CommonPrefixes": [{"Prefix": prefix} for prefix in sorted(below)],
                "Contents": [self._listed(key) for key in direct],
            }
        shown = keys[: self.page]
        answer: dict[str, Any] = {
            "Contents": [self._listed(key) for key in shown],
            "IsTruncated": len(keys) > len(shown),
        }
        if answer["IsTruncated"]:
            answer["NextContinuationToken"] = shown[-1]
        return answer

    def _listed(self, key: str) -> dict[str, Any]:
        return {"Key": key, "Size": len(self.objects[key]), "LastModified": WRITTEN}

    def add(self, key: str, lines: Iterable[dict[str, Any] | bytes]) -> ObjectRef:
        text = b"".join(
            (one if isinstance(one, bytes) else orjson.dumps(one)) + b"\n" for one in lines
        )
        self.objects[key] = gzip.compress(text, mtime=0)
        return ObjectRef(key, len(self.objects[key]))


def line(number: int, *, name: str | None = None, **more: Any) -> dict[str, Any]:
    """A line of the archive as its writers write it."""
    identifier = name or f"request-{number}"
    return {
        "id": identifier,
        "source": "github",
        "event_type": "",
        "shard_id": "shardId-000000000000",
        "sequence_number": str(number),
        "arrived": ARRIVED,
        "envelope_id": identifier.partition("#")[0].partition("@")[0],
        "envelope_source": "github",
        "envelope_ts": 1_795_464_503_123,
        "key": f"delivery-{number}",
        "ip": "192.0.2.1",
        "headers": {"content-type": "application/json", "x-github-event": "push"},
        "replay": "",
        "replays": 0,
        "body": f'{{"n":{number}}}',
        **more,
    }


class Killed(BaseException):
    """The process ends here."""


class FakeKinesis:
    """A stream with shards of equal ranges that keeps what is put."""

    def __init__(self, shards: int = 3) -> None:
        self.largest_record = 1_048_576
        self.names = [f"shardId-{number:012d}" for number in range(shards)]
        self.records: dict[str, list[Mapping[str, Any]]] = {}
        self.calls = 0
        self.listed = 0
        self.kill_at: int | None = None
        self.kill_after: int | None = None
        #: Given the number of the call and the entries, an error for each entry, or None.
        self.refuse: Callable[[int, Any], list[str | None]] = lambda _, e: [None] * len(e)
        self.faults: list[Exception] = []

    def _width(self) -> int:
        return int(2**128 // len(self.names))

    def list_shards(self, **_: Any) -> dict[str, Any]:
        self.listed += 1
        width, last = self._width(), len(self.names) - 1
        shards = [
            {
                "ShardId": name,
                "HashKeyRange": {
                    "StartingHashKey": str(number * width),
                    "EndingHashKey": str((number + 1) * width - 1 if number < last else 2**128 - 1),
                },
                "SequenceNumberRange": {"StartingSequenceNumber": "1"},
            }
            for number, name in enumerate(self.names)
        ]
        closed = {
            "ShardId": "shardId-closed",
            "HashKeyRange": {"StartingHashKey": "0", "EndingHashKey": str(2**128 - 1)},
            "SequenceNumberRange": {"StartingSequenceNumber": "1", "EndingSequenceNumber": "2"},
        }
        return {"Shards": [closed, *shards]}

    def describe_stream_summary(self, **_: Any) -> dict[str, Any]:
        return {"StreamDescriptionSummary": {"OpenShardCount": len(self.names)}}

    def put_records(
        self, *, StreamName: str, Records: Sequence[Mapping[str, Any]]
    ) -> dict[str, Any]:
        self.calls += 1
        if self.calls == self.kill_at:
            raise Killed
        if self.faults:
            raise self.faults.pop(0)
        assert 0 < len(Records) <= 500
        assert sum(len(one["Data"]) + len(one["PartitionKey"].encode()) for one in Records) <= (
            10 * 1024 * 1024
        )
        results = []
        for entry, error in zip(Records, self.refuse(self.calls, Records), strict=True):
            size = len(entry["Data"]) + len(entry["PartitionKey"].encode())
            assert size <= self.largest_record
            assert 1 <= len(entry["PartitionKey"]) <= 256
            if error:
                results.append({"ErrorCode": error, "ErrorMessage": error})
                continue
            shard = self.shard_of(entry["PartitionKey"], entry.get("ExplicitHashKey"))
            self.records.setdefault(shard, []).append(entry)
            results.append({"ShardId": shard, "SequenceNumber": str(self.calls)})
        if self.calls == self.kill_after:
            raise Killed
        return {"FailedRecordCount": sum("ErrorCode" in one for one in results), "Records": results}

    def shard_of(self, key: str, explicit: str | None = None) -> str:
        import hashlib

        digest = hashlib.md5(key.encode(), usedforsecurity=False).digest()
        number = int(explicit) if explicit is not None else int.from_bytes(digest, "big")
        return self.names[min(number // self._width(), len(self.names) - 1)]

    def envelopes(self) -> list[Envelope]:
        """What the fan-out will see, as its own reader sees it."""
        found = []
        for entries in self.records.values():
            for event in read_records([record(entry["Data"]) for entry in entries]):
                assert not event.fault
                found.append(decode_envelope(event.data))
        return found

    def ids(self) -> list[str]:
        return sorted(envelope.id for envelope in self.envelopes())

    @property
    def aggregates(self) -> list[Mapping[str, Any]]:
        return [
            entry
            for entries in self.records.values()
            for entry in entries
            if entry["Data"].startswith(MAGIC)
        ]


class Clock:
    """Time that passes only by sleeping, and a little by being asked."""

    def __init__(self, step: float = 0.0) -> None:
        self.now = 1000.0
        self.step = step
        self.slept = 0.0

    def __call__(self) -> float:
        self.now += self.step
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.slept += seconds


class Bench:
    """A replay of a fake archive onto a fake stream."""

    def __init__(self, wanted: Filter | None = None, **options: Any) -> None:
        self.s3, self.kinesis, self.clock = FakeArchive(), FakeKinesis(), Clock()
        self.wanted = wanted or Filter(frozenset(ArchiveKind))
        self.types = EventTypes()
        self.store = JobStore(self.s3, "archive")
        self.job = Job(JOB, {"user": "me"}, ARRIVED, self.wanted.to_json(), options)
        self.pace = Pace(1e9, 1e12, clock=self.clock, sleep=self.clock.sleep)
        self.largest_record = RECORD_BYTES

    def writer(self) -> StreamWriter:
        shards = ShardMap(self.kinesis, "stream", self.clock)
        return StreamWriter(
            self.kinesis,
            "stream",
            shards,
            self.pace,
            largest_record=self.largest_record,
            clock=self.clock,
        )

    def replayer(self, **more: Any) -> Replayer:
        return Replayer(
            self.job,
            Objects(self.s3, "archive", part_bytes=97),
            more.pop("sink", None) or self.writer(),
            self.wanted,
            self.types,
            history=more.pop("history", None) or UnaskedHistory(),
            save=more.pop("save", self.store.save),
            clock=self.clock,
            **more,
        )

    def refs(self) -> Iterator[ObjectRef]:
        place = self.job.position
        if place.key and place.line is not None:
            yield ObjectRef(place.key, place.size)
        yield from select(ArchiveListing(self.s3, "archive"), self.wanted, place.key)

    def run(self, **more: Any) -> bool:
        return self.replayer(**more).run(self.refs())

    def resume(self) -> None:
        """Go on as another process does: with what is in the archive, and nothing else."""
        self.job = self.store.load(JOB)
