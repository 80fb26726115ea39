"""A dry run: the events of a job are counted, some of them are kept, nothing is sent."""

from __future__ import annotations

import random
from collections import Counter
from typing import TYPE_CHECKING, Any

from pipeline.archive.objects import Objects
from pipeline.replay.engine import Replayer
from pipeline.replay.times import iso
from toolbox.replaying.counts import MEANINGS
from toolbox.replaying.history import OBJECTS_AHEAD
from toolbox.replaying.plan import default_rate
from toolbox.terminal.archived import event_document

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.archive.lines import ArchivedEvent
    from pipeline.replay.history import History
    from toolbox.replaying.plan import ReplayPlan

SAMPLE = 5
MOST_GROUPS = 10_000
_BODY = 200


def dry_run(
    plan: ReplayPlan,
    history: History,
    *,
    stop: Callable[[], bool],
    show: Callable[[Replayer], None] = lambda _: None,
) -> tuple[dict[str, Any], bool]:
    """Count what a job would send by source, reason and hour; return it, and whether it ended.

    Parameters
    ----------
    show : Callable[[Replayer], None]
        Is told how far it is.

    Raises
    ------
    PipelineError
        When the archive is out of reach.
    """
    sink = DryRun()
    replayer = Replayer(
        plan.job,
        Objects(plan.where.client("s3"), plan.where.archive_bucket, objects_ahead=OBJECTS_AHEAD),
        sink,
        plan.wanted,
        plan.types,
        history=history,
        save=lambda _: None,
        stop=stop,
        progress=show,
    )
    ended = replayer.run(plan.refs())
    return _document(plan, sink), ended


def _document(plan: ReplayPlan, sink: DryRun) -> dict[str, Any]:
    counts = {name: plan.job.counts.get(name, 0) for name in MEANINGS}
    rate, size = default_rate(plan.where)
    asked = plan.job.options.get("rate")
    would = counts.pop("sent")
    seconds = would / float(asked) if asked else max(would / rate, sink.size / size)
    return {
        "would_send": would,
        "bytes": sink.size,
        "seconds": round(seconds, 1),
        "counts": counts,
        "sent_again": counts["sent_again"],
        "delivered_before": counts["delivered"] + counts["partly_delivered"],
        "before": plan.job.before,
        "groups": [
            {"kind": kind, "source": source, "reason": reason, "hour": hour, "events": number}
            for (kind, source, reason, hour), number in sorted(sink.groups.items())
        ],
        "sample": [event_document(event, 0, _BODY) for event in sink.sample],
        "problems": plan.job.problems,
    }


class DryRun:
    """Stands in the place of the stream."""

    def __init__(self) -> None:
        self.groups: Counter[tuple[str, str, str, str]] = Counter()
        self.sample: list[ArchivedEvent] = []
        self.size = 0
        self._seen = 0

    def add(self, _key: str, data: bytes, event: ArchivedEvent, /) -> bool:
        """Count an event by kind, source, reason and hour."""
        hour = iso(event.arrived)[:13]
        group = (str(event.kind), event.source, event.reason or "-", hour)
        if group not in self.groups and len(self.groups) >= MOST_GROUPS:
            group = ("others", "-", "-", "-")
        self.groups[group] += len(event.numbers) or 1
        self.size += len(data)
        self._seen += 1
        # Each event has the same chance to be in the sample, however many there are.
        if len(self.sample) < SAMPLE:
            self.sample.append(event)
        elif (place := random.randrange(self._seen)) < SAMPLE:  # noqa: S311 - no secret
            self.sample[place] = event
        return True

    def flush(self) -> None:
        """Do nothing: nothing waits."""
