"""A queue that left and comes back: with its name, its messages, and without a second creation.

The emulator's CloudFormation stands for AWS's, which would refuse to create a queue whose name is
in use, and so roll the whole stack back. The emulator creates it all the same, empty: a message
that is still there shows that nobody asked for it.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from aws_cdk import App, BootstraplessSynthesizer, Stack
from aws_cdk.assertions import Template

from infra.application.queues import EventQueues
from local.emulator import Emulator
from settings.deployment import StageQueue

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PREFIX = "P-ingest-prod"
KEPT = StageQueue(keep=True)


class Deployed:
    """A stack that has these queues and nothing else."""

    def __init__(self, emulator: Emulator) -> None:
        self.sqs = emulator.client("sqs")
        self._cloudformation = emulator.client("cloudformation")
        self.deploy = self._cloudformation.create_stack

    def __call__(self, names: list[str], **own: StageQueue) -> None:
        stack = Stack(App(), "Queues", synthesizer=BootstraplessSynthesizer())
        EventQueues(stack, "Delivery", prefix=PREFIX, names=names, own=own)
        body = json.dumps(Template.from_stack(stack).to_json())
        self.deploy(StackName=PREFIX, TemplateBody=body)
        self.deploy = self._cloudformation.update_stack
        end = time.monotonic() + 600
        while (status := self._status()).endswith("IN_PROGRESS") and time.monotonic() < end:
            time.sleep(0.02)
        assert status in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}

    def _status(self) -> str:
        (found,) = self._cloudformation.describe_stacks(StackName=PREFIX)["Stacks"]
        return str(found["StackStatus"])

    def url(self, full_name: str) -> str:
        return str(self.sqs.get_queue_url(QueueName=full_name)["QueueUrl"])

    def says(self, full_name: str) -> list[str]:
        url = self.url(full_name)
        answer: Any = self.sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0, WaitTimeSeconds=0
        )
        return [message["Body"] for message in answer.get("Messages", [])]


@pytest.fixture
def deployed(tmp_path: Path) -> Iterator[Deployed]:
    services = ("cloudformation", "sqs")
    with Emulator(tmp_path / "state", region="us-west-2", services=services) as started:
        yield Deployed(started)


def test_a_source_is_removed_and_added_again_and_its_messages_are_there(deployed: Deployed) -> None:
    deployed(["generic", "zoom"])
    deployed.sqs.send_message(QueueUrl=deployed.url(f"{PREFIX}-zoom"), MessageBody="unread")
    deployed(["generic"], zoom=KEPT)
    assert deployed.says(f"{PREFIX}-zoom") == ["unread"]
    deployed(["generic", "zoom"])
    assert deployed.says(f"{PREFIX}-zoom") == ["unread"]
    # That it may stay kept, so that it can be removed again without a thought, changes nothing.
    deployed(["generic", "zoom"], zoom=KEPT)
    assert deployed.says(f"{PREFIX}-zoom") == ["unread"]


def test_one_that_is_not_kept_would_be_made_anew(deployed: Deployed) -> None:
    """Which AWS refuses; here, what nobody has read is lost. So the other tests can fail."""
    deployed(["generic", "zoom"])
    deployed.sqs.send_message(QueueUrl=deployed.url(f"{PREFIX}-zoom"), MessageBody="unread")
    deployed(["generic"])
    deployed(["generic", "zoom"])
    assert deployed.says(f"{PREFIX}-zoom") == []


def test_a_queue_gets_another_name_and_its_first_one_back(deployed: Deployed) -> None:
    old, new = f"{PREFIX}-zoom", "MozDef-zoom"
    deployed(["zoom"])
    deployed.sqs.send_message(QueueUrl=deployed.url(old), MessageBody="first")
    deployed(["zoom"], zoom=StageQueue(full_name=new), former=StageQueue(full_name=old, keep=True))
    deployed.sqs.send_message(QueueUrl=deployed.url(new), MessageBody="second")
    deployed(["zoom"], former=StageQueue(full_name=new, keep=True))
    assert (deployed.says(old), deployed.says(new)) == (["first"], ["second"])
    # And to a second name of one's own, with the key of the settings that names it now.
    deployed(["zoom"], zoom=StageQueue(full_name=new), former=StageQueue(full_name=old, keep=True))
    assert (deployed.says(old), deployed.says(new)) == (["first"], ["second"])


def test_only_queues_can_stand_in_the_way_of_their_own_creation(everything: Any) -> None:
    """What outlives the stack and has a set name. That of a log group is made of an API's id."""
    stays = {
        resource["Type"]
        for resource in everything.document["Resources"].values()
        if "Retain" in {resource.get("DeletionPolicy"), resource.get("UpdateReplacePolicy")}
        and any(
            key.endswith("Name") and isinstance(value, str | dict)
            for key, value in resource.get("Properties", {}).items()
        )
    }
    assert stays == {"AWS::SQS::Queue", "AWS::Logs::LogGroup"}
