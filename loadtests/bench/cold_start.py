"""What a cold start takes: import and first invocation of each handler in a fresh interpreter."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from loadtests.bench.sample_events import batch_event, makers
from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from loadtests.bench.arena import Arena

ROOT = Path(__file__).parents[2]
PACKAGES = ("ingest_lambdas", "stream_processors")
#: A batch of the target: real events of 10 KB, and the largest batch of the mapping by default.
LARGE_BATCH, LARGE_BATCHES = 500, 3
_SCRIPT = Path(__file__).parent / "invoke_once.py"


class ColdStartError(PipelineError):
    """A handler failed in its own interpreter."""


@dataclass(frozen=True)
class Start:
    """What one fresh interpreter took.

    Parameters
    ----------
    invocation_ms : list[float]
        CPU time of each invocation; the first one makes clients and reads secrets.
    peak_memory_mb : float
        The most memory that the process held.
    """

    import_ms: float
    invocation_ms: list[float]
    peak_memory_mb: float
    results: list[Any]


def handlers() -> list[str]:
    """Return the modules of all handlers."""
    return [
        f"{package}.{path.stem}"
        for package in PACKAGES
        for path in sorted((ROOT / package).glob("[!_]*.py"))
    ]


def start(module: str, arena: Arena, invocations: Sequence[Mapping[str, Any]]) -> Start:
    """Start a handler in a fresh interpreter and invoke it.

    Parameters
    ----------
    invocations : Sequence[Mapping[str, Any]]
        An event for each invocation.

    Raises
    ------
    ColdStartError
        When it cannot be imported, or raises.
    """
    files = []
    for number, event in enumerate(invocations):
        file = arena.folder / f"event-{number}.json"
        file.write_bytes(orjson.dumps(event))
        files.append(str(file))
    figures = arena.folder / "start.json"
    done = subprocess.run(
        [sys.executable, "-P", str(_SCRIPT), module, str(figures), *files],
        cwd=ROOT,
        env={
            **os.environ,
            **arena.environment,
            "PYTHONPATH": f"{ROOT}{os.pathsep}{arena.folder}",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = done.stderr.strip().splitlines()[-1:] or ["nothing on standard error"]
        raise ColdStartError(f"{module}: ended with {done.returncode}: {said[0]}")
    return Start(**orjson.loads(figures.read_bytes()))


def run(arena: Arena, rounds: int) -> dict[str, Any]:
    """Measure each handler's cold start, by turns.

    Parameters
    ----------
    rounds : int
        How often each is started.

    Returns
    -------
    dict[str, Any]
        `cold_start_ms` and `first_invocation_ms`, handler to milliseconds of CPU, and
        `peak_memory_mb`; medians. `fan_out_500` is the peak after batches of 500 events of 10 KB.
        `import_boto3_ms` is for comparison: what nearly every other function imports.
    """
    taken: dict[str, list[Start]] = {handler: [] for handler in handlers()}
    boto3 = []
    with makers(arena) as make:
        for _ in range(rounds):
            boto3.append(_import_ms("boto3"))
            for handler, starts in taken.items():
                starts.append(start(handler, arena, [make[handler.partition(".")[2]]()]))
    named = {handler.partition(".")[2]: starts for handler, starts in taken.items()}
    memory = {name: _median([one.peak_memory_mb for one in all_]) for name, all_ in named.items()}
    memory["fan_out_500"] = large_batch_memory_mb(arena)
    return {
        "cold_start_ms": {
            name: _median([one.import_ms for one in all_]) for name, all_ in named.items()
        },
        "first_invocation_ms": {
            name: _median([one.invocation_ms[0] for one in all_]) for name, all_ in named.items()
        },
        "peak_memory_mb": memory,
        "import_boto3_ms": _median(boto3),
    }


def _import_ms(module: str) -> float:
    code = f"import time; start = time.process_time(); import {module}; "
    code += "print((time.process_time() - start) * 1000)"
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return float(done.stdout)


def large_batch_memory_mb(arena: Arena) -> float:
    """Return the fan-out's peak memory after some batches of 500 events of 10 KB."""
    batches = [batch_event(arena, LARGE_BATCH) for _ in range(LARGE_BATCHES)]
    found = start("stream_processors.fan_out", arena, batches)
    if any(result["batchItemFailures"] for result in found.results):
        raise ColdStartError("stream_processors.fan_out: a batch of the benchmarks did not settle")
    arena.empty()
    return round(found.peak_memory_mb, 1)


def _median(values: Sequence[float]) -> float:
    return round(statistics.median(values), 1)
