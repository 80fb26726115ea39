"""An alarm as this project describes it, and how it becomes CloudWatch's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from infra.watching.watched_metrics import FIVE_MINUTES
from settings.deployment import DeploymentError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.watching.watched_metrics import Metric

LONGEST_SECONDS, LONGEST_SECONDS_OF_SHORT_PERIODS = 604_800, 86_400
"""CloudWatch API reference, PutMetricAlarm, Period: the second is for periods below an hour."""

METRICS_IN_AN_ALARM = 10
"""CloudWatch User Guide, metric math: the metrics that one alarm's expression can use."""

_SHORT = 3_600
_NAME_LIMIT = 255


@dataclass(frozen=True)
class Alarm:
    """A condition that someone must know of.

    Parameters
    ----------
    name : str
        What follows the stack's name and a hyphen.
    meaning : str
        One sentence; it is in the message that is sent.
    metrics : Mapping[str, Metric]
        By the names that the expression gives them.
    threshold : float
        The value, or more, that is too much; with `below`, less than which is too little.
    expression : str
        Metric math; left out where there is one metric, which is then taken as it is.
    period, periods : int
        The seconds of one value, and how many values in a row must be beyond the threshold.
    silence_is_bad : bool
        Whether no data at all is as bad as a bad value. Counters of AWS are absent when all is
        well, and so this is for what must come regularly. The alarm is then INSUFFICIENT_DATA, and
        tells that as well. A new alarm is in this state from its creation on and tells only of a
        change (CloudWatch User Guide, alarm actions), so a new stack is silent until its first
        data have come, and stopped.
    datapoints : int, optional
        How many of these values need to be beyond the threshold, in any order; None for all.
    risks_events : bool
        Whether an event may be lost or forgotten if nothing is done.
    only_with, only_with_silence : tuple[str, ...]
        Alarms of which one has to be on for this one to risk events: by itself, it is something
        that a stranger can cause. The latter count without data, too.
    tells : bool
        Whether anybody is told. What is only part of another's condition tells nobody.
    """

    name: str
    meaning: str
    metrics: Mapping[str, Metric]
    threshold: float
    expression: str = ""
    period: int = FIVE_MINUTES
    periods: int = 1
    silence_is_bad: bool = False
    below: bool = False
    datapoints: int | None = None
    risks_events: bool = False
    only_with: tuple[str, ...] = ()
    only_with_silence: tuple[str, ...] = ()
    tells: bool = True

    def properties(self, stack: str) -> dict[str, Any]:
        """Return the properties of `CfnAlarm`, but for its actions.

        Raises
        ------
        DeploymentError
            When it is more than CloudWatch evaluates, or its name is too long.
        """
        self._check(stack)
        queries = [metric.query(name, self.period) for name, metric in self.metrics.items()]
        if self.expression:
            queries.append({"id": "value", "expression": self.expression, "label": self.name})
        queries[-1]["returnData"] = True
        side = "LessThanThreshold" if self.below else "GreaterThanOrEqualToThreshold"
        return {
            "alarm_name": f"{stack}-{self.name}",
            "alarm_description": f"{self.meaning} What to do: docs/operating.md, alarms.",
            "metrics": queries,
            "threshold": self.threshold,
            "comparison_operator": side,
            "evaluation_periods": self.periods,
            "datapoints_to_alarm": self.datapoints,
            "treat_missing_data": "missing" if self.silence_is_bad else "notBreaching",
        }

    def rule(self, stack: str) -> str:
        """Return when it risks events, as a part of a composite alarm's rule."""
        own = f'ALARM("{stack}-{self.name}")'
        silent = self.only_with_silence
        conditions = [f'ALARM("{stack}-{each}")' for each in (*self.only_with, *silent)]
        conditions += [f'INSUFFICIENT_DATA("{stack}-{each}")' for each in silent]
        return f"({own} AND ({' OR '.join(conditions)}))" if conditions else own

    def _check(self, stack: str) -> None:
        longest = LONGEST_SECONDS_OF_SHORT_PERIODS if self.period < _SHORT else LONGEST_SECONDS
        if self.period * self.periods > longest:
            raise DeploymentError(
                f"alarm {self.name}: CloudWatch looks back {longest} s at most, "
                f"not {self.period * self.periods} s"
            )
        if len(self.metrics) > METRICS_IN_AN_ALARM:
            raise DeploymentError(
                f"alarm {self.name}: {len(self.metrics)} metrics, and CloudWatch takes "
                f"{METRICS_IN_AN_ALARM}"
            )
        if len(f"{stack}-{self.name}") > _NAME_LIMIT:
            raise DeploymentError(
                f"alarm {stack}-{self.name}: longer than {_NAME_LIMIT} characters"
            )
