"""The parts of a stack that are watched, by names that people use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_cdk import aws_lambda as lambda_
    from aws_cdk import aws_logs as logs

    from settings.deployment import Deployment
    from settings.poll_targets import PollTarget
    from settings.source.loader import LoadedSource

CONSUMERS = ("fan-out", "archiver")


@dataclass(frozen=True)
class Watched:
    """What alarms and dashboards are about.

    Parameters
    ----------
    functions : Mapping[str, lambda_.Function]
        Every function, by its name in alarms: `fan-out`, `authorizer` and so on.
    queues : Mapping[str, str]
        The full names of the queues.
    tickets : str
        The name of the dead-letter queue.
    access_logs : logs.ILogGroup
        The access log of the API.
    http_api : str, optional
        The id of the API, where it is an HTTP API.
    """

    deployment: Deployment
    sources: Mapping[str, LoadedSource]
    polls: tuple[PollTarget, ...]
    functions: Mapping[str, lambda_.Function]
    stream: str
    queues: Mapping[str, str]
    redrive_queues: Mapping[str, str]
    tickets: str
    tables: Mapping[str, str]
    access_logs: logs.ILogGroup
    http_api: str | None = None

    def function(self, name: str) -> str:
        """Return the full name of a function."""
        return self.functions[name].function_name
