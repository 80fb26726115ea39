"""Packs events into KPL aggregates, so that each event reaches the shard of its partition key.

An aggregate goes to one shard, so it may hold only events of that shard: two copies of one
delivery must meet in one shard, or both could be delivered.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from pipeline.aws.limits import RECORD_BYTES
from pipeline.stream.kpl import Aggregate

if TYPE_CHECKING:
    from pipeline.stream.shards import Shard, ShardMap

MOST_EVENTS = 500
#: No limit of the stream's, which can be higher: what a record has that is none of the large ones.
AGGREGATE_BYTES = RECORD_BYTES


class Packed(NamedTuple):
    """A record for the stream.

    Parameters
    ----------
    data : bytes
        An aggregate, or a single event as it is.
    partition_key : str
        Of the first event in it.
    shard : Shard | None
        The shard of all of its events; None lets the partition key decide.
    events : int
        How many it holds.
    """

    data: bytes
    partition_key: str
    shard: Shard | None
    events: int

    @property
    def size(self) -> int:
        """What Kinesis counts: the data, and the partition key."""
        return len(self.data) + len(self.partition_key.encode())


@dataclass(slots=True)
class _Open:
    shard: Shard
    aggregate: Aggregate = field(default_factory=Aggregate)

    def add(self, key: str, data: bytes, limit: int) -> bool:
        """Take an event if there is room."""
        return len(self.aggregate) < MOST_EVENTS and self.aggregate.add(key, data, limit)

    def seal(self) -> Packed:
        key, events = self.aggregate.first_key, len(self.aggregate)
        if events == 1:
            return Packed(self.aggregate.first_data, key, None, 1)
        return Packed(self.aggregate.to_bytes(), key, self.shard, events)


class Packer:
    """Gathers events by shard.

    Parameters
    ----------
    largest_record : int
        What the stream takes at most, partition key included.
    """

    def __init__(self, shards: ShardMap, largest_record: int) -> None:
        self._shards = shards
        self._largest = largest_record
        self._open: dict[str, _Open] = {}
        self._sealed: list[Packed] = []
        self.events = 0
        self.size = 0

    def add(self, key: str, data: bytes) -> bool:
        """Take an event.

        Returns
        -------
        bool
            Whether it fits into a record at all.
        """
        if len(data) + len(key.encode()) > self._largest:
            return False
        shard = self._shards.find(key)
        if shard is None:
            self._sealed.append(Packed(data, key, None, 1))
        else:
            self._aggregate(shard, key, data)
        self.events += 1
        self.size += len(data)
        return True

    def _aggregate(self, shard: Shard, key: str, data: bytes) -> None:
        # Large records cost a shard its burst, so an aggregate never is one.
        limit = min(self._largest, AGGREGATE_BYTES)
        current = self._open.get(shard.id)
        if current is not None:
            if current.add(key, data, limit):
                return
            self._sealed.append(current.seal())
        fresh = self._open[shard.id] = _Open(shard)
        if not fresh.add(key, data, limit):
            del self._open[shard.id]
            self._sealed.append(Packed(data, key, None, 1))

    def take(self) -> list[Packed]:
        """Return all that was gathered, and begin anew."""
        packed = self._sealed + [one.seal() for one in self._open.values()]
        self._open, self._sealed = {}, []
        self.events = self.size = 0
        return packed
