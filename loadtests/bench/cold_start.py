"""What a cold start takes: the import of each handler in a fresh interpreter."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("ingest_lambdas", "stream_processors")
_CODE = """\
import time
start = time.process_time()
import {handler}
print((time.process_time() - start) * 1000)
"""


def handlers() -> list[str]:
    """Give the modules of all handlers."""
    return [
        f"{package}.{path.stem}"
        for package in PACKAGES
        for path in sorted((ROOT / package).glob("[!_]*.py"))
    ]


def run(rounds: int) -> dict[str, float]:
    """Measure each handler's import, by turns.

    Parameters
    ----------
    rounds : int
        How often each is imported.

    Returns
    -------
    dict[str, float]
        Handler to milliseconds of CPU, the median.
    """
    taken: dict[str, list[float]] = {handler: [] for handler in handlers()}
    for _ in range(rounds):
        for handler, values in taken.items():
            values.append(_import(handler))
    return {
        handler.partition(".")[2]: round(statistics.median(values), 1)
        for handler, values in taken.items()
    }


def _import(handler: str) -> float:
    done = subprocess.run(
        [sys.executable, "-c", _CODE.format(handler=handler)],
        cwd=ROOT,
        env={**os.environ, "POWERTOOLS_SERVICE_NAME": "bench"},
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout)
