"""The parts of the benchmarks, and how they are run."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loadtests.bench import (
    archives,
    bodies,
    body_rules,
    cold_start,
    console_pages,
    end_to_end,
    fan_out,
    front_door,
    gateway,
    growth,
    proofs,
)
from loadtests.bench import replay_memory as memory
from loadtests.bench.arena import arena
from pipeline.errors import PipelineError
from toolbox.terminal.console import tell_uncaught
from toolbox.terminal.output import errors

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

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
    "body_rules": ("changing a body by its rules", lambda _, rounds: body_rules.run(rounds)),
    "bodies": ("reading bodies that are no JSON", lambda _, rounds: bodies.run(rounds)),
    "proofs": ("checking each kind of proof", lambda _, rounds: proofs.run(rounds)),
    "gateway": ("measuring the local gateway", gateway.run),
    "console": ("filling an archive, and asking the console for its pages", console_pages.run),
    "replay_memory": ("replaying 2 GB", lambda folder, _: memory.run(folder)),
    "end_to_end": (
        "finding what this machine can do, and sending at shares of it",
        lambda folder, _: end_to_end.run(folder),
    ),
}
PARTS = (*_IN_ARENA, *_ALONE)


@dataclass(frozen=True)
class Ended:
    """A part that came to its end.

    Parameters
    ----------
    figures : dict[str, Any]
        What it measured; nothing where it failed.
    failure : str
        Why it failed, if it did.
    """

    part: str
    figures: dict[str, Any] = field(default_factory=dict)
    failure: str = ""


def run(parts: Collection[str], rounds: int) -> Iterator[Ended]:
    """Run some parts; one that fails does not keep the others from running.

    Parameters
    ----------
    parts : Collection[str]
        Names of `PARTS`.
    rounds : int
        How often each thing is measured.

    Yields
    ------
    Ended
        Each as it ends.
    """
    with tempfile.TemporaryDirectory(prefix="mozdef-ef-bench-") as name:
        folder = Path(name)
        for part, (what, in_arena) in _IN_ARENA.items():
            if part in parts:
                yield _ended(part, what, partial(_in_its_arena, in_arena, folder / part, rounds))
        for part, (what, measure) in _ALONE.items():
            if part in parts:
                yield _ended(part, what, partial(measure, folder, rounds))


def _in_its_arena(
    measure: Callable[[Arena, int], dict[str, Any]], folder: Path, rounds: int
) -> dict[str, Any]:
    """Measure with services of its own: what one part leaves in them is no other part's work."""
    with arena(folder) as place:
        return measure(place, rounds)


def _ended(part: str, what: str, measure: Callable[[], dict[str, Any]]) -> Ended:
    try:
        with errors.status(what):
            return Ended(part, measure())
    except Exception as error:  # noqa: BLE001 - a fault of one part must not lose the others
        return Ended(part, failure=_reason(error))


def _reason(error: Exception) -> str:
    """Say why a part failed; what nobody has foreseen is shown whole on standard error."""
    if isinstance(error, PipelineError):
        return str(error)
    tell_uncaught(type(error), error, error.__traceback__)
    return f"{type(error).__name__}: {error}"
