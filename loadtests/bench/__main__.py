"""Runs the benchmarks: `python -m loadtests.bench`, or `make bench`."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

from loadtests.bench import cold_start, fan_out, report
from loadtests.bench.arena import arena
from pipeline.cli.output import console, errors


def main() -> None:
    """Measure, print a table, and write `build/bench.json`."""
    parser = argparse.ArgumentParser(
        description="CPU time for an event, beside the floor and other designs, in one run.",
        epilog="The machine is shared: compare figures of one run, not of two.",
    )
    parser.add_argument("--rounds", type=int, default=9, help="how often each is measured")
    parser.add_argument("--output", type=Path, default=report.FILE, help="where figures go")
    arguments = parser.parse_args()
    if arguments.rounds < 1:
        parser.error("--rounds: 1 or more")
    figures: dict[str, Any] = {"machine": report.machine(), "rounds": arguments.rounds}
    with errors.status("importing each handler in fresh interpreters"):
        figures["cold_start_ms"] = cold_start.run(arguments.rounds)
    with (
        errors.status("measuring the fan-out and its contenders"),
        tempfile.TemporaryDirectory(prefix="mozdef-ef-bench-") as folder,
        arena(Path(folder)) as place,
    ):
        figures |= fan_out.run(place, arguments.rounds)
    report.write(figures, arguments.output)
    report.show(figures)
    console.print(f"figures: {arguments.output}")


if __name__ == "__main__":
    main()
