"""The template's data plane in the emulator, and the state that outlives a kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from textwrap import dedent
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

import pytest

from pipeline.local.emulator import Emulator
from pipeline.local.processes import ProcessFailedError
from pipeline.local.provision import ProvisionError, create_secrets, provision
from pipeline.local.template import Template

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

REGION = "us-west-2"
DOCUMENT: dict[str, Any] = {
    "Conditions": {"Never": {"Fn::Equals": ["a", "b"]}},
    "Resources": {
        "Key": {"Type": "AWS::KMS::Key"},
        "Role": {"Type": "AWS::IAM::Role"},
        "Stream": {
            "Type": "AWS::Kinesis::Stream",
            "Properties": {
                "ShardCount": 2,
                "StreamEncryption": {"EncryptionType": "KMS", "KeyId": {"Ref": "Key"}},
            },
        },
        "Redrive": {"Type": "AWS::SQS::Queue", "Properties": {"MessageRetentionPeriod": 1209600}},
        "Queue": {
            "Type": "AWS::SQS::Queue",
            "Properties": {
                "QueueName": {"Fn::Join": ["-", [{"Ref": "AWS::StackName"}, "events"]]},
                "RedrivePolicy": {
                    "deadLetterTargetArn": {"Fn::GetAtt": ["Redrive", "Arn"]},
                    "maxReceiveCount": 10,
                },
            },
        },
        "Skipped": {"Type": "AWS::SQS::Queue", "Condition": "Never"},
        "Tickets": {"Type": "AWS::SQS::Queue", "DependsOn": ["Role", "Redrive"]},
        "Table": {
            "Type": "AWS::DynamoDB::Table",
            "Properties": {
                "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
                "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
                "BillingMode": "PAY_PER_REQUEST",
                "TimeToLiveSpecification": {"AttributeName": "expires", "Enabled": True},
            },
        },
        "Bucket": {
            "Type": "AWS::S3::Bucket",
            "Properties": {
                "NotificationConfiguration": {
                    "QueueConfigurations": [
                        {
                            "Event": "s3:ObjectCreated:*",
                            "Queue": {"Fn::GetAtt": ["Tickets", "Arn"]},
                            "Filter": {
                                "S3Key": {"Rules": [{"Name": "prefix", "Value": "rejected/"}]}
                            },
                        }
                    ]
                }
            },
        },
    },
}


def _template() -> Template:
    return Template(DOCUMENT, "MozDef-EF-test", REGION)


@pytest.fixture
def emulator(tmp_path: Path) -> Iterator[Emulator]:
    with Emulator(tmp_path, region=REGION) as started:
        yield started


def test_everything_is_created_as_the_template_says(emulator: Emulator) -> None:
    template = _template()
    provision(template, emulator)

    sqs = emulator.client("sqs")
    queue = template.physical_ids["Queue"]
    assert queue == f"{emulator.endpoint_url}/000000000000/MozDef-EF-test-events"
    attributes = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
    assert attributes["MaximumMessageSize"] == "1048576"
    redrive = json.loads(attributes["RedrivePolicy"])
    assert redrive["maxReceiveCount"] == 10
    assert redrive["deadLetterTargetArn"] == template.resolve({"Fn::GetAtt": ["Redrive", "Arn"]})
    assert "Skipped" not in template.physical_ids

    stream = template.physical_ids["Stream"]
    shards = emulator.client("kinesis").list_shards(StreamName=stream)["Shards"]
    assert len(shards) == 2
    ttl = emulator.client("dynamodb").describe_time_to_live(
        TableName=template.physical_ids["Table"]
    )
    assert ttl["TimeToLiveDescription"]["TimeToLiveStatus"] == "ENABLED"


def test_a_rejected_object_puts_a_ticket_into_the_queue(emulator: Emulator) -> None:
    template = _template()
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
    assert [body["Event"] for body in bodies if "Event" in body] == ["s3:TestEvent"]


def test_a_message_of_one_mebibyte_goes_through(emulator: Emulator) -> None:
    template = _template()
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


def test_the_state_outlives_a_killed_parent(tmp_path: Path) -> None:
    """Everything that was answered is there again, and the emulator itself is gone."""
    script = f"""
        import sys
        from pathlib import Path
        from pipeline.local.emulator import Emulator
        from pipeline.local.provision import provision
        from tests.functional.local.test_provision import _template
        emulator = Emulator(Path({str(tmp_path)!r}), region="us-west-2")
        emulator.start()
        template = _template()
        provision(template, emulator)
        kinesis = emulator.client("kinesis")
        for number in range(50):
            kinesis.put_record(
                StreamName=template.physical_ids["Stream"], Data=b"\\xff%d" % number,
                PartitionKey=str(number))
        emulator.client("s3").put_object(
            Bucket=template.physical_ids["Bucket"], Key="raw/a=b/1.gz", Body=b"\\x00\\xff")
        emulator.client("sqs").send_message(
            QueueUrl=template.physical_ids["Queue"], MessageBody="kept")
        print(emulator.pid, flush=True)
        sys.stdin.read()
    """
    parent = subprocess.Popen(
        [sys.executable, "-c", dedent(script)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None
    with parent, parent.stdout:
        pid = int(parent.stdout.readline())
        parent.send_signal(signal.SIGKILL)
    _wait_until_gone(pid)

    emulator = Emulator(tmp_path, region=REGION)
    assert emulator.discard_incomplete_state()
    with emulator:
        template = _template()
        provision(template, emulator)
        stream = template.physical_ids["Stream"]
        assert len(_records(emulator, stream)) == 50
        found = emulator.client("s3").get_object(
            Bucket=template.physical_ids["Bucket"], Key="raw/a=b/1.gz"
        )
        assert found["Body"].read() == b"\x00\xff"
        queue = template.physical_ids["Queue"]
        assert queue.startswith(emulator.endpoint_url)
        received = emulator.client("sqs").receive_message(QueueUrl=queue)["Messages"]
        assert [message["Body"] for message in received] == ["kept"]


def test_a_state_that_was_not_written_to_its_end_is_not_used(tmp_path: Path) -> None:
    emulator = Emulator(tmp_path, region=REGION)
    emulator.start()
    os.kill(emulator.pid, signal.SIGKILL)
    time.sleep(0.2)
    with pytest.raises(ProcessFailedError, match=r"ended with status -9; see .*emulator\.log"):
        emulator.check()
    emulator.stop()
    (tmp_path / "emulator").mkdir(exist_ok=True)
    (tmp_path / "emulator" / "kinesis.json").write_text("{}")

    assert not Emulator(tmp_path, region=REGION).discard_incomplete_state()
    assert not (tmp_path / "emulator").exists()


def _records(emulator: Emulator, stream: str) -> list[bytes]:
    kinesis = emulator.client("kinesis")
    found: list[bytes] = []
    for shard in kinesis.list_shards(StreamName=stream)["Shards"]:
        iterator = kinesis.get_shard_iterator(
            StreamName=stream, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        records = kinesis.get_records(ShardIterator=iterator)["Records"]
        found += [record["Data"] for record in records]
    return found


def _wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.02)
    pytest.fail("the emulator outlived its parent")
