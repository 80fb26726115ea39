"""`mozdef-ef config check --aws` against what the emulator keeps: stacks, queues and secrets."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from local.emulator import Emulator
from settings.delivery_pipeline import PRODUCTION
from toolbox.preflight.finding import Known
from toolbox.preflight.run import preflight

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

REGION, STACK = "us-west-2", f"MozDef-EF-ingest-{PRODUCTION}"
SERVICES = ("cloudformation", "kinesis", "s3", "sns", "sqs", "ssm", "sts")
SETTINGS = """\
service: ingest
sources: [github, slack, generic]
alarms: {emails: [a@b.example]}
"""


@pytest.fixture
def emulator(tmp_path: Path) -> Iterator[Emulator]:
    with Emulator(tmp_path / "state", region=REGION, services=SERVICES) as started:
        yield started


def deploy(emulator: Emulator, *queues: str) -> None:
    """Deploy a stack that has these queues and the alarms' topic, and nothing else."""
    resources: dict[str, Any] = {
        f"Queue{number}": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": name}}
        for number, name in enumerate(queues)
    }
    topic = {"TopicName": f"{STACK}-alarms"}
    resources["Topic"] = {"Type": "AWS::SNS::Topic", "Properties": topic}
    client = emulator.client("cloudformation")
    client.create_stack(StackName=STACK, TemplateBody=json.dumps({"Resources": resources}))
    end = time.monotonic() + 600
    while client.describe_stacks(StackName=STACK)["Stacks"][0]["StackStatus"] != "CREATE_COMPLETE":
        assert time.monotonic() < end
        time.sleep(0.02)


def test_what_is_there_and_what_is_not_is_found(emulator: Emulator, tmp_path: Path) -> None:
    (tmp_path / f"{PRODUCTION}.yaml").write_text(SETTINGS)

    def found() -> dict[str, list[tuple[Known, str]]]:
        asked = preflight(
            tmp_path, (PRODUCTION,), REGION, lambda service, _: emulator.client(service)
        )
        told: dict[str, list[tuple[Known, str]]] = {}
        for one in asked:
            told.setdefault(one.what, []).append((one.known, one.said))
        return told

    before = found()
    assert before["cdk bootstrap"] == [
        (Known.FAULT, "account and region are not bootstrapped"),
    ]
    assert {known for known, _ in before["secrets"]} == {Known.LATER}
    assert {known for known, _ in before["mails of alarms"]} == {Known.LATER}
    assert [known for known, _ in before["names of queues"]] == [Known.GOOD]
    # Nobody answers for what the emulator does not have here, which is no pass.
    assert {known for known, _ in before["traces"]} == {Known.UNKNOWN}

    ssm, sqs = emulator.client("ssm"), emulator.client("sqs")
    ssm.put_parameter(Name="/cdk-bootstrap/hnb659fds/version", Value="30", Type="String")
    root = "/MozDef-EF"
    for name, kind in (("github", "SecureString"), ("slack", "String")):
        parameter = f"{root}/{name}/{PRODUCTION}/signing_secret"
        ssm.put_parameter(Name=parameter, Value="x", Type=kind)
    sqs.create_queue(QueueName=f"{STACK}-slack")
    deploy(emulator, f"{STACK}-github", f"{STACK}-github-redrive")
    topic = emulator.client("sns").list_topics()["Topics"][0]["TopicArn"]
    emulator.client("sns").subscribe(TopicArn=topic, Protocol="email", Endpoint="a@b.example")
    after = found()
    ((known, said),) = after["cdk bootstrap"]
    assert known is Known.FAULT
    assert "no bucket cdk-hnb659fds-assets-" in said
    assert after["names of queues"] == [
        (Known.FAULT, f"in use outside of the stack: {STACK}-slack")
    ]
    assert sorted(said for _, said in after["secrets"]) == [
        f"{root}/generic/{PRODUCTION}/auth_token is not there",
        f"{root}/slack/{PRODUCTION}/signing_secret is a String, and no SecureString",
    ]
    assert {known for known, _ in after["secrets"]} == {Known.FAULT}
    assert "mails of alarms" in after
