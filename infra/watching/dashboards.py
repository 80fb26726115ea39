"""Two dashboards: how the pipeline runs, for the operator; what came in, for the security team."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aws_cdk import Aws, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from infra.watching.operator_graphs import operator_graphs
from infra.watching.security_graphs import DENIALS_GROUP, security_graphs

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from infra.watching.alarms import Alarms
    from infra.watching.graph import Graph
    from infra.watching.watched import Watched

COLUMNS, WIDTH, HEIGHT = 24, 8, 6
ALARMS_IN_A_WIDGET = 100
"""CloudWatch API reference, dashboard body structure, alarm status widget."""


class Dashboards(Construct):
    """The dashboards `<stack>-operator` and `<stack>-security`.

    Parameters
    ----------
    alarms : Alarms
        Its alarms, whose state is the first thing on the operator's.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, watched: Watched, alarms: Alarms
    ) -> None:
        super().__init__(scope, construct_id)
        self._dashboard("operator", watched, _states(alarms), operator_graphs(watched))
        self._dashboard("security", watched, [], security_graphs(watched))

    def _dashboard(
        self,
        name: str,
        watched: Watched,
        first: Sequence[dict[str, Any]],
        graphs: Iterable[Graph],
    ) -> None:
        groups = {DENIALS_GROUP: watched.access_logs.log_group_name}
        widgets, top = [*first], sum(widget["height"] for widget in first)
        for number, graph in enumerate(graphs):
            place = {
                "x": number * WIDTH % COLUMNS,
                "y": top + number * WIDTH // COLUMNS * HEIGHT,
                "width": WIDTH,
                "height": HEIGHT,
            }
            widgets.append({**place, **graph.widget(Aws.REGION, groups)})
        cloudwatch.CfnDashboard(
            self,
            name.title(),
            dashboard_name=f"{watched.deployment.stack_name}-{name}",
            dashboard_body=Stack.of(self).to_json_string(
                {"start": "-PT3H", "periodOverride": "inherit", "widgets": widgets}
            ),
        )


def _states(alarms: Alarms) -> list[dict[str, Any]]:
    shown = [alarms.at_risk.attr_arn, *(alarm.attr_arn for alarm in alarms.shown)]
    return [
        {
            "type": "alarm",
            "x": 0,
            "y": 0,
            "width": COLUMNS,
            "height": HEIGHT,
            "properties": {"title": "Alarms", "alarms": shown[:ALARMS_IN_A_WIDGET]},
        }
    ]
