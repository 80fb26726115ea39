"""Which of a stack's alarms a status names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from toolbox.watching.cloudwatch import CloudWatch

if TYPE_CHECKING:
    from toolbox.seams import Measurements


class Described:
    """Answers as `DescribeAlarms` does, in one page."""

    def __init__(self, *on: str) -> None:
        self._on = on

    def get_paginator(self, operation: str) -> Described:
        assert operation == "describe_alarms"
        return self

    def paginate(self, **request: Any) -> list[dict[str, Any]]:
        assert set(request["AlarmTypes"]) == {"MetricAlarm", "CompositeAlarm"}
        alarms = [{"AlarmName": name, "StateValue": "ALARM"} for name in self._on]
        return [{"CompositeAlarms": [], "MetricAlarms": alarms}]


def on(*names: str) -> tuple[str, ...] | None:
    return CloudWatch(cast("Measurements", Described(*names))).alarms("stack-")


def test_what_is_on_while_all_is_well_is_not_named() -> None:
    assert on("stack-github-steady") == ()
    assert on("stack-github-steady", "stack-tickets") == ("tickets",)


def test_a_source_may_be_called_so() -> None:
    assert on("stack-steady-all-rejected") == ("steady-all-rejected",)
