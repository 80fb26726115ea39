"""The stream, its event source mapping, the queues, the table and the archive."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from infra.delivery_queues import DeliveryQueues
from pipeline.deployment import Deployment, DeploymentError, FanOut, Stream

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.infra.conftest import Synthesized


def test_mapping_never_loses_a_batch(stack: Synthesized) -> None:
    bucket, _ = stack.one("AWS::S3::Bucket")
    stream, stream_settings = stack.one("AWS::Kinesis::Stream")
    function, _ = stack.one("AWS::Lambda::Function", "FanOut")
    _, mapping = stack.one("AWS::Lambda::EventSourceMapping")
    retention = stream_settings["RetentionPeriodHours"] * 3_600
    assert mapping["MaximumRecordAgeInSeconds"] < retention
    assert 0 <= mapping["MaximumRetryAttempts"] < 100
    del mapping["Tags"]
    assert mapping == {
        "BatchSize": 500,
        "BisectBatchOnFunctionError": True,
        "DestinationConfig": {"OnFailure": {"Destination": {"Fn::GetAtt": [bucket, "Arn"]}}},
        "EventSourceArn": {"Fn::GetAtt": [stream, "Arn"]},
        "FunctionName": {"Ref": function},
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "MaximumBatchingWindowInSeconds": 1,
        "MaximumRecordAgeInSeconds": 518_400,
        "MaximumRetryAttempts": 10,
        "ParallelizationFactor": 1,
        "StartingPosition": "TRIM_HORIZON",
    }


def test_stream_is_encrypted_and_kept(stack: Synthesized) -> None:
    name, stream = stack.one("AWS::Kinesis::Stream")
    assert stream["StreamModeDetails"] == {"StreamMode": "ON_DEMAND"}
    assert stream["MaxRecordSizeInKiB"] == 1_024
    assert stream["StreamEncryption"]["EncryptionType"] == "KMS"
    assert name


def test_settings_of_the_stage_reach_the_stack(
    synthesized: Callable[[Deployment], Synthesized], deployment: Deployment
) -> None:
    other = synthesized(
        deployment.model_copy(
            update={
                "stream": Stream(
                    mode="provisioned", shards=3, retention_hours=24, max_record_kib=4_096
                ),
                "fan_out": FanOut(
                    batch_size=7,
                    batching_window_seconds=0,
                    parallelization_factor=2,
                    memory_mb=512,
                    timeout_seconds=30,
                    retry_attempts=3,
                    reserved_concurrency=9,
                ),
                "sources": ("generic",),
                "region": "eu-west-1",
            }
        )
    )
    _, stream = other.one("AWS::Kinesis::Stream")
    assert (stream["ShardCount"], stream["MaxRecordSizeInKiB"]) == (3, 4_096)
    assert stream["StreamModeDetails"] == {"StreamMode": "PROVISIONED"}
    _, mapping = other.one("AWS::Lambda::EventSourceMapping")
    assert mapping["BatchSize"] == 7
    assert mapping["MaximumBatchingWindowInSeconds"] == 0
    assert mapping["ParallelizationFactor"] == 2
    assert mapping["MaximumRetryAttempts"] == 3
    assert 60 <= mapping["MaximumRecordAgeInSeconds"] < 24 * 3_600
    _, function = other.one("AWS::Lambda::Function", "FanOut")
    assert (function["MemorySize"], function["Timeout"]) == (512, 30)
    assert function["ReservedConcurrentExecutions"] == 9


def test_queues_are_those_of_the_sources(stack: Synthesized) -> None:
    queues = stack.all("AWS::SQS::Queue")
    names = {queue["QueueName"] for queue in queues.values() if "QueueName" in queue}
    delivery = {f"MozDef-EF-ingest-test-{name}" for name in ("generic", "github", "urgent")}
    assert names == delivery | {f"{name}-redrive" for name in delivery}


def test_each_delivery_queue_has_its_own_redrive_queue(stack: Synthesized) -> None:
    queues = stack.all("AWS::SQS::Queue")
    delivery = {name: queue for name, queue in queues.items() if "RedrivePolicy" in queue}
    targets = []
    for name, queue in delivery.items():
        policy = queue["RedrivePolicy"]
        target = policy["deadLetterTargetArn"]["Fn::GetAtt"][0]
        assert policy["maxReceiveCount"] == 10
        assert queues[target]["QueueName"] == f"{queue['QueueName']}-redrive", name
        assert queues[target]["MessageRetentionPeriod"] == 14 * 86_400
        # A message keeps its age when it moves, so it must have time left.
        assert queue["MessageRetentionPeriod"] < queues[target]["MessageRetentionPeriod"]
        targets.append(target)
    assert len(set(targets)) == len(delivery) == 3
    for name, queue in queues.items():
        assert queue["SqsManagedSseEnabled"] is True, name
        assert queue.get("MaximumMessageSize", 1_048_576) == 1_048_576, name


@pytest.mark.parametrize(
    ("name", "said"), [("x" * 40, "SQS takes 80"), ("urgent-redrive", "is kept for the pair")]
)
def test_a_queue_name_that_cannot_be_is_refused(name: str, said: str) -> None:
    from aws_cdk import App, Stack

    with pytest.raises(DeploymentError, match=said):
        DeliveryQueues(Stack(App()), "Delivery", prefix="p" * 33, names=[name])


def test_table_holds_one_item_for_each_event_until_it_expires(stack: Synthesized) -> None:
    _, table = stack.one("AWS::DynamoDB::Table")
    assert table["KeySchema"] == [{"AttributeName": "pk", "KeyType": "HASH"}]
    assert table["AttributeDefinitions"] == [{"AttributeName": "pk", "AttributeType": "S"}]
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expires", "Enabled": True}
    assert table["BillingMode"] == "PAY_PER_REQUEST"
    assert table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] is True


def test_archive_is_private_versioned_and_encrypted(stack: Synthesized) -> None:
    _, bucket = stack.one("AWS::S3::Bucket")
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    assert bucket["BucketEncryption"]
    expiring = {
        rule["Prefix"]: rule["ExpirationInDays"]
        for rule in bucket["LifecycleConfiguration"]["Rules"]
        if "ExpirationInDays" in rule
    }
    assert expiring == {"quarantine/": 30}, "nothing else goes by itself"


def test_tickets_for_what_needs_someone_alone(stack: Synthesized) -> None:
    bucket_id, bucket = stack.one("AWS::S3::Bucket")
    queue, _ = stack.one("AWS::SQS::Queue", "DeadLetters")
    policy, _ = stack.one("AWS::SQS::QueuePolicy", "DeadLetters")
    notified = {}
    for configuration in bucket["NotificationConfiguration"]["QueueConfigurations"]:
        (rule,) = configuration["Filter"]["S3Key"]["Rules"]
        assert configuration["Event"] == "s3:ObjectCreated:*"
        notified[rule["Value"]] = configuration["Queue"]
    arn = {"Fn::GetAtt": [queue, "Arn"]}
    assert notified == {"rejected/": arn, "aws/lambda/": arn}
    assert policy in stack.document["Resources"][bucket_id]["DependsOn"]
    assert stack.all("AWS::SQS::Queue")[queue]["MessageRetentionPeriod"] == 14 * 86_400


def test_what_holds_data_outlives_the_stack(stack: Synthesized) -> None:
    holding = (
        "AWS::DynamoDB::Table",
        "AWS::Kinesis::Stream",
        "AWS::Logs::LogGroup",
        "AWS::S3::Bucket",
        "AWS::SQS::Queue",
    )
    for name, resource in stack.document["Resources"].items():
        if resource["Type"] in holding:
            # Kept on deletion, but not left over from a creation that failed.
            assert resource["DeletionPolicy"] == "RetainExceptOnCreate", name
            assert resource["UpdateReplacePolicy"] == "Retain", name


def test_fan_out_knows_where_everything_is(stack: Synthesized) -> None:
    _, function = stack.one("AWS::Lambda::Function", "FanOut")
    variables = function["Environment"]["Variables"]
    parts = variables["QUEUE_URLS"]["Fn::Join"][1]
    text = "".join(part if isinstance(part, str) else part["Ref"] for part in parts)
    queues = {
        properties["QueueName"].removeprefix("MozDef-EF-ingest-test-"): logical_id
        for logical_id, properties in stack.all("AWS::SQS::Queue").items()
        if "RedrivePolicy" in properties
    }
    assert json.loads(text) == queues
    assert variables["DEDUPE_TABLE"] == {"Ref": stack.one("AWS::DynamoDB::Table")[0]}
    assert variables["ARCHIVE_BUCKET"] == {"Ref": stack.one("AWS::S3::Bucket")[0]}
