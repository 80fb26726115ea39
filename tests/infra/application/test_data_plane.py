"""The stream, its event source mappings, the queues and the table."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from pydantic import ValidationError

from infra.application.queues import EventQueues
from loadtests.simulation.stack import SimulatedConsumer, TableCapacity, read_stack
from local.iam.actions import IamPlace
from local.iam.keys import keys_of
from local.iam.standing import standing_calls
from local.mapping.settings import read_mappings
from local.template import Template
from settings.deployment import (
    DeploymentError,
)
from settings.deployment_table import TableSettings
from tests.infra.application.test_archive import expiry
from tests.infra.application.test_archive_tables import table_parameters

if TYPE_CHECKING:
    from tests.infra.conftest import Synthesized


@pytest.mark.parametrize(
    ("consumer", "batch_size", "window", "retries"),
    [("FanOut", 500, 1, 10), ("Archiver", 10_000, 60, 60)],
)
def test_mapping_never_loses_a_batch(
    stack: Synthesized, consumer: str, batch_size: int, window: int, retries: int
) -> None:
    bucket, _ = stack.one("AWS::S3::Bucket")
    stream, stream_settings = stack.one("AWS::Kinesis::Stream")
    function, _ = stack.one("AWS::Lambda::Function", consumer)
    _, found = stack.one("AWS::Lambda::EventSourceMapping", consumer)
    mapping = {name: value for name, value in found.items() if name != "Tags"}
    retention = stream_settings["RetentionPeriodHours"] * 3_600
    assert mapping["MaximumRecordAgeInSeconds"] < retention
    assert 0 <= mapping["MaximumRetryAttempts"] < 100
    assert mapping == {
        "BatchSize": batch_size,
        "BisectBatchOnFunctionError": True,
        "DestinationConfig": {"OnFailure": {"Destination": {"Fn::GetAtt": [bucket, "Arn"]}}},
        "EventSourceArn": {"Fn::GetAtt": [stream, "Arn"]},
        "FunctionName": {"Ref": function},
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "MaximumBatchingWindowInSeconds": window,
        "MaximumRecordAgeInSeconds": 518_400,
        "MaximumRetryAttempts": retries,
        "ParallelizationFactor": 1,
        "StartingPosition": "TRIM_HORIZON",
    }


def test_stream_is_encrypted_and_kept(stack: Synthesized) -> None:
    name, stream = stack.one("AWS::Kinesis::Stream")
    assert stream["StreamModeDetails"] == {"StreamMode": "ON_DEMAND"}
    assert stream["MaxRecordSizeInKiB"] == 1_024
    assert stream["StreamEncryption"]["EncryptionType"] == "KMS"
    assert name


def test_settings_of_the_stage_reach_the_stack(other: Synthesized) -> None:
    _, stream = other.one("AWS::Kinesis::Stream")
    assert (stream["ShardCount"], stream["MaxRecordSizeInKiB"]) == (3, 4_096)
    assert stream["StreamModeDetails"] == {"StreamMode": "PROVISIONED"}
    _, worker = other.one("AWS::Lambda::Function", "ReplayWorker")
    assert worker["Environment"]["Variables"]["MAX_RECORD_KIB"] == "4096"
    _, mapping = other.one("AWS::Lambda::EventSourceMapping", "FanOut")
    assert mapping["BatchSize"] == 7
    assert mapping["MaximumBatchingWindowInSeconds"] == 0
    assert mapping["ParallelizationFactor"] == 2
    assert mapping["MaximumRetryAttempts"] == 3
    assert 60 <= mapping["MaximumRecordAgeInSeconds"] < 24 * 3_600
    _, function = other.one("AWS::Lambda::Function", "FanOut")
    assert (function["MemorySize"], function["Timeout"]) == (512, 30)
    assert function["ReservedConcurrentExecutions"] == 9


def test_fan_out_alone_has_a_consumer_of_its_own_where_it_is_pushed(other: Synthesized) -> None:
    """Lambda maps the consumer and not the stream; the role may subscribe to that consumer."""
    reader, consumer = other.one("AWS::Kinesis::StreamConsumer")
    stream, _ = other.one("AWS::Kinesis::Stream")
    arn = {"Fn::GetAtt": [reader, "ConsumerARN"]}
    assert consumer["StreamARN"] == {"Fn::GetAtt": [stream, "Arn"]}
    sources = {
        name: mapping["EventSourceArn"]
        for name, mapping in other.all("AWS::Lambda::EventSourceMapping").items()
    }
    assert sorted(map(str, sources.values())) == sorted(
        map(str, (arn, {"Fn::GetAtt": [stream, "Arn"]}))
    )
    allowed = [
        (statement["Action"], statement["Resource"])
        for role in other.all("AWS::IAM::Role").values()
        for policy in role.get("Policies", [])
        for statement in policy["PolicyDocument"]["Statement"]
        if "SubscribeToShard" in str(statement["Action"])
    ]
    assert allowed == [(["kinesis:DescribeStreamConsumer", "kinesis:SubscribeToShard"], arn)]


def test_laptop_reads_the_stream_of_a_consumer_and_asks_what_lambda_asks(
    other: Synthesized,
) -> None:
    template = Template.read(other.template, stack_name="other", region="eu-west-1")
    consumers = {each.logical_id: each for each in read_mappings(template)}
    (fan_out,) = (each for name, each in consumers.items() if name.startswith("FanOut"))
    (archiver,) = (each for name, each in consumers.items() if name.startswith("Archiver"))
    assert archiver.consumer_arn == ""
    assert fan_out.consumer_arn == f"{archiver.stream_arn}/consumer/FanOut:0"
    assert (fan_out.stream, fan_out.stream_arn) == (archiver.stream, archiver.stream_arn)
    place = IamPlace(template.region, template.account)
    calls = standing_calls(template, place, keys_of(template))
    asked = {(call.action, call.resource) for call in calls if call.principal == fan_out.role_arn}
    assert ("kinesis:SubscribeToShard", fan_out.consumer_arn) in asked
    assert ("kinesis:GetRecords", fan_out.stream_arn) in asked
    actions = {call.action for call in calls if call.principal == archiver.role_arn}
    assert "kinesis:SubscribeToShard" not in actions


def test_simulation_reads_the_settings_of_the_stage(other: Synthesized, stack: Synthesized) -> None:
    found = read_stack(Template.read(other.template, stack_name="other", region="eu-west-1"))
    assert found.shards == 3
    fan_out = SimulatedConsumer("fan_out", 7, 0.0, 2, 3, 512, 30.0, pushed=True, reserved=9)
    archiver = SimulatedConsumer("archiver", 70, 5.0, 1, 2, 256, 60.0)
    assert (found.consumer("fan_out"), found.consumer("archiver")) == (fan_out, archiver)
    assert found.table == TableCapacity(1_400, 1_400, 8_000, 8_000, 0.6)
    assert (found.requests, found.burst) == (5_000, 2_500)
    usual = read_stack(Template.read(stack.template, stack_name="usual", region="us-west-2"))
    assert (usual.shards, usual.table) == (None, TableCapacity())


def test_settings_of_the_archive_reach_the_stack(other: Synthesized) -> None:
    _, mapping = other.one("AWS::Lambda::EventSourceMapping", "Archiver")
    assert (mapping["BatchSize"], mapping["MaximumBatchingWindowInSeconds"]) == (70, 5)
    assert mapping["MaximumRetryAttempts"] == 2
    assert 60 <= mapping["MaximumRecordAgeInSeconds"] < 24 * 3_600
    _, function = other.one("AWS::Lambda::Function", "Archiver")
    assert (function["MemorySize"], function["Timeout"]) == (256, 60)
    expired = expiry(other)
    assert (expired["raw/"], expired["ledger/"], expired["quarantine/"]) == (90, 90, 7)
    assert "Transitions" not in json.dumps(other.one("AWS::S3::Bucket")[1])
    tables = table_parameters(other)
    assert tables["raw"]["projection.source.values"] == "_unknown,generic,github,okta,splunk,zoom"
    assert tables["ledger"]["projection.dt.range"] == "NOW-91DAYS,NOW+1DAYS"


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
        assert queue["KmsMasterKeyId"], name
        assert queue.get("MaximumMessageSize", 1_048_576) == 1_048_576, name


@pytest.mark.parametrize(
    ("name", "said"), [("x" * 40, "SQS takes 80"), ("urgent-redrive", "is kept for the pair")]
)
def test_a_queue_name_that_cannot_be_is_refused(name: str, said: str) -> None:
    from aws_cdk import App, Stack

    with pytest.raises(DeploymentError, match=said):
        EventQueues(Stack(App()), "Delivery", prefix="p" * 33, names=[name])


def test_table_holds_one_item_for_each_event_until_it_expires(stack: Synthesized) -> None:
    _, table = stack.one("AWS::DynamoDB::Table")
    assert table["KeySchema"] == [{"AttributeName": "pk", "KeyType": "HASH"}]
    assert table["AttributeDefinitions"] == [{"AttributeName": "pk", "AttributeType": "S"}]
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expires", "Enabled": True}
    assert table["BillingMode"] == "PAY_PER_REQUEST"
    assert table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] is True


def test_a_table_of_provisioned_capacity_follows_the_load(other: Synthesized) -> None:
    name, table = other.one("AWS::DynamoDB::Table")
    assert table.get("BillingMode", "PROVISIONED") == "PROVISIONED"
    assert table["ProvisionedThroughput"] == {
        "ReadCapacityUnits": 1_400,
        "WriteCapacityUnits": 1_400,
    }
    followed = {}
    targets = other.all("AWS::ApplicationAutoScaling::ScalableTarget")
    for policy in other.all("AWS::ApplicationAutoScaling::ScalingPolicy").values():
        target = targets[policy["ScalingTargetId"]["Ref"]]
        assert (target["MinCapacity"], target["MaxCapacity"]) == (1_400, 8_000)
        assert target["ResourceId"] == {"Fn::Join": ["", ["table/", {"Ref": name}]]}
        assert policy["PolicyType"] == "TargetTrackingScaling"
        tracked = policy["TargetTrackingScalingPolicyConfiguration"]
        assert tracked["TargetValue"] == 60
        metric = tracked["PredefinedMetricSpecification"]["PredefinedMetricType"]
        followed[target["ScalableDimension"]] = metric
    # Application Auto Scaling API reference: the dimensions of a table, and the metric of each.
    assert followed == {
        "dynamodb:table:ReadCapacityUnits": "DynamoDBReadCapacityUtilization",
        "dynamodb:table:WriteCapacityUnits": "DynamoDBWriteCapacityUtilization",
    }


def test_a_table_on_demand_has_nothing_that_follows(stack: Synthesized) -> None:
    assert not stack.all("AWS::ApplicationAutoScaling::ScalableTarget")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"mode": "provisioned"}, "needs 'least_units' and 'most_units'"),
        ({"mode": "provisioned", "least_units": 5}, "needs 'least_units' and 'most_units'"),
        ({"mode": "provisioned", "least_units": 5, "most_units": 4}, "not below"),
        ({"least_units": 5}, "are for 'mode: provisioned'"),
        ({"target_percent": 91}, "less than or equal to 90"),
    ],
)
def test_a_capacity_that_cannot_be_is_refused(settings: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        TableSettings.model_validate(settings)


def test_a_receive_waits_for_a_message(stack: Synthesized, other: Synthesized) -> None:
    """MozDef names no time of its own, and asks ten times a second: each empty answer is billed."""
    for found, seconds in ((stack, 20), (other, 0)):
        waits = {
            queue["QueueName"]: queue.get("ReceiveMessageWaitTimeSeconds", 0)
            for queue in found.all("AWS::SQS::Queue").values()
            if "RedrivePolicy" in queue
        }
        assert set(waits.values()) == {seconds}


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
