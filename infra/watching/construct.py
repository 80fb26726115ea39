"""Watching a stack: metrics of the access log, alarms, dashboards and saved queries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.watching.alarms import Alarms
from infra.watching.dashboards import Dashboards
from infra.watching.log_queries import LogQueries
from infra.watching.watched_metrics import DENIED, THROTTLED, log_metric

if TYPE_CHECKING:
    from infra.watching.watched import Watched

ACCESS_LOG_FILTERS = {
    # An authorizer's cached decision is no call of the function, and API Gateway answers 401 by
    # itself: only the access log has every denial. A 429 is no metric of API Gateway's own.
    DENIED: '{ ($.status = "401") || ($.status = "403") }',
    THROTTLED: '{ $.status = "429" }',
}
"""Metric name: filter pattern over the fields of `infra.application.access_log.ACCESS_LOG`."""


class Watching(Construct):
    """Everything that tells how a stack is."""

    def __init__(self, scope: Construct, construct_id: str, *, watched: Watched) -> None:
        super().__init__(scope, construct_id)
        for name, pattern in ACCESS_LOG_FILTERS.items():
            metric = log_metric(name, watched.deployment)
            logs.CfnMetricFilter(
                self,
                name,
                log_group_name=watched.access_logs.log_group_name,
                filter_pattern=pattern,
                metric_transformations=[
                    logs.CfnMetricFilter.MetricTransformationProperty(
                        metric_namespace=metric.namespace,
                        metric_name=metric.name,
                        metric_value="1",
                        default_value=0,
                        unit="Count",
                    )
                ],
            )
        self.alarms = Alarms(self, "Alarms", watched=watched)
        Dashboards(self, "Dashboards", watched=watched, alarms=self.alarms)
        LogQueries(self, "Queries", watched=watched)
