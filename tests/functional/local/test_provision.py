"""The template's data plane in the emulator."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

import pytest

from local.emulator import Emulator
from local.provision import ProvisionError, create_secrets, provision
from local.template import Template
from tests.functional.local.data_plane_template import DOCUMENT, small_data_plane

if TYPE_CHECKING:
    from collections.abc import Iterator

REGION = "us-west-2"


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """One for all tests: each creates a stack of its own."""
    with Emulator(tmp_path_factory.mktemp("emulator"), region=REGION) as started:
        yield started


def test_everything_is_created_as_the_template_says(emulator: Emulator) -> None:
    template = small_data_plane()
    provision(template, emulator)

    sqs = emulator.client("sqs")
    queue = template.physical_ids["Queue"]
    assert queue == f"{emulator.endpoint_url}/000000000000/MozDef-EF-test-events"
    attributes = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
    assert attributes["MaximumMessageSize"] == "1048576"
    assert attributes["ReceiveMessageWaitTimeSeconds"] == "20"
    redrive = json.loads(attributes["RedrivePolicy"])
    assert redrive["maxReceiveCount"] == 10
    assert redrive["deadLetterTargetArn"] == template.resolve({"Fn::GetAtt": ["Redrive", "Arn"]})

    stream = template.physical_ids["Stream"]
    shards = emulator.client("kinesis").list_shards(StreamName=stream)["Shards"]
    assert len(shards) == 2
    paced = emulator.client("dynamodb").describe_table(TableName=template.physical_ids["Paced"])
    capacity = paced["Table"]["ProvisionedThroughput"]
    assert (capacity["ReadCapacityUnits"], capacity["WriteCapacityUnits"]) == (7, 7)
    ttl = emulator.client("dynamodb").describe_time_to_live(
        TableName=template.physical_ids["Table"]
    )
    assert ttl["TimeToLiveDescription"]["TimeToLiveStatus"] == "ENABLED"


def test_a_rejected_object_puts_a_ticket_into_the_queue(emulator: Emulator) -> None:
    template = small_data_plane("MozDef-EF-tickets")
    provision(template, emulator)
    s3 = emulator.client("s3")
    bucket = template.physical_ids["Bucket"]
    for key in ("rejected/source=a/1.gz", "raw/1.gz"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")

    received = emulator.client("sqs").receive_message(
        QueueUrl=template.physical_ids["Tickets"], MaxNumberOfMessages=10
    )["Messages"]

    bodies = [json.loads(message["Body"]) for message in received]
    # S3 gives the key URL-encoded, the emulator as it is.
    keys = [
        unquote_plus(entry["s3"]["object"]["key"])
        for body in bodies
        for entry in body.get("Records", [])
    ]
    assert keys == ["rejected/source=a/1.gz"]
    # S3 sends its test event when notifications are set up, and nobody would ever take it.
    assert len(bodies) == 1


def test_a_message_of_one_mebibyte_goes_through(emulator: Emulator) -> None:
    template = small_data_plane("MozDef-EF-large")
    provision(template, emulator)

    sent = emulator.client("sqs").send_message_batch(
        QueueUrl=template.physical_ids["Queue"],
        Entries=[{"Id": "1", "MessageBody": "x" * 1_048_576}],
    )

    assert [entry["Id"] for entry in sent["Successful"]] == ["1"]


def test_secrets_are_created_once(emulator: Emulator) -> None:
    ssm = emulator.client("ssm")
    sources = {
        "github": {"parameter": "/MozDef-EF/github/dev/signing_secret"},
        "generic": {"parameter": "/MozDef-EF/generic/dev/auth_token"},
    }

    first = create_secrets(sources, ssm)
    again = create_secrets(sources, ssm)

    assert first == again
    assert len(first["github"]["signing_secret"]) >= 32
    assert first["github"]["signing_secret"] != first["generic"]["auth_token"]
    found = ssm.get_parameter(Name="/MozDef-EF/generic/dev/auth_token")["Parameter"]
    assert found["Type"] == "SecureString"


def test_a_template_that_the_emulator_refuses_says_why(emulator: Emulator) -> None:
    broken = {"Ref": "AWS::NoValue", "Fn::GetAtt": []}
    document = {"Resources": {"A": {"Type": "AWS::SSM::Parameter", "Properties": broken}}}

    with pytest.raises(ProvisionError, match="the emulator cannot create the stack"):
        provision(Template(document, "Stack", REGION), emulator)


def _with(stack: str, **resources: dict[str, Any] | None) -> Template:
    """Return the small data plane with other resources; None leaves one out."""
    merged = {**DOCUMENT["Resources"], **resources}
    kept = {name: body for name, body in merged.items() if body is not None}
    return Template({"Resources": kept}, stack, REGION)


def test_a_changed_template_keeps_what_is_there(emulator: Emulator) -> None:
    stack = "MozDef-EF-changed"
    template = small_data_plane(stack)
    assert not provision(template, emulator)
    sqs, queue = emulator.client("sqs"), template.physical_ids["Queue"]
    stream = template.physical_ids["Stream"]
    sqs.send_message(QueueUrl=queue, MessageBody="kept")
    kinesis = emulator.client("kinesis")
    put = kinesis.put_record(StreamName=stream, Data=b"kept", PartitionKey="k")
    emulator.client("s3").put_object(
        Bucket=template.physical_ids["Bucket"], Key="raw/1.gz", Body=b"kept"
    )
    before = DOCUMENT["Resources"]["Queue"]["Properties"]
    policy = {**before["RedrivePolicy"], "maxReceiveCount": 3}
    slower = {**before, "VisibilityTimeout": 77, "RedrivePolicy": policy}
    changed = _with(
        stack,
        Queue={"Type": "AWS::SQS::Queue", "Properties": slower},
        Paced=None,
        More={"Type": "AWS::SQS::Queue"},
    )

    assert provision(changed, emulator)

    assert changed.physical_ids["Queue"] == queue
    attributes = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
    assert attributes["VisibilityTimeout"] == "77"
    assert json.loads(attributes["RedrivePolicy"])["maxReceiveCount"] == 3
    assert sqs.receive_message(QueueUrl=queue)["Messages"][0]["Body"] == "kept"
    sqs.send_message(QueueUrl=changed.physical_ids["More"], MessageBody="new")
    iterator = kinesis.get_shard_iterator(
        StreamName=stream, ShardId=put["ShardId"], ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    assert [one["Data"] for one in kinesis.get_records(ShardIterator=iterator)["Records"]] == [
        b"kept"
    ]
    # What the template has no more is there still, and is found again.
    assert provision(small_data_plane(stack), emulator)
    again = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
    assert (again["VisibilityTimeout"], json.loads(again["RedrivePolicy"])["maxReceiveCount"]) == (
        "30",
        10,
    )
    found = emulator.client("s3").get_object(Bucket=template.physical_ids["Bucket"], Key="raw/1.gz")
    assert found["Body"].read() == b"kept"


def test_a_changed_subscription_takes_the_place_of_the_former(emulator: Emulator) -> None:
    stack = "MozDef-EF-subscribed"
    template = small_data_plane(stack)
    provision(template, emulator)
    before = DOCUMENT["Resources"]["Subscription"]
    wrapped = {**before["Properties"], "RawMessageDelivery": False}

    provision(_with(stack, Subscription={**before, "Properties": wrapped}), emulator)

    emulator.client("s3").put_object(
        Bucket=template.physical_ids["Bucket"], Key="rejected/1.gz", Body=b"x"
    )
    received = emulator.client("sqs").receive_message(
        QueueUrl=template.physical_ids["Tickets"], MaxNumberOfMessages=10
    )["Messages"]
    assert ["TopicArn" in json.loads(message["Body"]) for message in received] == [True]
