"""Alarms of a single source, and of a single feed.

Anyone on the internet can send bad signatures and wrong tokens, so what they make wakes nobody
by itself. Nobody can keep a sender's good events away: an hour without any, of a source that has
some each hour, is no stranger's work. Both together are a wrong secret of our own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.watching.alarm import Alarm
from infra.watching.watched_metrics import FIVE_MINUTES, HOUR, MINUTE, OwnMetrics
from pipeline.event.outcomes import QUARANTINED, OutcomeKind, Verdict
from pipeline.runtime.metrics import (
    ANSWER_NAMES,
    METRIC_NAMES,
    POLL_ERRORS,
    POLL_LAG,
    RECEIVED,
    REJECTED_BY_REASON,
)
from settings.deployment_alarms import MOST_SILENCE_HOURS, STEADY

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from infra.watching.watched import Watched
    from infra.watching.watched_metrics import Metric
    from pipeline.event.outcomes import Reason

_POLLS_IN_A_ROW = 3
_STEADY_HOURS = MOST_SILENCE_HOURS - 4
"""Of the last seven days: a source has a good event in all but four hours, or has no rhythm of an
hour. So it stays true for four hours after the last good event, and for that long at most there is
a week in which a stranger's forgeries, beside a silence of the sender, look like a wrong secret."""


def source_alarms(watched: Watched) -> Iterator[Alarm]:
    """Return the alarms that each source has."""
    own, settings = OwnMetrics(watched.deployment), watched.deployment.alarms
    for name, source in sorted(watched.sources.items()):
        ingest, fewest = source.settings.ingest, settings.refused_events
        silent = (f"{name}-silent",) if name in settings.silence_hours else ()
        if ingest == "direct" and source.settings.signing:
            # Behind the receiver or the authorizer, no stranger's event comes so far.
            yield _refused(own, name, fewest, unverified=sorted(QUARANTINED))
            yield _forged(own, name, fewest, silent)
            yield _steady(name, _good_and_bad(own, name), "FILL(received, 0) - FILL(rejected, 0)")
        else:
            yield _refused(own, name, fewest)
        if ingest == "receiver":
            yield _turned_away(own, name, fewest, silent)
            accepted = own.one(ANSWER_NAMES[Verdict.ACCEPTED], source=name)
            yield _steady(name, {"accepted": accepted}, "FILL(accepted, 0)")
        if silent:
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


def _good_and_bad(own: OwnMetrics, name: str) -> dict[str, Metric]:
    return {
        "received": own.one(RECEIVED, source=name),
        "rejected": own.one(METRIC_NAMES[OutcomeKind.REJECTED], source=name),
    }


def _of_reasons(own: OwnMetrics, name: str, reasons: Iterable[Reason]) -> dict[str, Metric]:
    return {str(each): own.one(REJECTED_BY_REASON, source=name, reason=each) for each in reasons}


def _refused(own: OwnMetrics, name: str, fewest: int, unverified: Iterable[Reason] = ()) -> Alarm:
    """Return the alarm on events that were rejected although they are the sender's.

    Parameters
    ----------
    unverified : Iterable[Reason]
        What is said of those that may be anyone's, where they come so far.
    """
    reasons = _of_reasons(own, name, unverified)
    rejected = "".join(("rejected", *(f" - FILL({reason}, 0)" for reason in reasons)))
    return Alarm(
        f"{name}-all-rejected",
        f"For an hour every event of {name} was rejected: something is missing or broken, or the "
        "sender's form has changed.",
        {**_good_and_bad(own, name), **reasons},
        1,
        f"IF({rejected} >= {fewest}, IF(received - rejected < 1, 1, 0), 0)",
        period=HOUR,
        risks_events=True,
    )


def _forged(own: OwnMetrics, name: str, fewest: int, silent: tuple[str, ...]) -> Alarm:
    reasons = _of_reasons(own, name, sorted(QUARANTINED))
    forged = " + ".join(f"FILL({reason}, 0)" for reason in reasons)
    return Alarm(
        f"{name}-bad-signatures",
        f"For an hour {name} had bad signatures and no good event: a wrong secret, or forgeries "
        "while its sender sends nothing.",
        {**_good_and_bad(own, name), **reasons},
        1,
        f"IF({forged} >= {fewest}, IF(received - rejected < 1, 1, 0), 0)",
        period=HOUR,
        risks_events=True,
        only_with=(f"{name}{STEADY}",),
        only_with_silence=silent,
    )


def _turned_away(own: OwnMetrics, name: str, fewest: int, silent: tuple[str, ...]) -> Alarm:
    return Alarm(
        f"{name}-all-denied",
        f"For an hour every request for {name} was denied by the receiver: a wrong secret, or "
        "forgeries while its sender sends nothing.",
        {
            "denied": own.one(ANSWER_NAMES[Verdict.DENIED], source=name),
            "accepted": own.one(ANSWER_NAMES[Verdict.ACCEPTED], source=name),
        },
        1,
        f"IF(FILL(denied, 0) >= {fewest}, IF(FILL(accepted, 0) < 1, 1, 0), 0)",
        period=HOUR,
        risks_events=True,
        only_with=(f"{name}{STEADY}",),
        only_with_silence=silent,
    )


def _steady(name: str, metrics: dict[str, Metric], good: str) -> Alarm:
    return Alarm(
        f"{name}{STEADY}",
        f"Not a fault: {name} had good events in all but {MOST_SILENCE_HOURS - _STEADY_HOURS} "
        "hours of the last seven days, so that an hour without any is worth to wake somebody for.",
        metrics,
        1,
        good,
        period=HOUR,
        periods=MOST_SILENCE_HOURS,
        datapoints=_STEADY_HOURS,
        tells=False,
    )


def _silent(own: OwnMetrics, name: str, hours: int) -> Alarm:
    """Return a dead man's switch. What was rejected is no sign of life: anyone can send it."""
    return Alarm(
        f"{name}-silent",
        f"No good event of {name} for {hours} hours.",
        _good_and_bad(own, name),
        1,
        "received - rejected",
        period=HOUR,
        periods=hours,
        silence_is_bad=True,
        below=True,
    )
