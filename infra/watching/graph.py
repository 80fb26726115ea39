"""A graph of a dashboard, and how it becomes CloudWatch's widget."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from infra.watching.watched_metrics import FIVE_MINUTES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Line(Protocol):
    """What a graph can show."""

    def line(self, period: int) -> list[Any]:
        """Return it as a line of a graph."""


@dataclass(frozen=True)
class Graph:
    """Some metrics over time, or a query of a log.

    Parameters
    ----------
    period : int
        The seconds of one value.
    view : str
        `timeSeries`, or `bar` for one value each.
    query, group : str
        In the place of lines: a query of CloudWatch Logs Insights and the log that it reads.
    """

    title: str
    lines: Sequence[Line] = ()
    period: int = FIVE_MINUTES
    view: str = "timeSeries"
    query: str = ""
    group: str = ""

    def widget(self, region: str, groups: Mapping[str, str]) -> dict[str, Any]:
        """Return it in CloudWatch's form.

        Parameters
        ----------
        region : str
            Where the metrics are.
        """
        common = {"title": self.title, "region": region, "view": self.view}
        if self.query:
            text = f"SOURCE '{groups[self.group]}' | {self.query}"
            return {"type": "log", "properties": {**common, "view": "table", "query": text}}
        metrics = [line.line(self.period) for line in self.lines]
        properties = {**common, "metrics": metrics, "period": self.period, "stacked": False}
        if self.view == "bar":
            properties["setPeriodToTimeRange"] = False
        return {"type": "metric", "properties": properties}
