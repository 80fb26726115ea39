"""Alarms of a single source, and of a single feed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.watching.alarm import Alarm
from infra.watching.watched_metrics import FIVE_MINUTES, HOUR, MINUTE, OwnMetrics
from pipeline.event.outcomes import OutcomeKind, Verdict
from pipeline.runtime.metrics import ANSWER_NAMES, METRIC_NAMES, POLL_ERRORS, POLL_LAG, RECEIVED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.watching.watched import Watched

_POLLS_IN_A_ROW = 3


def source_alarms(watched: Watched) -> Iterator[Alarm]:
    """Return the alarms that each source has."""
    own, settings = OwnMetrics(watched.deployment), watched.deployment.alarms
    for name, source in sorted(watched.sources.items()):
        yield _refused(own, name, settings.refused_events)
        if source.settings.ingest == "receiver":
            yield _turned_away(own, name, settings.refused_events)
        if name in settings.silence_hours:
            yield _silent(own, name, settings.silence_hours[name])


def poll_alarms(watched: Watched) -> Iterator[Alarm]:
    """Return the alarms that each feed has."""
    own, settings = OwnMetrics(watched.deployment), watched.deployment.alarms
    for target in watched.polls:
        # A value a poll at least, or the periods between two polls would look like silence.
        period = max(FIVE_MINUTES, target.every_minutes * MINUTE)
        for feed in target.feeds:
            # A dot is in neither name, so no two pairs give one name.
            place = {"source": target.source, "feed": feed}
            yield Alarm(
                f"{target.source}.{feed}-lag",
                f"The feed {feed} of {target.source} is behind, or is not polled at all.",
                {"lag": own.one(POLL_LAG, "Maximum", **place)},
                settings.poll_lag_minutes * MINUTE,
                period=period,
                periods=_POLLS_IN_A_ROW,
                silence_is_bad=True,
            )
            yield Alarm(
                f"{target.source}.{feed}-poll-errors",
                f"Polls of the feed {feed} of {target.source} fail: the poller's log says why.",
                {"errors": own.one(POLL_ERRORS, **place)},
                1,
                period=period,
                periods=_POLLS_IN_A_ROW,
            )


def _refused(own: OwnMetrics, name: str, fewest: int) -> Alarm:
    return Alarm(
        f"{name}-all-rejected",
        f"For an hour every event of {name} was rejected: a wrong secret, or a changed form.",
        {
            "received": own.one(RECEIVED, source=name),
            "rejected": own.one(METRIC_NAMES[OutcomeKind.REJECTED], source=name),
        },
        1,
        f"IF(rejected >= {fewest}, IF(received - rejected < 1, 1, 0), 0)",
        period=HOUR,
        risks_events=True,
    )


def _turned_away(own: OwnMetrics, name: str, fewest: int) -> Alarm:
    return Alarm(
        f"{name}-all-denied",
        f"For an hour every request for {name} was denied by the receiver: a wrong secret?",
        {
            "denied": own.one(ANSWER_NAMES[Verdict.DENIED], source=name),
            "accepted": own.one(ANSWER_NAMES[Verdict.ACCEPTED], source=name),
        },
        1,
        f"IF(FILL(denied, 0) >= {fewest}, IF(FILL(accepted, 0) < 1, 1, 0), 0)",
        period=HOUR,
        risks_events=True,
    )


def _silent(own: OwnMetrics, name: str, hours: int) -> Alarm:
    """Return a dead man's switch. What was rejected is no sign of life: anyone can send it."""
    return Alarm(
        f"{name}-silent",
        f"No good event of {name} for {hours} hours.",
        {
            "received": own.one(RECEIVED, source=name),
            "rejected": own.one(METRIC_NAMES[OutcomeKind.REJECTED], source=name),
        },
        1,
        "received - rejected",
        period=HOUR,
        periods=hours,
        silence_is_bad=True,
        below=True,
    )
