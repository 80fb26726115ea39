"""What the poller fetches: the sources' description of their APIs, with the stage's settings."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from settings.deployment import DeploymentError
from settings.deployment_polling import PollerSettings
from settings.faults import Fault

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from settings.deployment import Deployment
    from settings.source.loader import LoadedSource
    from settings.source.polling import Polling

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True)
class PollTarget:
    """One source's API.

    Parameters
    ----------
    base_url : str
        Where the API is, with nothing left to fill in.
    variables : Mapping[str, str]
        What the paths of its feeds are filled in with.
    start_hours_ago : int
        Where the very first poll begins.
    every_minutes : int
        How often it is polled.
    """

    source: str
    base_url: str
    variables: Mapping[str, str]
    start_hours_ago: int
    every_minutes: int
    feeds: tuple[str, ...]


def poll_targets(
    deployment: Deployment, sources: Mapping[str, LoadedSource]
) -> tuple[PollTarget, ...]:
    """Return what a stage polls, in the order of the sources' names.

    Parameters
    ----------
    sources : Mapping[str, LoadedSource]
        Its sources, by name.

    Raises
    ------
    DeploymentError
        When a variable is missing or unknown, or a source with settings is not polled: one line a
        fault.
    """
    faults = [
        Fault(f"{deployment.stage}.yaml", f"pollers.{key}", expected)
        for key, expected in _faults(deployment.pollers, sources)
    ]
    if faults:
        raise DeploymentError(*faults)
    return tuple(
        _target(name, poll, deployment.pollers.get(name, PollerSettings()))
        for name, poll in _polled(sources)
    )


def environment_value(targets: Iterable[PollTarget]) -> str:
    """Return the targets as the poller's handler reads them: the variable `POLL_TARGETS`."""
    return json.dumps(
        {
            target.source: {
                "base_url": target.base_url,
                "variables": dict(target.variables),
                "start_hours_ago": target.start_hours_ago,
            }
            for target in targets
        },
        sort_keys=True,
        separators=(",", ":"),
    )


def _polled(sources: Mapping[str, LoadedSource]) -> Iterator[tuple[str, Polling]]:
    for name, source in sorted(sources.items()):
        if source.settings.poll is not None:
            yield name, source.settings.poll


def _faults(
    pollers: Mapping[str, PollerSettings], sources: Mapping[str, LoadedSource]
) -> Iterator[tuple[str, str]]:
    polled = dict(_polled(sources))
    for name in sorted(set(pollers) - set(polled)):
        yield name, "the source is not polled; its source.yaml has no 'ingest: poll'"
    for name, poll in polled.items():
        settings = pollers.get(name, PollerSettings())
        for variable in sorted(set(settings.variables) - set(poll.variables)):
            known = ", ".join(sorted(poll.variables)) or "none"
            told = f"the source has no such variable; it has: {known}"
            yield f"{name}.variables.{variable}", told
        for variable in sorted(_needed(poll, settings) - set(settings.variables)):
            told = f"this key is required: {poll.variables[variable]}"
            yield f"{name}.variables.{variable}", told


def _needed(poll: Polling, settings: PollerSettings) -> set[str]:
    """Return the variables of the URLs; an own base URL has none."""
    texts = [settings.base_url or poll.base_url, *(feed.path for feed in poll.feeds.values())]
    return {name for text in texts for name in _PLACEHOLDER.findall(text)}


def _target(name: str, poll: Polling, settings: PollerSettings) -> PollTarget:
    start, every = settings.start_hours_ago, settings.every_minutes
    return PollTarget(
        source=name,
        base_url=_PLACEHOLDER.sub(
            lambda found: settings.variables[found[1]], settings.base_url or poll.base_url
        ),
        variables=settings.variables,
        start_hours_ago=poll.start_hours_ago if start is None else start,
        every_minutes=poll.every_minutes if every is None else every,
        feeds=tuple(sorted(poll.feeds)),
    )
