"""Records of a stream in the form in which Lambda hands them to a function."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from local.mapping.settings import MappingSettings

# What stands round the data in one record of an event: keys, ids, names.
_FRAME_BYTES = 640


@dataclass(frozen=True, slots=True)
class StreamRecord:
    """One record. `data` is the base64 text that the function gets.

    `number` orders the records of a shard: sequence numbers are decimal numbers, of a length that
    may vary, so that their text does not sort.
    """

    sequence_number: str
    partition_key: str
    data: str
    arrival: float

    @property
    def number(self) -> int:
        """The sequence number as a number."""
        return int(self.sequence_number)

    @property
    def size(self) -> int:
        """About how many bytes of an invocation it takes."""
        return len(self.data) + len(self.partition_key) + _FRAME_BYTES


def from_kinesis(record: Mapping[str, Any]) -> StreamRecord:
    """Take a record as GetRecords gives it."""
    return StreamRecord(
        sequence_number=record["SequenceNumber"],
        partition_key=record["PartitionKey"],
        data=base64.b64encode(record["Data"]).decode("ascii"),
        arrival=record["ApproximateArrivalTimestamp"].timestamp(),
    )


def as_event(
    records: Iterable[StreamRecord], shard_id: str, settings: MappingSettings
) -> dict[str, Any]:
    """Return the event that the function is called with."""
    return {
        "Records": [
            {
                "kinesis": {
                    "kinesisSchemaVersion": "1.0",
                    "partitionKey": record.partition_key,
                    "sequenceNumber": record.sequence_number,
                    "data": record.data,
                    "approximateArrivalTimestamp": record.arrival,
                },
                "eventSource": "aws:kinesis",
                "eventVersion": "1.0",
                "eventID": f"{shard_id}:{record.sequence_number}",
                "eventName": "aws:kinesis:record",
                "invokeIdentityArn": settings.role_arn,
                "awsRegion": settings.region,
                "eventSourceARN": settings.stream_arn,
            }
            for record in records
        ]
    }
