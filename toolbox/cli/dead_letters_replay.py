"""Says what became of tickets that were replayed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from pipeline.replay.job import DONE, Job
from toolbox.cli.replay_run import print_job
from toolbox.cli.replay_wait import is_well, print_fate, wait_for
from toolbox.terminal.output import DOES_NOT_HOLD, console, print_json
from toolbox.terminal.stopping import STOPPED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from toolbox.dead_letters.queue import Ticket
    from toolbox.deployments import RunningDeployment


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
