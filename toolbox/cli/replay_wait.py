"""`--wait` of `mozdef-ef replay` and `dead-letters replay`: what became of what was sent."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.archive.listing import ArchiveListing
from pipeline.archive.objects import Objects
from toolbox.project.next_steps import next_step
from toolbox.replaying.becoming import ReplayFate, wait_until_settled
from toolbox.terminal.output import console, errors, progress_bar
from toolbox.terminal.stopping import stopping

if TYPE_CHECKING:
    from pipeline.replay.job import Job
    from toolbox.deployments import RunningDeployment

Wait = Annotated[
    bool, typer.Option("--wait", help="Wait until the ledger says what became of what was sent.")
]
WaitSeconds = Annotated[
    int, typer.Option("--wait-seconds", min=1, max=86_400, help="For so long at the most.")
]
WAIT_SECONDS = 900
_OBJECTS_AHEAD = 8


def wait_for(where: RunningDeployment, job: Job, seconds: int) -> ReplayFate:
    """Wait until what a job sent has an outcome; Ctrl-C ends the waiting, and nothing else."""
    s3, bucket = where.client("s3"), where.archive_bucket
    objects = Objects(s3, bucket, objects_ahead=_OBJECTS_AHEAD)
    fate = ReplayFate(job, ArchiveListing(s3, bucket), objects)
    sent = job.counts.get("sent", 0)
    with stopping() as stop, progress_bar() as bar:
        task = bar.add_task("settled", total=sent, rate="")

        def show(one: ReplayFate) -> None:
            bar.update(task, completed=sent - one.still_open)

        def pause(wanted: float) -> None:
            end = time.monotonic() + wanted
            while not stop() and time.monotonic() < end:
                time.sleep(min(0.1, wanted))

        wait_until_settled(
            fate,
            seconds,
            now=lambda: datetime.now(UTC),
            stop=stop,
            wait=pause,
            progress=show,
        )
    return fate


def print_fate(fate: ReplayFate) -> None:
    """Say what became of what was sent."""
    document = fate.to_json()
    told = [f"{document[name]:,} {name}" for name in ("delivered", "duplicate", "ignored")]
    console.print("became: " + ", ".join(told))
    for reason, number in document["rejected_by_reason"].items():
        console.print(f"  {number:,} rejected: {reason}", style="yellow")
    if document["failed"]:
        console.print(f"  {document['failed']:,} failed with their batch", style="yellow")
    if document["rejected"] or document["failed"]:
        console.print(f"  {next_step('dead-letters list --causes')}")
    if fate.still_open:
        errors.print(f"  {fate.still_open:,} requests have no outcome yet", style="yellow")
    if fate.faults:
        errors.print(f"  {fate.faults:,} lines or objects cannot be read", style="yellow")


def is_well(fate: ReplayFate) -> bool:
    """Tell whether all that was sent was delivered, or needs nobody."""
    return not (fate.still_open or fate.counts["rejected"] or fate.counts["failed"])
