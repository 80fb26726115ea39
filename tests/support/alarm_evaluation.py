"""What CloudWatch makes of a template's alarms over made-up series.

Written from the CloudWatch User Guide ("Using metric math", "Evaluating an alarm", "Create a
composite alarm"), without the code that makes the alarms. It knows what these use: arithmetic,
comparisons, `IF` and `FILL` with a number, M out of N values, and rules of `ALARM`, `AND` and `OR`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Place = tuple[str, frozenset[tuple[str, str]]]
"""A metric: its name, and its dimensions."""

_NAME = re.compile(r"[a-z][a-z0-9_]*")


@dataclass
class Series:
    """Sums by hour, of each metric; a value that is not there is missing, and no zero."""

    hours: int
    values: dict[Place, dict[int, float]]
    #: What was evaluated before, by alarm and hour: windows of a week overlap.
    known: dict[tuple[str, int], float | None] = field(default_factory=dict)

    def at(self, place: Place, hour: int) -> float | None:
        return self.values.get(place, {}).get(hour)


class _MissingError(Exception):
    """A value of the expression is missing, and so is its own."""


def _value(alarm: Mapping[str, Any], series: Series, hour: int) -> float | None:
    """Return the alarm's value of an hour."""
    *metrics, last = alarm["Metrics"]
    known: dict[str, float | None] = {}
    for query in metrics if "Expression" in last else alarm["Metrics"]:
        stat = query["MetricStat"]
        assert (stat["Stat"], stat["Period"]) == ("Sum", 3_600)
        dimensions = {each["Name"]: each["Value"] for each in stat["Metric"]["Dimensions"]}
        place = (stat["Metric"]["MetricName"], frozenset(dimensions.items()))
        known[query["Id"]] = series.at(place, hour)
    return value_of(alarm, known)


def value_of(alarm: Mapping[str, Any], known: Mapping[str, float | None]) -> float | None:
    """Return an alarm's value, of those of its metrics by their ids; None where it has none."""
    last = alarm["Metrics"][-1]
    if "Expression" not in last:
        (only,) = known.values()
        return only
    return _evaluate(last["Expression"], known)


def breaches(alarm: Mapping[str, Any], value: float) -> bool:
    """Tell whether a value is beyond the threshold."""
    if alarm["ComparisonOperator"] == "LessThanThreshold":
        return bool(value < alarm["Threshold"])
    assert alarm["ComparisonOperator"] == "GreaterThanOrEqualToThreshold"
    return bool(value >= alarm["Threshold"])


def _evaluate(expression: str, known: Mapping[str, float | None]) -> float | None:
    # CloudWatch takes ids that begin with a lower-case letter; what else it knows are functions.
    filled = re.sub(
        r"FILL\((\w+), (\d+)\)",
        lambda found: str(found[2] if known[found[1]] is None else known[found[1]]),
        expression,
    )

    def number(found: re.Match[str]) -> str:
        value = known[found[0]]
        if value is None:
            raise _MissingError
        return str(value)

    try:
        text = _NAME.sub(number, filled)
    except _MissingError:
        return None
    functions = {"IF": lambda test, yes, no: yes if test else no, "__builtins__": {}}
    return float(eval(text, functions))


def state_of(alarm: Mapping[str, Any], series: Series, hour: int) -> str:
    """Return the state of an alarm with periods of an hour when an hour has ended.

    Where missing data is missing, what there is decides, and without any there is no state.
    """
    values = []
    periods = alarm["EvaluationPeriods"]
    for each in range(hour - periods + 1, hour + 1):
        place = (alarm["AlarmName"], each)
        if place not in series.known:
            series.known[place] = _value(alarm, series, each) if each >= 0 else None
        values.append(series.known[place])
    found = [breaches(alarm, value) for value in values if value is not None]
    if alarm["TreatMissingData"] == "missing":
        assert "DatapointsToAlarm" not in alarm
        return "INSUFFICIENT_DATA" if not found else "ALARM" if all(found) else "OK"
    assert alarm["TreatMissingData"] == "notBreaching"
    return "ALARM" if sum(found) >= alarm.get("DatapointsToAlarm", periods) else "OK"


def is_on(alarm: Mapping[str, Any], series: Series, hour: int) -> bool:
    """Tell whether an alarm with periods of an hour is on when an hour has ended."""
    return state_of(alarm, series, hour) == "ALARM"


def holds(rule: str, on: Sequence[str], without_data: Sequence[str] = ()) -> bool:
    """Tell whether a composite alarm's rule holds while these alarms, and no others, are on."""
    text = re.sub(
        r'INSUFFICIENT_DATA\("([^"]+)"\)', lambda found: str(found[1] in without_data), rule
    )
    text = re.sub(r'ALARM\("([^"]+)"\)', lambda found: str(found[1] in on), text)
    assert not set(re.findall(r"\w+", text)) - {"True", "False", "AND", "OR"}, text
    return bool(eval(text.replace("AND", "and").replace("OR", "or"), {"__builtins__": {}}))
