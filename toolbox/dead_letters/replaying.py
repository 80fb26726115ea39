"""Replays the objects of tickets, and deletes each ticket whose object is done."""

from __future__ import annotations

import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from pipeline.archive.keys import ArchiveKind, day_written, partition_of
from pipeline.archive.objects import ObjectRef
from pipeline.replay.event_types import EventTypes
from pipeline.replay.filters import Filter
from pipeline.replay.job import INTERRUPTED, Job, new_job_id
from toolbox.dead_letters.queue import HIDDEN_SECONDS, UNREADABLE
from toolbox.replaying.counts import LEFT_OUT, left_out
from toolbox.replaying.plan import ReplayPlan, job_store

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pipeline.replay.engine import Replayer
    from pipeline.replay.windows import DeduplicationWindow
    from toolbox.dead_letters.queue import DeadLetters, Ticket
    from toolbox.deployments import RunningDeployment


def plan_of_tickets(
    where: RunningDeployment,
    tickets: Sequence[Ticket],
    options: Mapping[str, Any],
    windows: Callable[[], Mapping[str, DeduplicationWindow]],
) -> ReplayPlan:
    """Return the job that replays tickets, with its first state written."""
    now = datetime.now(UTC)
    wanted = Filter(frozenset(ArchiveKind))
    options = {**options, "tickets": [ticket.id for ticket in tickets]}
    job = Job(new_job_id(now), where.who(), now.isoformat(), wanted.to_json(), options)
    job.objects, job.size = len(tickets), sum(ticket.size for ticket in tickets)
    job_store(where).save(job)
    return ReplayPlan(where, job, wanted, EventTypes(), earliest_arrival(tickets), windows)


def replay_tickets(
    plan: ReplayPlan,
    replayer: Replayer,
    queue: DeadLetters,
    tickets: Sequence[Ticket],
    stop: Callable[[], bool],
) -> dict[str, str]:
    """Replay tickets as one job; return by ticket why it remains, nothing where it is gone."""
    results: dict[str, str] = {}
    for ticket in tickets:
        if stop():
            break
        results[ticket.id] = _replay_one(replayer, queue, ticket)
    if stop():
        plan.job.status = INTERRUPTED
        job_store(plan.where).save(plan.job)
    else:
        replayer.finish()
    return results


def earliest_arrival(tickets: Sequence[Ticket]) -> float | None:
    """Return when the events of tickets arrived at the earliest, as their keys tell.

    Returns
    -------
    float | None
        Epoch seconds; None where a key tells nothing.
    """
    times = []
    for ticket in tickets:
        if ticket.kind != UNREADABLE:
            arrived = _earliest_in(ticket.key)
            if arrived is None:
                return None
            times.append(arrived)
    return min(times).timestamp() if times else None


def _earliest_in(key: str) -> datetime | None:
    place, day = partition_of(key), day_written(key)
    try:
        if place is not None:
            return place.begins
        # A record is given up when its stream forgets it, at the latest.
        return datetime(*day, tzinfo=UTC) - timedelta(days=7) if day is not None else None
    except ValueError:
        return None


def keeper(queue: DeadLetters) -> Callable[[], None]:
    """Return what keeps a queue's tickets hidden, called from time to time."""
    hidden_at = time.monotonic()

    def keep() -> None:
        nonlocal hidden_at
        if time.monotonic() - hidden_at > HIDDEN_SECONDS / 4:
            hidden_at = time.monotonic()
            queue.keep_hidden()

    return keep


def _replay_one(replayer: Replayer, queue: DeadLetters, ticket: Ticket) -> str:
    """Replay a ticket's object; give what remains, nothing when the ticket is gone."""
    if ticket.kind == UNREADABLE:
        return "is no notification of the archive; see it, and dismiss it"
    before = Counter(replayer.counts)
    if not replayer.run([ObjectRef(ticket.key, ticket.size)]):
        return "stopped before its end"
    done = Counter(replayer.counts)
    done.subtract(before)
    if left_out(done):
        left = ", ".join(f"{done[name]} {name}" for name in LEFT_OUT if done[name])
        sent, known = done["sent"] + done["repeated"], done["delivered"]
        also = f", {known} were delivered before" if known else ""
        return f"{sent} of {done['read']} are on the stream{also}; {left}"
    queue.delete(ticket)
    return ""
