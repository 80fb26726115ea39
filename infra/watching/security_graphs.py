"""What the security team sees: which events came, which did not, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.watching.graph import Graph
from infra.watching.log_queries import DENIALS
from infra.watching.watched_metrics import DAY, DENIED, HOUR, OwnMetrics, log_metric
from pipeline.event.outcomes import QUARANTINED, OutcomeKind
from pipeline.runtime.metrics import (
    DENIED_BY_REASON,
    METRIC_NAMES,
    RECEIVED,
    REJECTED_BY_REASON,
    REMARKS,
    TIME_NOT_UNDERSTOOD,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.watching.watched import Watched

DENIALS_GROUP = "access"


def security_graphs(watched: Watched) -> Iterator[Graph]:
    """Return the graphs of the security team's dashboard."""
    own = OwnMetrics(watched.deployment)
    yield Graph("Events received", [own.each(RECEIVED, "source")])
    yield Graph(
        "Events delivered to MozDef", [own.each(METRIC_NAMES[OutcomeKind.DELIVERED], "source")]
    )
    yield Graph("Duplicates", [own.each(METRIC_NAMES[OutcomeKind.DUPLICATE], "source")])
    reused = [own.each(name, "source") for name in REMARKS.values()]
    yield Graph("With the id or the body of another event", reused)
    yield Graph("With a time that is not understood", [own.each(TIME_NOT_UNDERSTOOD, "source")])
    yield Graph("Ignored by type", [own.each(METRIC_NAMES[OutcomeKind.IGNORED], "source")])
    yield Graph("Rejected", [own.each(METRIC_NAMES[OutcomeKind.REJECTED], "source")])
    reasons = own.each(REJECTED_BY_REASON, "source", "reason")
    yield Graph("Rejected, by reason", [reasons])
    forged = own.each(
        REJECTED_BY_REASON, "source", "reason", only={"reason": tuple(sorted(QUARANTINED))}
    )
    yield Graph("Quarantined: bad and stale signatures", [forged])
    yield Graph("Denied at the door", [log_metric(DENIED, watched.deployment)])
    if "receiver" in watched.functions:
        denied = own.each(DENIED_BY_REASON, "source", "reason")
        yield Graph("Denied by the receiver, by reason", [denied])
    yield Graph("Events in an hour: a gap is silence", [own.each(RECEIVED, "source")], period=HOUR)
    yield Graph("Events of the last day", [own.each(RECEIVED, "source")], DAY, view="bar")
    yield Graph("Who was denied", query=DENIALS, group=DENIALS_GROUP)
