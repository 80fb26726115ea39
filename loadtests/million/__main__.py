"""A million events under faults: `python -m loadtests.million --help`."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Annotated

import typer

from loadtests.million.plan import MillionPlan
from loadtests.million.run import run_million
from loadtests.soak.report import print_run, write_run
from local.leaving import end_in_order
from pipeline.errors import PipelineError
from toolbox.terminal.output import DOES_NOT_HOLD, console, print_table, say_error

BUILD = Path(__file__).parents[2] / "build"
_LARGEST_SEED = 1_000_000


def million(
    *,
    events: Annotated[
        int, typer.Option(min=1_000, help="How many events are accepted at least.")
    ] = 1_000_000,
    minutes: Annotated[float, typer.Option(min=0.2, max=600, help="Within how many.")] = 25.0,
    seconds: Annotated[
        float, typer.Option(min=0, help="How long is sent; 0: four fifths of the minutes.")
    ] = 0.0,
    seed: Annotated[
        int | None,
        typer.Option(min=0, help="Repeats the plan of a run; it is printed at the start."),
    ] = None,
    drain: Annotated[
        float,
        typer.Option(min=1, max=1800, help="Seconds without progress until the rest is given up."),
    ] = 400.0,
    output: Annotated[Path, typer.Option(help="Where the figures go.")] = BUILD / "million.json",
    state: Annotated[
        Path, typer.Option(help="State and logs of the run; emptied at the start.")
    ] = BUILD / "million",
    assembly: Annotated[
        Path, typer.Option(help="Folder of the stage and its cloud assembly; written once.")
    ] = BUILD / "million-stage",
    graphs: Annotated[
        Path | None, typer.Option(help="Where a graph of the memory goes; none without it.")
    ] = None,
) -> None:
    """Send a million events by every way while faults strike, then account for each of them.

    Beside the faults of `make soak`: shards are split and merged, a secret is rotated, a schema is
    deployed, the archive's disk is full, clocks step. The archive is replayed while events flow.
    Journal, stream, queues and archive are read beside the product.

    Exit status: 0 each event is accounted for, 1 something does not hold, or was not reached.
    """
    end_in_order()
    seed = random.randrange(_LARGEST_SEED) if seed is None else seed  # noqa: S311 - no secret
    plan = MillionPlan(events, minutes * 60, seed, drain, seconds)
    console.print(f"seed {seed}, {events:,} events within {minutes:g} minutes")
    try:
        run = run_million(plan, state.resolve(), assembly.resolve())
    except PipelineError as error:
        say_error(error, "million")
        raise typer.Exit(DOES_NOT_HOLD) from None
    write_run(run, output)
    if graphs is not None:
        # Rarely asked for, and it takes a while to import.
        from loadtests.million.graph import draw_memory

        draw_memory(run.memory, graphs)
    rows = [(way["requests"], way["events"], name) for name, way in run.ways.items()]
    print_table("Ways in", ("requests", "events", "way"), rows)
    print_run(run)
    for miss in run.misses():
        console.print(f"not reached: {miss}", style="red")
    if not run.holds:
        console.print(f"Repeat with --seed {seed}. State and logs: {state}", style="red")
        raise typer.Exit(DOES_NOT_HOLD)
    console.print(
        f"{run.events:,} events in {run.whole_seconds:.0f} seconds, {run.fault_kinds} kinds of "
        "fault; every event is accounted for.",
        style="green",
    )


if __name__ == "__main__":
    typer.run(million)
