"""The aggregates of the Kinesis Producer Library, written and read.

An aggregate is four magic bytes, a protobuf message with a table of partition keys and a list of
user records, and the MD5 of that message (awslabs/amazon-kinesis-producer, aggregation-format.md).
Of aws-kinesis-agg 1.2.3 only the generated messages are used: its deaggregation drops user records
silently when a key index is wrong, and its aggregation copies each full aggregate.
"""

from __future__ import annotations

import hashlib
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

from google.protobuf.message import DecodeError

if TYPE_CHECKING:
    from collections.abc import Iterator

# aws-kinesis-agg 1.2.3 generated its messages with a top-level import of `config_pb2`, which its
# other modules make work by changing sys.path. One alias does the same and leaves the path alone.
if "config_pb2" not in sys.modules:
    sys.modules["config_pb2"] = import_module("aws_kinesis_agg.config_pb2")

AggregatedRecord: Any = import_module("aws_kinesis_agg.messages_pb2").AggregatedRecord

MAGIC = b"\xf3\x89\x9a\xc2"
_DIGEST_BYTES = 16
#: An envelope has some hundred bytes at least, and an aggregate of this project 500 at most; each
#: costs some kilobytes until its batch is settled.
MOST_USER_RECORDS = 10_000


class Aggregate:
    """User records on their way into one record; its size is known before it is made.

    Attributes
    ----------
    size : int
        Bytes, with the partition key of the outer record, which is the first one.
    """

    def __init__(self) -> None:
        self._message = AggregatedRecord()
        self._keys: dict[str, int] = {}
        self.size = len(MAGIC) + _DIGEST_BYTES

    def __len__(self) -> int:
        return len(self._message.records)

    @property
    def first_key(self) -> str:
        """The partition key of the first user record."""
        return str(self._message.partition_key_table[0])

    @property
    def first_data(self) -> bytes:
        """The first user record."""
        return bytes(self._message.records[0].data)

    def add(self, key: str, data: bytes, limit: int) -> bool:
        """Take a user record, unless the aggregate would have more bytes than the limit."""
        index = self._keys.get(key, len(self._keys))
        # A field has a byte for its number and type; a number, and each length, is a varint.
        body = 2 + _varint_bytes(index) + _varint_bytes(len(data)) + len(data)
        grows = 1 + _varint_bytes(body) + body
        if index == len(self._keys):
            length = len(key.encode())
            grows += 1 + _varint_bytes(length) + length + (0 if self._keys else length)
        if self.size + grows > limit:
            return False
        if index == len(self._keys):
            self._keys[key] = index
            self._message.partition_key_table.append(key)
        self._message.records.add(partition_key_index=index, data=data)
        self.size += grows
        return True

    def to_bytes(self) -> bytes:
        """Return the data of the record."""
        message: bytes = self._message.SerializeToString()
        return MAGIC + message + hashlib.md5(message, usedforsecurity=False).digest()


def deaggregate(data: bytes) -> Iterator[tuple[bytes, str]]:
    """Return the user records in an aggregate, each with what is wrong with it, else nothing.

    An aggregate that cannot be read is one faulty record.
    """
    message, digest = data[len(MAGIC) : -_DIGEST_BYTES], data[-_DIGEST_BYTES:]
    if hashlib.md5(message, usedforsecurity=False).digest() != digest:
        yield data, "an aggregate whose MD5 does not fit"
        return
    aggregate = AggregatedRecord()
    try:
        aggregate.ParseFromString(message)
    except DecodeError:
        yield data, "an aggregate that is no protobuf message"
        return
    if not aggregate.records:
        yield data, "an aggregate without a record"
        return
    if len(aggregate.records) > MOST_USER_RECORDS:
        yield data, f"an aggregate with more than {MOST_USER_RECORDS:,} records"
        return
    keys = len(aggregate.partition_key_table)
    for user_record in aggregate.records:
        sound = user_record.partition_key_index < keys
        yield user_record.data, "" if sound else "a record whose partition key index is wrong"


def _varint_bytes(number: int) -> int:
    """Return how many bytes a number has in protobuf's encoding: seven bits in each."""
    return (number.bit_length() + 6) // 7 or 1
