"""Records as a Lambda gets them, and the user records in them: each is accounted for."""

from __future__ import annotations

import binascii
from typing import TYPE_CHECKING, Any

import pybase64

from pipeline.event.events import Record
from pipeline.stream.kpl import MAGIC, deaggregate

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
        kinesis = record["kinesis"]
        sequence_number = str(kinesis["sequenceNumber"])
        shard_id = str(record.get("eventID", "")).partition(":")[0] or "shardId-unknown"
        arrived = float(kinesis.get("approximateArrivalTimestamp", 0.0))
        place = sequence_number
        for number, (data, fault) in enumerate(_user_records(kinesis["data"]), 1):
            yield Record(sequence_number, shard_id, arrived, data, fault, place)
            place = f"{sequence_number}.{number}"


def _user_records(encoded: str) -> Iterable[tuple[bytes, str]]:
    try:
        data = pybase64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return ((encoded.encode(errors="replace"), "the record's data is not base64"),)
    return deaggregate(data) if data.startswith(MAGIC) else ((data, ""),)
