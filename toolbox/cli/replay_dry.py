"""`mozdef-ef replay --dry-run`: what would be sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from toolbox.cli.replay_run import READING_REPLAYS, exit_if_nothing_fits
from toolbox.replaying.counts import MEANINGS, known_before
from toolbox.replaying.dry_run import dry_run
from toolbox.terminal.output import console, errors, print_json, print_table, progress_bar
from toolbox.terminal.stopping import STOPPED, stopping

if TYPE_CHECKING:
    from pipeline.replay.engine import Replayer
    from toolbox.replaying.plan import ReplayPlan


def print_dry_run(plan: ReplayPlan, *, as_json: bool) -> None:
    """Count what a job would send by source, reason and hour, and show some of it.

    Raises
    ------
    typer.Exit
        With 130 after Ctrl-C.
    """
    with errors.status("listing the archive"):
        count, size = plan.measure()
    if not as_json:
        errors.print(
            f"dry run of {count:,} objects, {size / 1e6:,.1f} MB, and of the ledger of their hours"
        )
    with errors.status(READING_REPLAYS):
        history = plan.history()
    with progress_bar(in_bytes=True) as bar, stopping() as stop:
        task = bar.add_task("dry run", total=size or None, rate="")

        def show(one: Replayer) -> None:
            matched = f"{one.counts['matched']:,} matched"
            bar.update(task, completed=one.read_bytes, rate=matched)

        document, ended = dry_run(plan, history, stop=stop, show=show)
    if as_json:
        print_json(document)
    else:
        _print(document)
    if not ended:
        raise typer.Exit(STOPPED)
    exit_if_nothing_fits(plan.job)


def _print(document: dict[str, Any]) -> None:
    groups = [
        (one["kind"], one["source"], one["reason"], one["hour"], one["events"])
        for one in document["groups"]
    ]
    print_table(
        f"{document['would_send']:,} events would be sent, {document['bytes'] / 1e6:,.1f} MB, "
        f"in about {document['seconds']:,.0f} s, "
        f"{document['sent_again']:,} of them again; {document['delivered_before']:,} more were "
        "delivered before and would be left out",
        ("where", "source", "reason", "hour", "events"),
        groups,
    )
    rows = [(name, number, MEANINGS[name]) for name, number in document["counts"].items() if number]
    print_table("Counts", ("count", "events", "meaning"), rows)
    for text in known_before(document["before"]):
        console.print(text, style="yellow")
    for event in document["sample"]:
        line = f"{event['arrived']} {event['source']} {event['id']} {event['reason']}"
        console.print(line, style="bold")
        console.lines(str(event.get("body", event.get("record"))), prefix="  | ")
    for problem in document["problems"][:10]:
        text = f"{problem['what']}: {problem['key']} line {problem['line']}: "
        console.print(text + problem["explanation"], style="yellow")
