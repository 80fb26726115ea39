"""Runs the benchmarks: `python -m loadtests.bench`, or `make bench`."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

from loadtests.bench import parts, report
from local.leaving import end_in_order
from toolbox.terminal.output import DOES_NOT_HOLD, console, errors


def main() -> None:
    """Measure, print tables, and write `build/bench.json` as each part ends.

    Exit status: 0 all parts were measured, 1 one has failed, which is named; 2 wrong usage.
    """
    end_in_order()
    arguments = _arguments()
    start = time.monotonic()
    figures: dict[str, Any] = {"machine": report.machine(), "rounds": arguments.rounds}
    report.write(figures, arguments.output)
    for ended in parts.run(arguments.only, arguments.rounds):
        figures |= ended.figures
        if ended.failure:
            figures.setdefault("failed", {})[ended.part] = ended.failure
        report.write(figures, arguments.output)
    report.show(figures)
    console.print(f"figures: {arguments.output}, after {time.monotonic() - start:.0f} s")
    if arguments.graphs:
        from loadtests.bench import graphs

        for file in graphs.draw(figures, arguments.graphs):
            console.print(f"graph: {file}")
    for part, reason in figures.get("failed", {}).items():
        errors.print(f"{part} failed: {reason}", style="red")
    if "failed" in figures:
        sys.exit(DOES_NOT_HOLD)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="CPU time for an event, beside the floor and other designs, in one run.",
        epilog="The machine is shared: compare figures of one run, not of two.",
    )
    parser.add_argument("--rounds", type=rounds, default=7, help="how often each is measured")
    parser.add_argument("--only", type=chosen, default=parts.PARTS, help=", ".join(parts.PARTS))
    parser.add_argument("--output", type=Path, default=report.FILE, help="where figures go")
    parser.add_argument("--graphs", type=Path, help="write graphs into this folder")
    return parser.parse_args()


def rounds(text: str) -> int:
    """Read a number of rounds."""
    if not (text.isascii() and text.isdigit() and int(text)):
        raise argparse.ArgumentTypeError("1 or more")
    return int(text)


def chosen(text: str) -> tuple[str, ...]:
    """Read the names of some parts."""
    names = tuple(name.strip() for name in text.split(","))
    unknown = [name for name in names if name not in parts.PARTS]
    if unknown:
        known = ", ".join(parts.PARTS)
        raise argparse.ArgumentTypeError(f"no part {unknown[0]!r}; there are {known}")
    return names


if __name__ == "__main__":
    main()
