"""Records that nothing of this project writes: aggregates of the wrong kind."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple

from pipeline.stream.kpl import MAGIC, AggregatedRecord

if TYPE_CHECKING:
    from collections.abc import Iterator


class HostileRecord(NamedTuple):
    """Data for one record of the stream, and what is hostile about it."""

    name: str
    data: bytes


def hostile_records(size: int) -> Iterator[HostileRecord]:
    """Make each record.

    Parameters
    ----------
    size : int
        In bytes, of which a record has a few less.
    """
    yield HostileRecord("noise", bytes(range(256)) * (size // 256))
    yield HostileRecord("an aggregate of noise", MAGIC + b"\x1a\xff" * (size // 2 - 2))
    yield HostileRecord("an aggregate whose MD5 is wrong", _aggregate(b"x" * 100, size)[:-1] + b"!")
    yield HostileRecord("an aggregate of empty records", _aggregate(b"", size))
    yield HostileRecord("an aggregate of key indices that are wrong", _aggregate(b"x", size, 7))
    yield HostileRecord(
        "an aggregate of the smallest envelopes",
        _aggregate(b"v=1&id=r&ts=1795464503123&source=generic\n{}", size),
    )


def _aggregate(data: bytes, size: int, key: int = 0) -> bytes:
    message = AggregatedRecord()
    message.partition_key_table.append("k")
    for _ in range((size - 100) // (len(data) + 6)):
        message.records.add(partition_key_index=key, data=data)
    text: bytes = message.SerializeToString()
    return MAGIC + text + hashlib.md5(text, usedforsecurity=False).digest()
