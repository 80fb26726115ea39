"""What a cold start takes: import and first invocation of each handler in a fresh interpreter.

It has what ships, and nothing else: no checkout, no installed package, nowhere to write.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import orjson

from loadtests.bench.sample_events import batch_event, makers
from loadtests.bench.shipped import ROOT, boto3_for_comparison, ship
from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from loadtests.bench.arena import Arena
    from loadtests.bench.shipped import Shipped

T = TypeVar("T")
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
    import_ms, import_wall_ms : float
        CPU time of the import, and how long it took.
    invocation_ms : list[float]
        CPU time of each invocation; the first one makes clients and reads secrets.
    peak_memory_mb : float
        The most memory that the process held.
    """

    import_ms: float
    import_wall_ms: float
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


def start(
    module: str, arena: Arena, shipped: Shipped, invocations: Sequence[Mapping[str, Any]] = ()
) -> Start:
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
    done = shipped.run([str(_SCRIPT), module, str(figures), *files], arena.environment)
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
        Medians. `cold_start_ms` and `first_invocation_ms`, handler to milliseconds of CPU,
        `cold_start_wall_ms`, and `peak_memory_mb`, where `fan_out_500` is the peak after batches
        of 500 events of 10 KB. For comparison: `warm_tree_ms`, the import of the same modules from
        a writable folder with the bytecode that Python has put there, and `import_boto3_ms`.
        `assets` has the bytes of code and layer, `python` the interpreter's version.
    """
    shipped, warm = ship(arena.sources, arena.folder / "shipped")
    sdk = boto3_for_comparison(shipped.python)
    ours: dict[str, list[Start]] = {handler: [] for handler in handlers()}
    theirs: dict[str, list[float]] = {handler: [] for handler in handlers()}
    boto3: list[float] = []
    _import_ms(sdk)  # and its bytecode is written
    for handler in handlers():
        start(handler, arena, warm)
    with makers(arena) as make:
        for _ in range(rounds):
            boto3.append(_import_ms(sdk))
            for handler, starts in ours.items():
                name = handler.partition(".")[2]
                starts.append(start(handler, arena, shipped, [make[name]()]))
                theirs[handler].append(start(handler, arena, warm).import_ms)
    memory = _each(ours, lambda one: one.peak_memory_mb)
    return {
        "cold_start_ms": _each(ours, lambda one: one.import_ms),
        "cold_start_wall_ms": _each(ours, lambda one: one.import_wall_ms),
        "warm_tree_ms": _each(theirs, float),
        "first_invocation_ms": _each(ours, lambda one: one.invocation_ms[0]),
        "peak_memory_mb": {**memory, "fan_out_500": large_batch_memory_mb(arena, shipped)},
        "import_boto3_ms": _median(boto3),
        "assets": shipped.sizes(),
        "python": shipped.version(),
    }


def _import_ms(sdk: Shipped) -> float:
    code = "import time; start = time.process_time(); import boto3; "
    code += "print((time.process_time() - start) * 1000)"
    return float(sdk.run(["-c", code], {}).stdout)


def _each(taken: Mapping[str, Sequence[T]], figure: Callable[[T], float]) -> dict[str, float]:
    return {
        handler.partition(".")[2]: _median([figure(one) for one in all_])
        for handler, all_ in taken.items()
    }


def large_batch_memory_mb(arena: Arena, shipped: Shipped) -> float:
    """Return the fan-out's peak memory after some batches of 500 events of 10 KB."""
    batches = [batch_event(arena, LARGE_BATCH) for _ in range(LARGE_BATCHES)]
    found = start("stream_processors.fan_out", arena, shipped, batches)
    if any(result["batchItemFailures"] for result in found.results):
        raise ColdStartError("stream_processors.fan_out: a batch of the benchmarks did not settle")
    arena.empty()
    return round(found.peak_memory_mb, 1)


def _median(values: Sequence[float]) -> float:
    return round(statistics.median(values), 1)
