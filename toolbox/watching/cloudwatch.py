"""Asks CloudWatch for several series of numbers at once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from settings.deployment_alarms import STEADY
from toolbox.watching.status import WatchError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from toolbox.seams import Measurements

QUERIES_IN_A_CALL = 500
"""CloudWatch API reference, GetMetricData."""

_CREATION = timedelta(minutes=1)
"""An alarm's first state may be written a little after the alarm."""


@dataclass(frozen=True)
class Series:
    """One metric to ask for.

    Parameters
    ----------
    statistic : str
        How each period is summed up.
    """

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...]
    statistic: str = "Sum"

    @classmethod
    def of(
        cls, namespace: str, name: str, dimensions: Mapping[str, str], statistic: str = "Sum"
    ) -> Series:
        """Make one."""
        return cls(namespace, name, tuple(sorted(dimensions.items())), statistic)


Points = list[tuple[float, float]]
"""Time in epoch seconds and value, the newest first."""


class CloudWatch:
    """Reads metrics and alarms."""

    def __init__(self, client: Measurements) -> None:
        self._client = client

    def read(
        self, series: Sequence[Series], *, start: float, end: float, period: int
    ) -> dict[Series, Points]:
        """Return the points of each series; none for one that has no data.

        Parameters
        ----------
        start, end : float
            The span, in epoch seconds.
        period : int
            The seconds of one point.

        Raises
        ------
        WatchError
            When CloudWatch cannot be asked.
        """
        found: dict[Series, Points] = {each: [] for each in series}
        span = {
            "StartTime": datetime.fromtimestamp(start // period * period, UTC),
            "EndTime": datetime.fromtimestamp(end, UTC),
            "ScanBy": "TimestampDescending",
        }
        for first in range(0, len(series), QUERIES_IN_A_CALL):
            some = series[first : first + QUERIES_IN_A_CALL]
            queries = [_query(number, each, period) for number, each in enumerate(some)]
            for result in self._pages(MetricDataQueries=queries, **span):
                points = zip(result["Timestamps"], result["Values"], strict=True)
                found[some[int(result["Id"][1:])]] += [
                    (when.timestamp(), value) for when, value in points
                ]
        # A series that spans pages is in order within each of them.
        return {each: sorted(points, reverse=True) for each, points in found.items()}

    def dimensions(
        self, namespace: str, name: str, fixed: Mapping[str, str]
    ) -> list[dict[str, str]]:
        """Return the dimensions of each metric of a name that has these, of the last two weeks.

        Raises
        ------
        WatchError
            When CloudWatch cannot be asked.
        """
        filters = [{"Name": key, "Value": value} for key, value in fixed.items()]
        try:
            pages = self._client.get_paginator("list_metrics").paginate(
                Namespace=namespace, MetricName=name, Dimensions=filters
            )
            metrics = [metric for page in pages for metric in page["Metrics"]]
        except (BotoCoreError, ClientError) as error:
            raise _cannot(error) from None
        return [{each["Name"]: each["Value"] for each in one["Dimensions"]} for one in metrics]

    def alarms(self, prefix: str) -> tuple[str, ...] | None:
        """Return the alarms that are on, of those whose names begin so; None if there are none.

        One that tells of missing data is on where its data have stopped.

        Raises
        ------
        WatchError
            When CloudWatch cannot be asked.
        """
        try:
            pages = self._client.get_paginator("describe_alarms").paginate(
                AlarmNamePrefix=prefix, AlarmTypes=["MetricAlarm", "CompositeAlarm"]
            )
            alarms = [
                alarm
                for page in pages
                for kind in ("CompositeAlarms", "MetricAlarms")
                for alarm in page.get(kind, [])
            ]
        except (BotoCoreError, ClientError) as error:
            raise _cannot(error) from None
        if not alarms:
            return None
        on = [alarm["AlarmName"] for alarm in alarms if _is_on(alarm)]
        # One that is only a condition of others is on while all is well.
        return tuple(sorted(name.removeprefix(prefix) for name in on if not name.endswith(STEADY)))

    def _pages(self, **request: Any) -> Iterator[dict[str, Any]]:
        try:
            for page in self._client.get_paginator("get_metric_data").paginate(**request):
                yield from page["MetricDataResults"]
        except (BotoCoreError, ClientError) as error:
            raise _cannot(error) from None


def _is_on(alarm: Mapping[str, Any]) -> bool:
    """Tell whether an alarm is on, or has lost its data.

    A new one has none, and is in that state from its creation on: its last change of state, if
    there is one, is that of its settings (CloudWatch API reference, MetricAlarm). Where they were
    changed since, as by a deployment, nothing says whether there were data before. The state stays
    as it was then (CloudWatch API reference, PutMetricAlarm), so it counts as on: an alarm that
    lost its data must not be silent for a deployment.
    """
    if alarm["StateValue"] != "INSUFFICIENT_DATA" or not alarm.get("InsufficientDataActions"):
        return bool(alarm["StateValue"] == "ALARM")
    changed = alarm.get("StateTransitionedTimestamp")
    return bool(changed and abs(changed - alarm["AlarmConfigurationUpdatedTimestamp"]) > _CREATION)


def _query(number: int, series: Series, period: int) -> dict[str, Any]:
    dimensions = [{"Name": name, "Value": value} for name, value in series.dimensions]
    metric = {
        "Namespace": series.namespace,
        "MetricName": series.name,
        "Dimensions": dimensions,
    }
    stat = {"Metric": metric, "Period": period, "Stat": series.statistic}
    return {"Id": f"q{number}", "MetricStat": stat, "ReturnData": True}


def _cannot(error: Exception) -> WatchError:
    return WatchError(f"CloudWatch cannot be asked: {error}")
