"""Packs events into KPL aggregates, so that each event reaches the shard of its partition key.

An aggregate is a list of partition keys and a list of records in a protobuf message, between
four magic bytes and the message's MD5. It goes to one shard, so it may hold only events of that
shard: two copies of one delivery must meet in one shard, or both could be delivered.
The message is written by hand: its exact size is known before it is made, and it is made in one
go (aws-kinesis-agg 1.2.3 copies each full aggregate and counts sizes in loops).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipeline.stream.kpl import DIGEST_BYTES, MAGIC

if TYPE_CHECKING:
    from pipeline.stream.shards import Shard, ShardMap

#: Amazon Kinesis Data Streams quotas: a record has 1 MiB unless the stream allows more.
LARGEST_RECORD = 1_048_576
MOST_EVENTS = 500
_OVERHEAD = len(MAGIC) + DIGEST_BYTES


@dataclass(frozen=True, slots=True)
class Packed:
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
    keys: dict[str, int] = field(default_factory=dict)
    key_parts: list[bytes] = field(default_factory=list)
    record_parts: list[bytes] = field(default_factory=list)
    first_data: bytes = b""
    events: int = 0
    size: int = _OVERHEAD

    def add(self, key: str, data: bytes, limit: int) -> bool:
        """Take an event if there is room."""
        index = self.keys.get(key, len(self.keys))
        body = b"\x08" + _varint(index) + b"\x1a" + _varint(len(data))
        head = b"\x1a" + _varint(len(body) + len(data)) + body
        grows = len(head) + len(data)
        key_part = b""
        if index == len(self.keys):
            encoded = key.encode()
            key_part = b"\x0a" + _varint(len(encoded)) + encoded
            grows += len(key_part) + (0 if self.events else len(encoded))
        if self.events >= MOST_EVENTS or self.size + grows > limit:
            return False
        if key_part:
            self.keys[key] = index
            self.key_parts.append(key_part)
        self.record_parts += (head, data)
        self.first_data = self.first_data or data
        self.events += 1
        self.size += grows  # The outer record's own partition key, the first one, included.
        return True

    def seal(self) -> Packed:
        first = next(iter(self.keys))
        if self.events == 1:
            return Packed(self.first_data, first, None, 1)
        message = b"".join((*self.key_parts, *self.record_parts))
        digest = hashlib.md5(message, usedforsecurity=False).digest()
        return Packed(MAGIC + message + digest, first, self.shard, self.events)


class Packer:
    """Gathers events by shard.

    Parameters
    ----------
    shards : ShardMap
        Tells the shard of a partition key.
    largest_record : int
        What the stream takes at most, partition key included.
    """

    def __init__(self, shards: ShardMap, largest_record: int = LARGEST_RECORD) -> None:
        self._shards = shards
        self._largest = largest_record
        self._open: dict[str, _Open] = {}
        self._sealed: list[Packed] = []
        self.events = 0
        self.size = 0

    def add(self, key: str, data: bytes) -> bool:
        """Take an event.

        Parameters
        ----------
        key : str
            Its partition key.
        data : bytes
            Its envelope.

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
        limit = min(self._largest, LARGEST_RECORD)
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
        """Give all that was gathered, and begin anew."""
        packed = self._sealed + [one.seal() for one in self._open.values()]
        self._open, self._sealed = {}, []
        self.events = self.size = 0
        return packed


def _varint(number: int) -> bytes:
    if number < 0x80:
        return bytes((number,))
    parts = bytearray()
    while number >= 0x80:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    parts.append(number)
    return bytes(parts)
