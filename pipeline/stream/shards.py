"""Which shard a partition key belongs to, and how much the stream can take."""

from __future__ import annotations

import hashlib
import time
from bisect import bisect_right
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from pipeline.aws.errors import may_pass
from pipeline.aws.limits import ON_DEMAND_SHARDS, SHARD_BYTES, SHARD_RECORDS
from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.aws.seams import DescribedStream, ShardedStream

REFRESH_SECONDS = 60.0
#: What a replay takes of it unless told otherwise; the rest is for live traffic.
SHARE = 0.5


class StreamError(PipelineError):
    """The stream is not there, is out of reach or may not be used."""


class StreamUnreachableError(StreamError):
    """The stream took nothing until the timeout, or told nothing; it may a moment later."""


class Shard(NamedTuple):
    """An open shard, and the range of hash keys that is its own."""

    id: str
    start: int
    end: int


class ShardMap:
    """The open shards of a stream, read again every minute and after a surprise.

    Parameters
    ----------
    clock : Callable[[], float]
        Seconds, from any start.
    """

    def __init__(
        self, kinesis: ShardedStream, stream: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._kinesis = kinesis
        self._stream = stream
        self._clock = clock
        self._shards: list[Shard] = []
        self._starts: list[int] = []
        self._read_at = float("-inf")

    @property
    def shards(self) -> list[Shard]:
        """The open shards in the order of their ranges."""
        return self._shards

    def refresh(self) -> bool:
        """Read the shards again when it is time; tell whether they have changed.

        Raises
        ------
        StreamError
            When they were never read and cannot be; StreamUnreachableError where another try may
            help, as after a throttle. A map that is old still serves: an event
            that reaches another shard is not lost.
        """
        if self._clock() - self._read_at < REFRESH_SECONDS:
            return False
        try:
            shards = self._open_shards()
        except (BotoCoreError, ClientError) as error:
            if not self._shards:
                kind = StreamUnreachableError if may_pass(error) else StreamError
                raise kind(f"{self._stream}: cannot list its shards: {error}") from None
            shards = self._shards
        self._read_at = self._clock()
        changed = shards != self._shards
        self._shards = shards
        self._starts = [shard.start for shard in shards]
        return changed

    def expire(self) -> None:
        """Have the shards read again: a record went to another shard than expected."""
        self._read_at = float("-inf")

    def find(self, partition_key: str) -> Shard | None:
        """Return the shard of a partition key; None in the moment of a change where none has it."""
        digest = hashlib.md5(partition_key.encode(), usedforsecurity=False).digest()
        hash_key = int.from_bytes(digest, "big")
        place = bisect_right(self._starts, hash_key) - 1
        if place < 0:
            return None
        shard = self._shards[place]
        return shard if hash_key <= shard.end else None

    def _open_shards(self) -> list[Shard]:
        request: dict[str, Any] = {"StreamName": self._stream}
        found = []
        while True:
            answer = self._kinesis.list_shards(**request)
            for shard in answer["Shards"]:
                # Kinesis API reference, SequenceNumberRange: an open shard has no end.
                if not shard["SequenceNumberRange"].get("EndingSequenceNumber"):
                    hashes = shard["HashKeyRange"]
                    start, end = int(hashes["StartingHashKey"]), int(hashes["EndingHashKey"])
                    found.append(Shard(shard["ShardId"], start, end))
            if not answer.get("NextToken"):
                return sorted(found, key=lambda shard: shard.start)
            request = {"NextToken": answer["NextToken"]}


class Capacity(NamedTuple):
    """What a stream can take in a second, and its largest record in bytes."""

    records: float
    size: float
    largest_record: int


def capacity(kinesis: DescribedStream, stream: str) -> Capacity:
    """Ask how much a stream can take.

    Raises
    ------
    StreamError
        When the stream cannot be asked.
    """
    try:
        answer = kinesis.describe_stream_summary(StreamName=stream)["StreamDescriptionSummary"]
    except (BotoCoreError, ClientError) as error:
        raise StreamError(f"{stream}: cannot be described: {error}") from None
    shards = int(answer["OpenShardCount"])
    if answer.get("StreamModeDetails", {}).get("StreamMode") == "ON_DEMAND":
        shards = max(shards, ON_DEMAND_SHARDS)
    largest = int(answer.get("MaxRecordSizeInKiB") or 1024) * 1024
    return Capacity(shards * SHARD_RECORDS, shards * SHARD_BYTES, largest)
