"""The figures of a run as a table, and as `build/bench.json`."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

import orjson

from pipeline.cli.output import console, print_table

FILE = Path("build") / "bench.json"


def machine() -> dict[str, Any]:
    """Say where the figures were taken: they are worth nothing without it."""
    return {
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "load_average": [round(value, 2) for value in os.getloadavg()],
    }


def write(figures: dict[str, Any], file: Path = FILE) -> None:
    """Write the figures for programs.

    Parameters
    ----------
    figures : dict[str, Any]
        By part.
    file : Path
        Where to.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(orjson.dumps(figures, option=orjson.OPT_INDENT_2))


def show(figures: dict[str, Any]) -> None:
    """Print the figures for people.

    Parameters
    ----------
    figures : dict[str, Any]
        By part.
    """
    for kind in ("github_10kb", "small_1kb"):
        if kind in figures:
            _show_kind(kind, figures[kind])
    if "cold_start_ms" in figures:
        print_table(
            "Import of a handler in a fresh interpreter, milliseconds of CPU",
            ("handler", "ms"),
            sorted(figures["cold_start_ms"].items()),
        )


def _show_kind(kind: str, found: dict[str, Any]) -> None:
    ours = found["fan_out_us"]
    taken = {
        **{f"fan-out, batch of {size}": us for size, us in found["by_batch_us"].items()},
        "fan-out, 500 in aggregates": found["aggregated_500_us"],
        "fan-out, services that answer at once": found["no_op_services_us"],
        "the floor": found["floor_us"],
        "one call for each event, the old way": found["old_design_us"],
        "powertools' BatchProcessor": found["powertools_us"],
    }
    print_table(
        f"{kind}: microseconds of CPU for an event",
        ("what", "us", "times the fan-out"),
        [(name, us, f"{us / ours:.2f}") for name, us in taken.items()],
    )
    steps = found["steps_us"]
    print_table(f"{kind}: by step", ("step", "us"), list(steps.items()))
    console.print(
        f"{ours / found['floor_us']:.2f} times the floor; the old way takes "
        f"{found['old_design_us'] / ours:.1f} times as long, powertools "
        f"{found['powertools_us'] / ours:.1f} times."
    )
