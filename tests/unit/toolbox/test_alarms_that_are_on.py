"""Which of a stack's alarms a status names."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, cast

import pytest

from toolbox.watching.cloudwatch import CloudWatch

if TYPE_CHECKING:
    from toolbox.seams import Measurements


class Described:
    """Answers as `DescribeAlarms` does, in one page."""

    def __init__(self, *alarms: dict[str, Any]) -> None:
        self._alarms = alarms

    def get_paginator(self, operation: str) -> Described:
        assert operation == "describe_alarms"
        return self

    def paginate(self, **request: Any) -> list[dict[str, Any]]:
        assert set(request["AlarmTypes"]) == {"MetricAlarm", "CompositeAlarm"}
        return [{"CompositeAlarms": [], "MetricAlarms": list(self._alarms)}]


def on(*names: str) -> tuple[str, ...] | None:
    return named(*({"AlarmName": name, "StateValue": "ALARM"} for name in names))


def named(*alarms: dict[str, Any]) -> tuple[str, ...] | None:
    return CloudWatch(cast("Measurements", Described(*alarms))).alarms("stack-")


def test_what_is_on_while_all_is_well_is_not_named() -> None:
    assert on("stack-github-steady") == ()
    assert on("stack-github-steady", "stack-tickets") == ("tickets",)


def test_a_source_may_be_called_so() -> None:
    assert on("stack-steady-all-rejected") == ("steady-all-rejected",)


@pytest.mark.parametrize(
    ("after", "actions", "expected"),
    [
        (0.0, ["topic"], ()),
        (0.2, ["topic"], ()),
        (7_200.0, ["topic"], ("silent",)),
        (-7_200.0, ["topic"], ("silent",)),
        (None, ["topic"], ()),
        (7_200.0, [], ()),
    ],
    ids=[
        "new",
        "new, as two clocks see it",
        "its data have stopped",
        "they had, and then it was deployed anew",
        "never in another state",
        "tells nobody of it",
    ],
)
def test_an_alarm_without_data_is_on_where_it_had_some(
    after: float | None, actions: list[str], expected: tuple[str, ...]
) -> None:
    made = dt.datetime(2026, 11, 26, tzinfo=dt.UTC)
    alarm: dict[str, Any] = {
        "AlarmName": "stack-silent",
        "StateValue": "INSUFFICIENT_DATA",
        "InsufficientDataActions": actions,
        "AlarmConfigurationUpdatedTimestamp": made,
    }
    if after is not None:
        alarm["StateTransitionedTimestamp"] = made + dt.timedelta(seconds=after)
    assert named(alarm) == expected
