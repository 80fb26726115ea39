"""Kinesis records as a Lambda gets them, and the user records inside an aggregate.

The aggregate's form is the Kinesis Producer Library's: four magic bytes, a protobuf message,
and the MD5 of that message. The deaggregation of aws-kinesis-agg 1.2.3 drops user records
silently when a key index is wrong; this one gives an account of every record.
"""

from __future__ import annotations

import binascii
import hashlib
from typing import TYPE_CHECKING, Any

import pybase64
from google.protobuf.message import DecodeError

from pipeline.event.events import Record
from pipeline.stream.kpl import DIGEST_BYTES, MAGIC, AggregatedRecord

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


def read_records(records: Iterable[Mapping[str, Any]]) -> Iterator[Record]:
    """Return the user records of a batch one by one: not all of their data is held at once.

    Parameters
    ----------
    records : Iterable[Mapping[str, Any]]
        `Records` of the invocation event of a Kinesis event source mapping.

    Returns
    -------
    Iterator[Record]
        In the order of the stream. What is wrong with a record is in its `fault`.
    """
    for record in records:
        sequence_number = str(record["kinesis"]["sequenceNumber"])
        shard_id = str(record.get("eventID", "")).partition(":")[0] or "shardId-unknown"
        arrived = float(record["kinesis"].get("approximateArrivalTimestamp", 0.0))
        place = f"{shard_id}:{sequence_number}"
        for number, (data, fault) in enumerate(_user_records(record["kinesis"]["data"])):
            yield Record(sequence_number, shard_id, arrived, data, fault, f"{place}.{number}")


def _user_records(encoded: str) -> Iterator[tuple[bytes, str]]:
    try:
        data = pybase64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        yield encoded.encode(errors="replace"), "the record's data is not base64"
        return
    if not data.startswith(MAGIC):
        yield data, ""
        return
    yield from _deaggregate(data)


def _deaggregate(data: bytes) -> Iterator[tuple[bytes, str]]:
    message, digest = data[len(MAGIC) : -DIGEST_BYTES], data[-DIGEST_BYTES:]
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
    keys = len(aggregate.partition_key_table)
    for user_record in aggregate.records:
        sound = user_record.partition_key_index < keys
        yield user_record.data, "" if sound else "a record whose partition key index is wrong"
