"""Runs a replay from the command line: rate, progress, Ctrl-C, and what is said at the end."""

from __future__ import annotations

import math
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

from pipeline.archive.objects import Objects
from pipeline.replay.engine import Replayer
from pipeline.replay.history import UnaskedHistory
from pipeline.replay.job import DONE, Job, JobError, JobStore
from pipeline.stream.pace import Pace
from pipeline.stream.sending import StreamWriter
from pipeline.stream.shards import SHARE, ShardMap, capacity
from toolbox.cli.replay_history import delivery_history
from toolbox.cli.replay_wait import is_well, print_fate, wait_for
from toolbox.project import next_step
from toolbox.replaying.counts import MEANINGS, known_before, left_out
from toolbox.terminal.nearest import unknown
from toolbox.terminal.output import (
    DOES_NOT_HOLD,
    console,
    errors,
    print_json,
    print_table,
    progress_bar,
)
from toolbox.terminal.stopping import STOPPED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.progress import Progress

    from pipeline.replay.event_types import EventTypes
    from pipeline.replay.filters import Filter
    from pipeline.replay.history import DeliveryHistory
    from toolbox.deployments import RunningDeployment
    from toolbox.terminal.stopping import StopRequest

SHOWN_PROBLEMS = 10


@dataclass(frozen=True)
class ReplayPlan:
    """What a job needs to run.

    Parameters
    ----------
    since : float | None
        The earliest arrival of what is replayed, in epoch seconds, where the filter names none.
    wait : int
        For how many seconds to wait for what becomes of it.
    """

    where: RunningDeployment
    job: Job
    wanted: Filter
    types: EventTypes
    since: float | None = None
    wait: int = 0

    def history(self) -> DeliveryHistory:
        """Return what was delivered before."""
        since = self.since if self.wanted.start is None else self.wanted.start
        return delivery_history(self.where, self.job, since)


def store(where: RunningDeployment) -> JobStore:
    """Return the jobs of a deployment."""
    return JobStore(where.client("s3"), where.archive_bucket)


def known_job(jobs: JobStore, job_id: str) -> Job:
    """Read a job's state.

    Raises
    ------
    NotFoundError
        When there is no such job.
    JobError
        When its state is broken or out of reach.
    """
    try:
        return jobs.load(job_id)
    except JobError:
        known = list(jobs.ids())
        if job_id not in known:
            raise unknown("replay job", job_id, known, next_step("replay list")) from None
        raise


def default_rate(where: RunningDeployment) -> tuple[float, float]:
    """Return events and bytes a second: a share of the stream, the rest is for live traffic."""
    most = capacity(where.client("kinesis"), where.stream)
    return most.records * SHARE, most.size * SHARE


@contextmanager
def sending(plan: ReplayPlan, stop: StopRequest, on_tick: Callable[[], None]) -> Iterator[Replayer]:
    """Return a replayer that puts events on the stream, with a progress bar."""
    pace, writer = _writer(plan)
    history = UnaskedHistory() if plan.job.options.get("force") else plan.history()
    with progress_bar(in_bytes=True) as bar:
        show = _Display(bar, plan.job)
        replayer = Replayer(
            plan.job,
            Objects(plan.where.client("s3"), plan.where.archive_bucket),
            writer,
            plan.wanted,
            plan.types,
            history=history,
            save=store(plan.where).save,
            stop=stop,
            progress=show,
        )

        def tick() -> None:
            replayer.tick()
            on_tick()

        pace.tick, pace.stop_requested = tick, stop
        yield replayer
        show(replayer)


def _writer(plan: ReplayPlan) -> tuple[Pace, StreamWriter]:
    kinesis, stream = plan.where.client("kinesis"), plan.where.stream
    most = capacity(kinesis, stream)
    rate = plan.job.options.get("rate")
    # A rate that was asked for is kept; what the stream refuses lowers it.
    events = float(rate) if rate else most.records * SHARE
    pace = Pace(events, math.inf if rate else most.size * SHARE)
    shards = ShardMap(kinesis, stream)
    return pace, StreamWriter(kinesis, stream, shards, pace, largest_record=most.largest_record)


class _Display:
    def __init__(self, bar: Progress, job: Job) -> None:
        self._bar = bar
        self._start, self._before = time.monotonic(), job.counts.get("sent", 0)
        self._task = bar.add_task(job.id, total=job.size or None, rate="")

    def __call__(self, replayer: Replayer) -> None:
        sent = replayer.counts["sent"]
        rate = (sent - self._before) / max(time.monotonic() - self._start, 0.001)
        text = f"{sent:,} sent, {rate:,.0f}/s"
        self._bar.update(self._task, completed=replayer.read_bytes, rate=text)


def report(plan: ReplayPlan, *, as_json: bool, resume: str) -> None:
    """Say what became of a job, and end with its exit status.

    Raises
    ------
    typer.Exit
        With 1 when something was left out, ended badly or was not there; with 130 after Ctrl-C.
    """
    job = plan.job
    fate = wait_for(plan.where, job, plan.wait) if plan.wait and job.status == DONE else None
    if as_json:
        print_json({**job.to_json(), **({"became": fate.to_json()} if fate else {})})
    else:
        print_job(job)
        if fate:
            print_fate(fate)
    if job.status != DONE:
        errors.print(f"stopped; nothing is lost. Go on with: {resume}")
        raise typer.Exit(STOPPED)
    exit_if_nothing_fits(job)
    if left_out(job.counts) or (fate and not is_well(fate)):
        raise typer.Exit(DOES_NOT_HOLD)


def exit_if_nothing_fits(job: Job) -> None:
    """End with 1 where nothing of the archive was what a job was asked for.

    Raises
    ------
    typer.Exit
        Then; lines that cannot be read are told as such.
    """
    if not job.counts.get("matched") and not left_out(job.counts):
        errors.print("mozdef-ef: nothing in the archive fits what was asked for", style="red")
        raise typer.Exit(DOES_NOT_HOLD)


def print_job(job: Job) -> None:
    """Print a job's counts, and what it left out."""
    who = " ".join(str(value) for value in job.who.values())
    console.print(f"{job.id}: {job.status}, by {who}, {job.created}")
    if job.error:
        console.print(job.error, style="red")
    rows = [(name, job.counts.get(name, 0), what) for name, what in MEANINGS.items()]
    print_table("Counts", ("count", "events", "meaning"), rows)
    if job.by:
        rows = [(name, number, "") for name, number in sorted(job.by.items())]
        print_table("Sent", ("where/source/reason", "events"), [row[:2] for row in rows])
    for text in known_before(job.before):
        console.print(text, style="yellow")
    for problem in job.problems[:SHOWN_PROBLEMS]:
        place = f"{problem.get('key')} line {problem.get('line')}"
        text = f"{problem.get('what')}: {place}: {problem.get('explanation')}"
        console.print(text, style="yellow")
    further = left_out(job.counts) - SHOWN_PROBLEMS
    if further > 0:
        console.print(f"and {further:,} more", style="yellow")
