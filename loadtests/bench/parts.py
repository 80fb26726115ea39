"""The parts of the benchmarks, and how they are run."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loadtests.bench import archives, cold_start, end_to_end, fan_out, front_door, gateway, growth
from loadtests.bench import replay_memory as memory
from loadtests.bench.arena import arena
from pipeline.cli.output import errors

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from loadtests.bench.arena import Arena

#: Parts that use the emulator, by what is said while they run. Large differences show in a few
#: rounds, and the time of all of them is limited.
_IN_ARENA: dict[str, tuple[str, Callable[[Arena, int], dict[str, Any]]]] = {
    "fan_out": ("measuring the fan-out and its contenders", fan_out.run),
    "growth": ("measuring how the cost of an event grows", growth.run),
    "archive": ("measuring archiver, replay and audit", archives.run),
    "front_door": ("measuring authorizer, receiver and mapping template", front_door.run),
    "cold_start": ("starting each handler in fresh interpreters", cold_start.run),
}
_ALONE: dict[str, tuple[str, Callable[[Path, int], dict[str, Any]]]] = {
    "gateway": ("measuring the local gateway", gateway.run),
    "replay_memory": ("replaying 2 GB", lambda folder, _: memory.run(folder)),
    "end_to_end": ("sending for a minute and a half", lambda folder, _: end_to_end.run(folder)),
}
PARTS = (*_IN_ARENA, *_ALONE)


def run(parts: Collection[str], rounds: int) -> dict[str, Any]:
    """Run some parts.

    Parameters
    ----------
    parts : Collection[str]
        Names of `PARTS`.
    rounds : int
        How often each thing is measured.

    Returns
    -------
    dict[str, Any]
        Their figures.
    """
    figures: dict[str, Any] = {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mozdef-ef-bench-")))
        if any(part in _IN_ARENA for part in parts):
            with arena(folder / "arena") as place:
                for part, (what, measure) in _IN_ARENA.items():
                    if part in parts:
                        with errors.status(what):
                            figures |= measure(place, rounds)
        for part, (what, measure_alone) in _ALONE.items():
            if part in parts:
                with errors.status(what):
                    figures |= measure_alone(folder, rounds)
    return figures
