"""The metrics that alarms and dashboards name, each defined here once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from settings.deployment import Deployment

MINUTE, FIVE_MINUTES, HOUR, DAY = 60, 300, 3_600, 86_400
DENIED, THROTTLED = "DeniedRequests", "ThrottledRequests"
"""Metrics that filters make of the access log."""


@dataclass(frozen=True)
class Metric:
    """One series of numbers in CloudWatch.

    Parameters
    ----------
    dimensions : Mapping[str, str]
        All of them: a metric with one dimension more is another metric.
    statistic : str
        `Sum`, `Maximum`, `p99` and so on.
    """

    namespace: str
    name: str
    dimensions: Mapping[str, str]
    statistic: str = "Sum"
    label: str = ""

    def called(self, label: str) -> Metric:
        """Return the same under another label."""
        return replace(self, label=label)

    def query(self, query_id: str, period: int) -> dict[str, Any]:
        """Return it as a part of an alarm's metric math."""
        return {
            "id": query_id,
            "returnData": False,
            "metricStat": {
                "metric": {
                    "namespace": self.namespace,
                    "metricName": self.name,
                    "dimensions": [
                        {"name": name, "value": value} for name, value in self.dimensions.items()
                    ],
                },
                "period": period,
                "stat": self.statistic,
            },
        }

    def line(self, period: int) -> list[Any]:
        """Return it as a line of a graph."""
        named = [part for item in self.dimensions.items() for part in item]
        options = {"stat": self.statistic, "period": period, "label": self.label or self.name}
        return [self.namespace, self.name, *named, options]


@dataclass(frozen=True)
class Search:
    """Every metric of a name that has these dimensions: one line for each value of those that vary.

    A new source or reason needs no new graph, and a dashboard of fifty sources is no larger than
    one of two. CloudWatch User Guide, search expressions: at most 500 lines, and none that had no
    data for two weeks. An alarm cannot use them.

    Parameters
    ----------
    only : Mapping[str, tuple[str, ...]]
        Values that a varying dimension may have; others are left out.
    """

    namespace: str
    name: str
    fixed: Mapping[str, str]
    varying: tuple[str, ...]
    statistic: str = "Sum"
    only: Mapping[str, tuple[str, ...]] | None = None

    def expression(self, period: int) -> str:
        """Return the search as CloudWatch writes it."""
        names = sorted((*self.fixed, *self.varying))
        schema = ",".join([f'"{self.namespace}"', *names])
        terms = [f'MetricName="{self.name}"']
        terms += [f'{name}="{value}"' for name, value in sorted(self.fixed.items())]
        for name, values in sorted((self.only or {}).items()):
            terms.append(f"{name}=(" + " OR ".join(f'"{value}"' for value in values) + ")")
        return f"SEARCH('{{{schema}}} {' '.join(terms)}', '{self.statistic}', {period})"

    def line(self, period: int) -> list[Any]:
        """Return it as lines of a graph, labelled by what varies."""
        label = " ".join(f"${{PROP('Dim.{name}')}}" for name in self.varying)
        return [{"expression": self.expression(period), "label": label, "period": period}]


class OwnMetrics:
    """What the functions write in the embedded metric format; see `pipeline.runtime.metrics`.

    Parameters
    ----------
    deployment : Deployment
        Project, service and stage: namespace and two dimensions of each of them.
    """

    def __init__(self, deployment: Deployment) -> None:
        self.namespace = deployment.project
        self._common = {"service": deployment.service, "stage": deployment.stage}

    def one(self, name: str, statistic: str = "Sum", **dimensions: str) -> Metric:
        """Return one of them."""
        return Metric(self.namespace, name, {**dimensions, **self._common}, statistic)

    def each(
        self,
        name: str,
        *varying: str,
        statistic: str = "Sum",
        only: Mapping[str, tuple[str, ...]] | None = None,
    ) -> Search:
        """Return all of a name, by what varies."""
        return Search(self.namespace, name, self._common, varying, statistic, only)


def function_metric(name: str, function: str, statistic: str = "Sum") -> Metric:
    """Return a metric of a function.

    `Invocations`, `Errors`, `Throttles`, `Duration`, `ConcurrentExecutions` and `IteratorAge` have
    the dimension FunctionName (AWS Lambda Developer Guide, types of metrics).
    """
    return Metric("AWS/Lambda", name, {"FunctionName": function}, statistic)


def stream_metric(name: str, stream: str, statistic: str = "Sum") -> Metric:
    """Return a metric of a stream (Amazon Kinesis Developer Guide, basic stream-level metrics)."""
    return Metric("AWS/Kinesis", name, {"StreamName": stream}, statistic)


def queue_metric(name: str, queue: str, statistic: str = "Maximum") -> Metric:
    """Return a metric of a queue (Amazon SQS Developer Guide, available CloudWatch metrics)."""
    return Metric("AWS/SQS", name, {"QueueName": queue}, statistic)


def table_metric(name: str, table: str, statistic: str = "Sum") -> Metric:
    """Return a metric of a table.

    Throttles and capacity have the dimension TableName alone (Amazon DynamoDB Developer Guide,
    metrics and dimensions).
    """
    return Metric("AWS/DynamoDB", name, {"TableName": table}, statistic)


class ApiMetrics:
    """What API Gateway counts, by the names that it has for a REST API.

    An HTTP API has others, and dimensions of its own (API Gateway Developer Guide, monitor
    CloudWatch metrics for HTTP APIs).
    """

    def __init__(self, deployment: Deployment, http_api: str | None) -> None:
        self._names = {"4XXError": "4xx", "5XXError": "5xx"} if http_api else {}
        self._dimensions = (
            {"ApiId": http_api, "Stage": "$default"}
            if http_api
            else {"ApiName": deployment.stack_name, "Stage": deployment.stage}
        )

    def whole(self, name: str, statistic: str = "Sum") -> Metric:
        """Return a metric of the whole API."""
        named = self._names.get(name, name)
        return Metric("AWS/ApiGateway", named, self._dimensions, statistic)

    def routes(self, name: str, statistic: str = "Sum") -> Search:
        """Return a metric of each route, which is there with detailed metrics on."""
        fixed = {**self._dimensions, "Method": "POST"}
        return Search(
            "AWS/ApiGateway", self._names.get(name, name), fixed, ("Resource",), statistic
        )


def log_metric(name: str, deployment: Deployment) -> Metric:
    """Return a metric that a filter makes of the access log.

    A filter's dimensions are fields of the log, so none can be the stack: the namespace is.
    """
    return Metric(deployment.stack_name, name, {})
