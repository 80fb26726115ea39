"""Simulates the scenarios of docs/scaling.md: `make simulate`."""

from __future__ import annotations

import argparse
import os
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from loadtests.simulation.aws_limits import ON_DEMAND_SHARDS
from loadtests.simulation.model import Simulation
from loadtests.simulation.scenarios import read_stage, scenarios, stage_names
from local.files import write_atomically
from toolbox.terminal.output import console, print_table

if TYPE_CHECKING:
    from loadtests.simulation.model import Scenario
    from loadtests.simulation.results import Simulated

BUILD = Path(__file__).parents[2] / "build"
_COLUMNS = (
    "p50_s",
    "p99_s",
    "most_backlog",
    "most_age_s",
    "late_s",
    "failed",
    "most_invocations",
    "throttled_percent",
    "refused_percent",
    "most_in_queue",
)


def main() -> None:
    """Simulate, print a table, and write figures and graphs."""
    parser = argparse.ArgumentParser(description="Backlog and age at rates that AWS would see.")
    parser.add_argument("--only", default="", help="scenarios whose name has this in it")
    parser.add_argument("--output", type=Path, default=BUILD / "simulation.json")
    parser.add_argument("--graphs", type=Path, help="write graphs into this folder")
    arguments = parser.parse_args()
    started = time.monotonic()
    outcomes: dict[str, Simulated] = {}
    figures: dict[str, Any] = {}
    with console.status("simulating"), ProcessPoolExecutor(os.cpu_count()) as processes:
        names, read = stage_names(), partial(read_stage, folder=BUILD / "simulation-cdk.out")
        stages = dict(zip(names, processes.map(read, names), strict=True))
        chosen = [each for each in scenarios(stages) if arguments.only in each.name]
        # The longest first, or one process waits for the other in the end.
        work = [processes.submit(simulate, each) for each in sorted(chosen, key=_effort)]
        for done in as_completed(work):
            outcomes[done.result().name] = done.result()
            in_order = [outcomes[each.name] for each in chosen if each.name in outcomes]
            figures = {each.name: each.figures() for each in in_order}
            text = orjson.dumps(figures, option=orjson.OPT_INDENT_2).decode()
            write_atomically(arguments.output, text + "\n")
    rows = [(name, *(f"{each[column]:,}" for column in _COLUMNS)) for name, each in figures.items()]
    print_table("Simulated", ("events a second", *_COLUMNS), rows)
    console.print(f"figures: {arguments.output}, after {time.monotonic() - started:.0f} s")
    if arguments.graphs:
        from loadtests.simulation.graphs import draw

        for file in draw(outcomes, arguments.graphs):
            console.print(f"graph: {file}")


def _effort(scenario: Scenario) -> int:
    """Return what comes the sooner, the longer a scenario takes; an on-demand stream grows."""
    return -scenario.seconds * (scenario.stack.shards or ON_DEMAND_SHARDS * 8)


def simulate(scenario: Scenario) -> Simulated:
    """Run a scenario."""
    return Simulation(scenario).run()


if __name__ == "__main__":
    main()
