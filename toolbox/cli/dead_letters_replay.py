"""Replays the objects of tickets, and deletes each ticket whose object is done."""

from __future__ import annotations

import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import typer

from pipeline.archive.keys import ArchiveKind, day_written, partition_of
from pipeline.archive.objects import ObjectRef
from pipeline.replay.event_types import EventTypes
from pipeline.replay.filters import Filter
from pipeline.replay.job import DONE, INTERRUPTED, Job, new_job_id
from toolbox.cli.replay_run import ReplayPlan, print_job, sending, store
from toolbox.cli.replay_wait import is_well, print_fate, wait_for
from toolbox.dead_letters.queue import HIDDEN_SECONDS, UNREADABLE
from toolbox.replaying.counts import LEFT_OUT, left_out
from toolbox.terminal.output import DOES_NOT_HOLD, console, print_json
from toolbox.terminal.stopping import STOPPED, stopping

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pipeline.replay.engine import Replayer
    from toolbox.dead_letters.queue import DeadLetters, Ticket
    from toolbox.deployments import RunningDeployment


def replay_tickets(
    where: RunningDeployment,
    queue: DeadLetters,
    tickets: Sequence[Ticket],
    options: Mapping[str, Any],
) -> tuple[Job, dict[str, str]]:
    """Replay tickets as one job; return it, and by ticket why it remains, if it does."""
    now = datetime.now(UTC)
    wanted = Filter(frozenset(ArchiveKind))
    options = {**options, "tickets": [ticket.id for ticket in tickets]}
    job = Job(new_job_id(now), where.who(), now.isoformat(), wanted.to_json(), options)
    job.objects, job.size = len(tickets), sum(ticket.size for ticket in tickets)
    store(where).save(job)
    results: dict[str, str] = {}
    with (
        stopping() as stop,
        sending(
            ReplayPlan(where, job, wanted, EventTypes(), earliest_arrival(tickets)),
            stop,
            _keeper(queue),
        ) as replayer,
    ):
        for ticket in tickets:
            if stop():
                break
            results[ticket.id] = _replay_one(replayer, queue, ticket)
        if stop():
            job.status = INTERRUPTED
            store(where).save(job)
        else:
            replayer.finish()
    return job, results


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


def _keeper(queue: DeadLetters) -> Callable[[], None]:
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


def report_tickets(
    where: RunningDeployment,
    job: Job,
    tickets: Sequence[Ticket],
    results: Mapping[str, str],
    *,
    wait: int,
    as_json: bool,
) -> None:
    """Say what became of tickets.

    Parameters
    ----------
    wait : int
        For how many seconds to wait for what becomes of their events.

    Raises
    ------
    typer.Exit
        With 1 when a ticket remains, or an event ended badly; with 130 after Ctrl-C.
    """
    remaining = {
        ticket.id: results.get(ticket.id, "not begun")
        for ticket in tickets
        if results.get(ticket.id, "not begun")
    }
    fate = wait_for(where, job, wait) if wait and job.status == DONE else None
    if as_json:
        became = {"became": fate.to_json()} if fate else {}
        print_json({**job.to_json(), "tickets": len(tickets), "remaining": remaining, **became})
    else:
        print_job(job)
        if fate:
            print_fate(fate)
        console.print(f"{len(tickets) - len(remaining)} of {len(tickets)} tickets are done")
        for name, why in remaining.items():
            console.print(f"{name} remains: {why}", style="yellow")
    if job.status != DONE:
        raise typer.Exit(STOPPED)
    if remaining or (fate and not is_well(fate)):
        raise typer.Exit(DOES_NOT_HOLD)
