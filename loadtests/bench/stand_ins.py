"""Services that answer at once, out of memory: what is left is the time of the code under test.

Nothing of the project is imported here: what ships is measured with it, in another interpreter.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

SECRET = "a secret of the benchmarks"  # noqa: S105 - of no deployment
REGION = "us-west-2"
MINUTE = 60.0
SHARDS = 4
_WIDTH = 2**128 // SHARDS


@dataclass(frozen=True)
class Body:
    """The body of an answer."""

    data: bytes

    def read(self) -> bytes:
        """Return all of it."""
        return self.data


def ranged(data: bytes, wanted: str) -> dict[str, Any]:
    """Return the answer to a request for a range of an object's bytes."""
    first, last = (int(part) for part in wanted.removeprefix("bytes=").split("-"))
    part = data[first : last + 1]
    content_range = f"bytes {first}-{first + len(part) - 1}/{len(data)}"
    return {"Body": Body(part), "ContentRange": content_range, "ETag": "1"}


class MemoryS3:
    """A bucket in memory."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    def put_object(self, *, Key: str, Body: bytes, **_: Any) -> dict[str, Any]:  # noqa: N803
        """Keep an object."""
        self.objects[Key] = Body
        return {}

    def get_object(self, *, Key: str, Range: str = "", **_: Any) -> dict[str, Any]:  # noqa: N803
        """Return a range of an object."""
        return ranged(self.objects[Key], Range)

    def list_objects_v2(
        self,
        *,
        Prefix: str,  # noqa: N803
        Delimiter: str = "",  # noqa: N803
        **_: Any,
    ) -> dict[str, Any]:
        """List the objects below a prefix, or the folders there."""
        keys = sorted(key for key in self.objects if key.startswith(Prefix))
        if Delimiter:
            ends = {key[: key.index(Delimiter, len(Prefix)) + 1] for key in keys}
            return {"CommonPrefixes": [{"Prefix": end} for end in sorted(ends)]}
        now = datetime.now(UTC)
        return {
            "Contents": [
                {"Key": key, "Size": len(self.objects[key]), "LastModified": now} for key in keys
            ]
        }


class NoKinesis:
    """A stream that takes everything and keeps nothing."""

    def list_shards(self, **_: Any) -> dict[str, Any]:
        """Return shards of equal ranges."""
        return {
            "Shards": [
                {
                    "ShardId": _shard(number),
                    "HashKeyRange": {
                        "StartingHashKey": str(number * _WIDTH),
                        "EndingHashKey": str((number + 1) * _WIDTH - 1),
                    },
                    "SequenceNumberRange": {"StartingSequenceNumber": "1"},
                }
                for number in range(SHARDS)
            ]
        }

    def put_records(self, *, Records: Sequence[Any], **_: Any) -> dict[str, Any]:  # noqa: N803
        """Say that all records are on the shards that they named."""
        results = [
            {"ShardId": _shard(int(one.get("ExplicitHashKey", "0")) // _WIDTH)} for one in Records
        ]
        return {"FailedRecordCount": 0, "Records": results}


def _shard(number: int) -> str:
    return f"shardId-{number:012d}"


class FakeContext:
    """What a handler sees of Lambda: it has a minute from now on."""

    function_name = "bench"
    memory_limit_in_mb = 1024
    invoked_function_arn = f"arn:aws:lambda:{REGION}:000000000000:function:bench"
    aws_request_id = "bench"

    def __init__(self) -> None:
        self._end = time.monotonic() + MINUTE

    def get_remaining_time_in_millis(self) -> int:
        """Return what is left: without an end, a call would be tried for ever."""
        return round((self._end - time.monotonic()) * 1_000)


def no_op_services() -> dict[str, Any]:
    """Return clients that answer at once: what is left is the processor's own time."""
    return {"sqs": _NoSqs(), "dynamodb": _NoDynamoDb(), "s3": _NoS3()}


class _NoSqs:
    def send_message_batches(self, calls: Any) -> Any:
        return [{"Successful": [{"Id": one["Id"]} for one in call["Entries"]]} for call in calls]


class _NoDynamoDb:
    def batch_get_items(self, calls: Any) -> Any:
        return [{"Responses": {}} for _ in calls]

    def batch_write_items(self, calls: Any) -> Any:
        return [{} for _ in calls]


class _NoS3:
    def put_object(self, **_: Any) -> Any:
        return {}
