"""Runs a replay from the command line: rate, progress, Ctrl-C, and what is said at the end."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from pipeline.replay.job import DONE
from toolbox.cli.replay_wait import is_well, print_fate, wait_for
from toolbox.replaying.counts import MEANINGS, known_before, left_out
from toolbox.replaying.plan import sending
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

    from pipeline.replay.engine import Replayer
    from pipeline.replay.job import Job
    from toolbox.replaying.plan import ReplayPlan
    from toolbox.terminal.stopping import StopRequest

SHOWN_PROBLEMS = 10
READING_REPLAYS = "reading what earlier replays delivered"


@contextmanager
def sending_with_bar(
    plan: ReplayPlan, stop: StopRequest, on_tick: Callable[[], None] = lambda: None
) -> Iterator[Replayer]:
    """Return a replayer that puts events on the stream, with a progress bar."""
    with errors.status(READING_REPLAYS):
        history = plan.needed_history()
    with progress_bar(in_bytes=True) as bar:
        show = ReplayDisplay(bar, plan.job)
        with sending(plan, history, stop, on_tick=on_tick, show=show) as replayer:
            yield replayer


class ReplayDisplay:
    """Shows in a progress bar how far a job is."""

    def __init__(self, bar: Progress, job: Job) -> None:
        self._bar = bar
        self._start, self._before = time.monotonic(), job.counts.get("sent", 0)
        self._task = bar.add_task(job.id, total=job.size or None, rate="")

    def __call__(self, replayer: Replayer) -> None:
        """Show it."""
        sent = replayer.counts["sent"]
        rate = (sent - self._before) / max(time.monotonic() - self._start, 0.001)
        text = f"{sent:,} sent, {rate:,.0f}/s"
        self._bar.update(self._task, completed=replayer.read_bytes, rate=text)


def report(plan: ReplayPlan, *, wait: int, as_json: bool, resume: str) -> None:
    """Say what became of a job, and end with its exit status.

    Parameters
    ----------
    wait : int
        For how many seconds to wait for what becomes of what was sent.

    Raises
    ------
    typer.Exit
        With 1 when something was left out, ended badly or was not there; with 130 after Ctrl-C.
    """
    job = plan.job
    fate = wait_for(plan.where, job, wait) if wait and job.status == DONE else None
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
