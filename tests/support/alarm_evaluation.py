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
    if "Expression" not in last:
        (only,) = known.values()
        return only
    return _evaluate(last["Expression"], known)


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


def is_on(alarm: Mapping[str, Any], series: Series, hour: int) -> bool:
    """Tell whether an alarm with periods of an hour is on when an hour has ended."""
    breaching = 0
    periods = alarm["EvaluationPeriods"]
    for each in range(hour - periods + 1, hour + 1):
        place = (alarm["AlarmName"], each)
        if place not in series.known:
            series.known[place] = _value(alarm, series, each) if each >= 0 else None
        value = series.known[place]
        if value is None:
            breaching += alarm["TreatMissingData"] == "breaching"
        elif alarm["ComparisonOperator"] == "LessThanThreshold":
            breaching += value < alarm["Threshold"]
        else:
            assert alarm["ComparisonOperator"] == "GreaterThanOrEqualToThreshold"
            breaching += value >= alarm["Threshold"]
    return bool(breaching >= alarm.get("DatapointsToAlarm", periods))


def holds(rule: str, on: Sequence[str]) -> bool:
    """Tell whether a composite alarm's rule holds while these alarms, and no others, are on."""
    text = re.sub(r'ALARM\("([^"]+)"\)', lambda found: str(found[1] in on), rule)
    assert not set(re.findall(r"\w+", text)) - {"True", "False", "AND", "OR"}, text
    return bool(eval(text.replace("AND", "and").replace("OR", "or"), {"__builtins__": {}}))
