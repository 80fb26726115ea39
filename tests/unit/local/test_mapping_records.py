"""The forms of the event, of the failure record, of its key, and of a checkpoint."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from local.mapping.checkpoints import Checkpoint, CheckpointFile
from local.mapping.decision import Condition, Failure, Pending, decide, expire
from local.mapping.failure_record import failure_key, failure_record, with_payload
from local.mapping.lane import Backoff
from local.mapping.records import StreamRecord, as_event, from_kinesis
from local.mapping.settings import MappingSettings, read_mappings
from local.template import Template, TemplateError
from tests.unit.local.mapping_support import ERROR, Policy, records_of

if TYPE_CHECKING:
    from pathlib import Path

STREAM = "arn:aws:kinesis:us-west-2:000000000000:stream/Stream"
SETTINGS = MappingSettings(
    logical_id="Mapping",
    uuid="11111111-2222-3333-4444-555555555555",
    function="Function",
    function_arn="arn:aws:lambda:us-west-2:000000000000:function:Function",
    stream="Stream",
    stream_arn=STREAM,
    role_arn="arn:aws:iam::000000000000:role/Role",
)
SHARD = "shardId-000000000001"
RECORDS = (
    StreamRecord("495", "a", "/w==", 1573691886.021),
    StreamRecord("1000", "b", "", 1573691887.0),
)


def test_a_record_becomes_the_recorded_event() -> None:
    """Recorded keys: kinesis{…}, eventID, eventName, eventSource, eventSourceARN, and so on."""
    record = from_kinesis(
        {
            "SequenceNumber": "495",
            "PartitionKey": "a",
            "Data": b"\xff",
            "ApproximateArrivalTimestamp": datetime.fromtimestamp(1573691886.021, UTC),
        }
    )

    assert record == RECORDS[0]
    assert as_event([record], SHARD, SETTINGS) == {
        "Records": [
            {
                "kinesis": {
                    "kinesisSchemaVersion": "1.0",
                    "partitionKey": "a",
                    "sequenceNumber": "495",
                    "data": "/w==",
                    "approximateArrivalTimestamp": 1573691886.021,
                },
                "eventSource": "aws:kinesis",
                "eventVersion": "1.0",
                "eventID": "shardId-000000000001:495",
                "eventName": "aws:kinesis:record",
                "invokeIdentityArn": "arn:aws:iam::000000000000:role/Role",
                "awsRegion": "us-west-2",
                "eventSourceARN": STREAM,
            }
        ]
    }


def _record(failure: Failure) -> dict[str, Any]:
    return failure_record(SETTINGS, SHARD, failure, request_id="r-1", now=1573691886.021)


def test_the_failure_record_has_the_recorded_form() -> None:
    """Recorded: what an SQS destination gets after the last retry; nothing of the records."""
    failure = Failure(RECORDS, Condition.RETRIES, 4, "Unhandled")

    assert _record(failure) == {
        "requestContext": {
            "requestId": "r-1",
            "functionArn": SETTINGS.function_arn,
            "condition": "RetryAttemptsExhausted",
            "approximateInvokeCount": 4,
        },
        "responseContext": {
            "statusCode": 200,
            "executedVersion": "$LATEST",
            "functionError": "Unhandled",
        },
        "version": "1.0",
        "timestamp": "2019-11-14T00:38:06.021Z",
        "KinesisBatchInfo": {
            "shardId": SHARD,
            "startSequenceNumber": "495",
            "endSequenceNumber": "1000",
            "approximateArrivalOfFirstRecord": "2019-11-14T00:38:06.021Z",
            "approximateArrivalOfLastRecord": "2019-11-14T00:38:07.000Z",
            "batchSize": 2,
            "streamArn": STREAM,
        },
    }


def test_an_expired_record_has_no_response_context() -> None:
    """Recorded: there is no responseContext with the condition RecordAgeExceeded."""
    document = _record(Failure(RECORDS, Condition.AGE, 1))

    assert document["requestContext"]["condition"] == "RecordAgeExceeded"
    assert "responseContext" not in document


def test_s3_gets_the_event_as_text() -> None:
    """Documented: the payload is the original event "as an escaped JSON string"."""
    failure = Failure(RECORDS, Condition.RETRIES, 1)
    document = with_payload(_record(failure), SETTINGS, SHARD, failure)

    assert json.loads(document["payload"]) == as_event(RECORDS, SHARD, SETTINGS)
    assert {key: document[key] for key in document if key != "payload"} == _record(failure)


def test_the_key_in_s3_has_the_recorded_form() -> None:
    """Recorded: aws/lambda/<mapping>/<shard>/YYYY/MM/DD/YYYY-MM-DDTHH.MM.SS-<uuid>."""
    key = failure_key(SETTINGS, SHARD, 1573691886.021)

    assert re.fullmatch(
        rf"aws/lambda/{SETTINGS.uuid}/{SHARD}/2019/11/14/2019-11-14T00\.38\.06-[0-9a-f-]{{36}}", key
    )


def test_a_checkpoint_is_kept_per_lane(tmp_path: Path) -> None:
    file = CheckpointFile(tmp_path / "sub" / "shard.json")
    assert file.read(2) == Checkpoint(("0", "0"))

    file.write(Checkpoint(("0099", "100")))

    assert file.read(2).lanes == ("0099", "100")
    assert file.read(2).start == "0099"
    # Another number of lanes deals the keys out anew: only what all have settled holds.
    assert file.read(3).lanes == ("0099",) * 3


def test_the_backoff_doubles_up_to_its_limit() -> None:
    backoff = Backoff(first=0.5, longest=10.0)

    waits = [backoff.seconds(failures) for failures in (0, 1, 2, 5, 6, 1000)]

    assert waits == [0.0, 0.5, 1.0, 8.0, 10.0, 10.0]


@pytest.mark.parametrize("age", [0.0, 1.0, 10.0, 28.0])
def test_a_failing_function_is_called_eight_times_while_a_record_grows_a_minute_old(
    age: float,
) -> None:
    """Recorded of AWS, where the record was some seconds old at the first call.

    LocalStack's recordings, test_lambda_integration_kinesis,
    test_kinesis_maximum_record_age_exceeded, expire-while-retrying.
    """
    policy, backoff = Policy(retries=-1, record_age=60.0), Backoff()
    now, todo, failure = 1000.0 + age, Pending(records_of(1)), None
    while True:
        failure, rest = expire(policy, todo, now)
        if rest is None:
            break
        decision = decide(policy, rest, ERROR)
        (todo,) = decision.todo
        now += backoff.seconds(decision.wait)

    assert failure is not None
    assert (failure.invocations, failure.condition) == (8, Condition.AGE)


def _template(**properties: Any) -> Template:
    resources = {
        "Stream": {"Type": "AWS::Kinesis::Stream"},
        "Archive": {"Type": "AWS::S3::Bucket"},
        "Role": {"Type": "AWS::IAM::Role"},
        "Function": {
            "Type": "AWS::Lambda::Function",
            "Properties": {"Runtime": "python3.13", "Role": {"Fn::GetAtt": ["Role", "Arn"]}},
        },
        "Mapping": {
            "Type": "AWS::Lambda::EventSourceMapping",
            "Properties": {
                "EventSourceArn": {"Fn::GetAtt": ["Stream", "Arn"]},
                "FunctionName": {"Ref": "Function"},
                **properties,
            },
        },
    }
    return Template({"Resources": resources}, "Stack", "us-west-2")


def test_the_settings_are_those_of_the_template() -> None:
    template = _template(
        BatchSize=500,
        MaximumBatchingWindowInSeconds=1,
        ParallelizationFactor=2,
        MaximumRetryAttempts=5,
        MaximumRecordAgeInSeconds=3600,
        BisectBatchOnFunctionError=True,
        FunctionResponseTypes=["ReportBatchItemFailures"],
        StartingPosition="LATEST",
        DestinationConfig={"OnFailure": {"Destination": {"Fn::GetAtt": ["Archive", "Arn"]}}},
    )

    (found,) = read_mappings(template)

    assert found == replace(
        SETTINGS,
        uuid=found.uuid,
        batch_size=500,
        window=1.0,
        lanes=2,
        retries=5,
        record_age=3600.0,
        bisect=True,
        partial_responses=True,
        starting_position="LATEST",
        destination="arn:aws:s3:::Archive",
    )
    # The same after a restart: it is part of the keys in the archive.
    assert found.uuid == read_mappings(template)[0].uuid


def test_what_is_not_set_is_as_aws_has_it() -> None:
    """Recorded defaults: retries -1, age -1, one lane, no bisect."""
    (found,) = read_mappings(_template())

    assert found == replace(SETTINGS, uuid=found.uuid)
    assert (found.retries, found.record_age, found.lanes, found.bisect) == (-1, -1, 1, False)


def test_a_disabled_mapping_does_not_run() -> None:
    assert read_mappings(_template(Enabled=False)) == []


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        ({"EventSourceArn": "arn:aws:sqs:us-west-2:0:q"}, "only Kinesis streams"),
        ({"FilterCriteria": {"Filters": []}}, "FilterCriteria is not supported"),
        (
            {"DestinationConfig": {"OnFailure": {"Destination": "arn:aws:sns:us-west-2:0:t"}}},
            "only S3 and SQS",
        ),
        ({"FunctionName": "other"}, "no such function"),
    ],
)
def test_a_mapping_that_cannot_run_here_says_why(properties: dict[str, Any], message: str) -> None:
    with pytest.raises(TemplateError, match=message):
        read_mappings(_template(**properties))
