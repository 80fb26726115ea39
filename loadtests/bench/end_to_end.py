"""The whole way on this machine, by the load test: how many events a second, and how fast."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson

from pipeline.errors import PipelineError

ROOT = Path(__file__).parents[2]
#: Events of 1 KB alone, so that a rate means the same in every run.
MIX = "zoom-direct:small=1"
#: More than what two cores sustain would only make a backlog; less says how fast an answer is.
FULL_RATE, FULL_SECONDS = 1_650, 60
EASY_RATE, EASY_SECONDS = 500, 30
NEEDED = (
    "events_per_second",
    "p50_ms",
    "p99_ms",
    "delivery_p50_ms",
    "delivery_p99_ms",
    "backlog_max",
    "accepted",
    "lost",
)


class LoadFiguresError(PipelineError):
    """A load test failed, or its figures are not in the form that is known here."""


def run(folder: Path) -> dict[str, Any]:
    """Send at two rates, each to a pipeline of its own, and account for each event.

    Parameters
    ----------
    folder : Path
        For states, reports and figures.

    Returns
    -------
    dict[str, Any]
        `end_to_end`: `events_per_second` that were accepted at the full rate; `p50_ms` and
        `p99_ms` of the answers at the easy one; `at_rate`, what was found at each.

    Raises
    ------
    LoadFiguresError
        When a threshold is exceeded, or an event is not accounted for.
    """
    found = {
        str(rate): _at(rate, seconds, folder / f"load-{rate}")
        for rate, seconds in ((EASY_RATE, EASY_SECONDS), (FULL_RATE, FULL_SECONDS))
    }
    easy, full = found.values()
    figures = {
        "events_per_second": full["events_per_second"],
        "p50_ms": easy["p50_ms"],
        "p99_ms": easy["p99_ms"],
        "at_rate": found,
    }
    return {"end_to_end": figures}


def _at(rate: int, seconds: int, folder: Path) -> dict[str, Any]:
    options = ["--rate", str(rate), "--seconds", str(seconds), "--mix", MIX]
    # Not what may run in the working directory: its queues have other readers.
    options += ["--state", str(folder / "none"), "--output", str(folder)]
    done = subprocess.run(
        [sys.executable, "-m", "loadtests.load", *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        raise LoadFiguresError(
            f"the load test of {rate} events a second ended with {done.returncode}: "
            f"{' / '.join(said[-3:])}; run 'make load RATE={rate} MIX={MIX}' to see it whole"
        )
    return read(folder / "load.json")


def read(file: Path) -> dict[str, Any]:
    """Give the figures of a load test.

    Parameters
    ----------
    file : Path
        What it wrote.

    Raises
    ------
    LoadFiguresError
        When it is not there, or holds something else.
    """
    try:
        found = orjson.loads(file.read_bytes())
    except OSError:
        raise LoadFiguresError(f"{file}: the load test did not write it") from None
    except orjson.JSONDecodeError as error:
        raise LoadFiguresError(f"{file}: not JSON ({error})") from None
    if not isinstance(found, dict):
        raise LoadFiguresError(f"{file}: no JSON object")
    for name in NEEDED:
        if isinstance(found.get(name), bool) or not isinstance(found.get(name), int | float):
            raise LoadFiguresError(f"{file}: {name} is missing or no number")
    return {name: found[name] for name in NEEDED}
