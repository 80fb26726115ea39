"""The record that Lambda writes about records that it gave up, and the key that it has in S3."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from local.mapping.decision import Condition
from local.mapping.records import as_event

if TYPE_CHECKING:
    from local.mapping.decision import Failure
    from local.mapping.settings import MappingSettings


def failure_record(
    settings: MappingSettings, shard_id: str, failure: Failure, *, request_id: str, now: float
) -> dict[str, Any]:
    """Describe what was given up, without the records themselves.

    Parameters
    ----------
    shard_id : str
        Where the records came from.
    now : float
        The time of the record, in seconds since the epoch.
    """
    document: dict[str, Any] = {
        "requestContext": {
            "requestId": request_id,
            "functionArn": settings.function_arn,
            "condition": failure.condition.value,
            "approximateInvokeCount": failure.invocations,
        }
    }
    # What expired is given up without an invocation that could have answered.
    if failure.condition is not Condition.AGE:
        document["responseContext"] = {
            "statusCode": 200,
            "executedVersion": "$LATEST",
            "functionError": failure.function_error,
        }
    document["version"] = "1.0"
    document["timestamp"] = _iso(now)
    document["KinesisBatchInfo"] = _batch(settings, shard_id, failure)
    return document


def with_payload(
    document: dict[str, Any], settings: MappingSettings, shard_id: str, failure: Failure
) -> dict[str, Any]:
    """Add the event that the function was called with: what an S3 destination gets.

    AWS Lambda Developer Guide, retaining discarded batch records: "an escaped JSON string".
    """
    return {**document, "payload": json.dumps(as_event(failure.records, shard_id, settings))}


def failure_key(settings: MappingSettings, shard_id: str, now: float) -> str:
    """Return a new key for the record in S3; its prefix cannot be set on AWS either."""
    at = datetime.fromtimestamp(now, UTC)
    day, moment = at.strftime("%Y/%m/%d"), at.strftime("%Y-%m-%dT%H.%M.%S")
    return f"aws/lambda/{settings.uuid}/{shard_id}/{day}/{moment}-{uuid.uuid4()}"


def _batch(settings: MappingSettings, shard_id: str, failure: Failure) -> dict[str, Any]:
    first, last = failure.records[0], failure.records[-1]
    return {
        "shardId": shard_id,
        "startSequenceNumber": first.sequence_number,
        "endSequenceNumber": last.sequence_number,
        "approximateArrivalOfFirstRecord": _iso(first.arrival),
        "approximateArrivalOfLastRecord": _iso(last.arrival),
        "batchSize": len(failure.records),
        "streamArn": settings.stream_arn,
    }


def _iso(seconds: float) -> str:
    at = datetime.fromtimestamp(seconds, UTC)
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"
