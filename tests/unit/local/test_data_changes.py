"""What of a changed data plane is taken over, and what only a new one could be."""

from __future__ import annotations

import copy
import re
from typing import Any

import pytest

from local.data_changes import DataWouldBeLostError, plan_update

KEPT: dict[str, Any] = {
    "Resources": {
        "Stream": {"Type": "AWS::Kinesis::Stream", "Properties": {"ShardCount": 2}},
        "Queue": {
            "Type": "AWS::SQS::Queue",
            "Properties": {"QueueName": "events", "VisibilityTimeout": 30},
        },
        "Policy": {"Type": "AWS::SQS::QueuePolicy", "DependsOn": ["Queue"]},
        "Tickets": {"Type": "AWS::SNS::Subscription", "Properties": {"Endpoint": "a"}},
        "Bucket": {"Type": "AWS::S3::Bucket", "DependsOn": ["Policy", "Queue"]},
    }
}


def _changed(**resources: Any) -> dict[str, Any]:
    """Return the template with other resources; None leaves one out."""
    merged = {**copy.deepcopy(KEPT["Resources"]), **resources}
    return {"Resources": {name: body for name, body in merged.items() if body is not None}}


def test_the_same_is_no_update() -> None:
    assert plan_update(KEPT, copy.deepcopy(KEPT)) == []


def test_what_is_new_is_added() -> None:
    more = {"Type": "AWS::SQS::Queue"}
    assert plan_update(KEPT, _changed(More=more)) == [_changed(More=more)]


def test_what_holds_data_keeps_its_form_and_nothing_is_made_in_its_place() -> None:
    wanted = _changed(
        Queue={
            "Type": "AWS::SQS::Queue",
            "Properties": {"QueueName": "events", "VisibilityTimeout": 60},
        }
    )
    assert plan_update(KEPT, wanted) == []


def test_what_holds_data_stays_when_the_template_has_it_no_more() -> None:
    (step,) = plan_update(KEPT, _changed(Queue=None, Policy=None, Bucket=None))
    assert set(step["Resources"]) == {"Stream", "Queue", "Tickets", "Bucket"}
    # And does not depend on what is gone.
    assert step["Resources"]["Bucket"]["DependsOn"] == ["Queue"]


def test_a_subscription_is_taken_away_before_another_is_made() -> None:
    other = {"Type": "AWS::SNS::Subscription", "Properties": {"Endpoint": "b"}}
    first, second = plan_update(KEPT, _changed(Tickets=other))
    assert "Tickets" not in first["Resources"]
    assert second["Resources"]["Tickets"] == other


def test_a_bucket_is_changed_by_the_emulator_itself() -> None:
    other = {"Type": "AWS::S3::Bucket", "Properties": {"NotificationConfiguration": {}}}
    (step,) = plan_update(KEPT, _changed(Bucket=other))
    assert step["Resources"]["Bucket"] == other


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"Stream": {"Type": "AWS::Kinesis::Stream", "Properties": {"ShardCount": 4}}},
            "Stream (AWS::Kinesis::Stream): ShardCount is 2, and would be 4",
        ),
        (
            {"Queue": {"Type": "AWS::SQS::Queue"}},
            "Queue (AWS::SQS::Queue): QueueName is events, and would be not set",
        ),
        (
            {"Stream": {"Type": "AWS::SQS::Queue"}},
            "Stream is AWS::Kinesis::Stream, and would be AWS::SQS::Queue",
        ),
    ],
)
def test_what_only_a_new_one_can_be_is_said(change: dict[str, Any], said: str) -> None:
    with pytest.raises(DataWouldBeLostError, match=re.escape(said)) as raised:
        plan_update(KEPT, _changed(**change))
    assert raised.value.changes == (said,)
