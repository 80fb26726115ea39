"""Saved queries of CloudWatch Logs Insights: what one looks for when something is wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aws_cdk import aws_logs as logs
from constructs import Construct

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.watching.watched import Watched

EXAMPLE_ID = "write-the-id-here"
DENIALS = """\
filter status = "401" or status = "403"
| stats count(*) as requests, min(@timestamp) as since, max(@timestamp) as until
  by ip, path, status
| sort requests desc
| limit 50"""


@dataclass(frozen=True)
class Query:
    """A query that is saved with the stack.

    Parameters
    ----------
    name : str
        How it is listed, below the stack's name.
    groups : tuple[str, ...]
        The log groups that it reads: functions by their names here, or `access`.
    """

    name: str
    text: str
    groups: tuple[str, ...]


def queries(functions: tuple[str, ...]) -> tuple[Query, ...]:
    """Return the queries of a stack."""
    everywhere = ("access", *functions)
    consumers = ("fan-out", "archiver")
    return (
        Query(
            "an event by its id, everywhere",
            # `ids` is an array, of which Insights has no operator: so the line's text is searched.
            f"filter @message like '{EXAMPLE_ID}'\n"
            "| fields @timestamp, @log, message, outcome, source, reason, status, ip, path, shard\n"
            "| sort @timestamp asc\n| limit 100",
            everywhere,
        ),
        Query("denials by address", DENIALS, ("access",)),
        Query(
            "rejected events by source and reason",
            'filter message = "rejected"\n'
            "| stats count(*) as events, max(@timestamp) as last, latest(id) as an_id\n"
            "  by source, reason\n| sort events desc",
            ("fan-out",),
        ),
        Query(
            "slowest batches",
            "fields coalesce(@requestId, request_id) as request\n"
            '| filter @type = "REPORT" or message in ["batch", "archived", "not archived"]\n'
            "| stats max(@duration) as ms, max(@maxMemoryUsed) / 1000000 as mb,\n"
            "  max(records) as batch_records, latest(shard) as batch_shard, max(@timestamp) as at\n"
            "  by request\n| sort ms desc\n| limit 50",
            consumers,
        ),
        Query(
            "batches that were not settled",
            'filter (message = "batch" and ispresent(checkpoint)) or message = "not archived"\n'
            "| fields @timestamp, @log, shard, records, first, checkpoint, unsettled.0, "
            "unsettled.1\n"
            "| sort @timestamp desc\n| limit 100",
            consumers,
        ),
        Query(
            "answers of the API that are not 200",
            'filter status != "200"\n'
            "| stats count(*) as requests, latest(id) as an_id by path, status, error,\n"
            "  integration_status\n| sort requests desc\n| limit 50",
            ("access",),
        ),
    )


class LogQueries(Construct):
    """The saved queries, each with the log groups that it reads."""

    def __init__(self, scope: Construct, construct_id: str, *, watched: Watched) -> None:
        super().__init__(scope, construct_id)
        groups = _log_groups(watched)
        for query in queries(tuple(sorted(watched.functions))):
            logs.CfnQueryDefinition(
                self,
                query.name.title().replace(" ", "").replace(",", ""),
                name=f"{watched.deployment.stack_name}/{query.name}",
                query_string=query.text,
                log_group_names=[groups[group] for group in query.groups],
            )


def _log_groups(watched: Watched) -> Mapping[str, str]:
    found = {
        name: function.log_group.log_group_name for name, function in watched.functions.items()
    }
    return {**found, "access": watched.access_logs.log_group_name}
