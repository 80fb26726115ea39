"""The queues that MozDef reads: as all are, or as the stage says of single ones."""

from __future__ import annotations

from typing import Any

import pytest
from aws_cdk import App, Stack
from aws_cdk.assertions import Template

from infra.application.queues import EventQueues
from settings.deployment import DeploymentError, StageQueue


def queues(names: list[str], **own: StageQueue) -> dict[str, dict[str, Any]]:
    stack = Stack(App(), "Queues")
    EventQueues(stack, "Delivery", prefix="P-ingest-prod", names=names, own=own)
    found = Template.from_stack(stack).find_resources("AWS::SQS::Queue")
    return {one["Properties"]["QueueName"]: one["Properties"] for one in found.values()}


def test_a_stage_gives_a_queue_the_name_and_the_days_that_mozdef_is_set_up_for() -> None:
    """The old framework: <project>-<service>-<stage>, and 14 days."""
    made = queues(
        ["generic", "zoom"], zoom=StageQueue(full_name="MozDef-EF-zoom-prod", retention_days=14)
    )
    days = {name: one["MessageRetentionPeriod"] / 86_400 for name, one in made.items()}
    assert days == {
        "MozDef-EF-zoom-prod": 14,
        "MozDef-EF-zoom-prod-redrive": 14,
        "P-ingest-prod-generic": 7,
        "P-ingest-prod-generic-redrive": 14,
    }
    assert made["MozDef-EF-zoom-prod"]["RedrivePolicy"]["maxReceiveCount"] == 10


@pytest.mark.parametrize(
    ("own", "fault"),
    [
        ({"slack": StageQueue()}, r"queues\.slack: no source has this queue; there are a, b"),
        ({"a": StageQueue(full_name="P-ingest-prod-b")}, "queues a and b: both are P-ingest"),
        ({"a": StageQueue(full_name="x-redrive")}, "ends in -redrive"),
    ],
)
def test_a_queue_that_cannot_be_is_refused_at_synthesis(
    own: dict[str, StageQueue], fault: str
) -> None:
    with pytest.raises(DeploymentError, match=fault):
        queues(["a", "b"], **own)
