"""The run without a mutant: that the tests pass, what each costs, and which lines each covers."""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import coverage

from tests.mutants.plan import MutantError
from tests.mutants.trials import Children, Watcher, libraries, preload, run_tests

if TYPE_CHECKING:
    from pathlib import Path

    from tests.mutants.mutations import Mutant
    from tests.mutants.plan import Room

#: Seconds for all tests of a room, watched line by line, on a machine that is busy with others.
HANG_SECONDS = 1_800


@dataclass(frozen=True)
class Baseline:
    """What is known of a room's tests.

    Parameters
    ----------
    seconds : dict[str, float]
        Test to how long it takes.
    covering : dict[str, dict[int, set[str]]]
        File, line, and the tests that run it. The empty one stands for all: the line runs at
        import, or while something is set up.
    cpu_seconds : float
        What all of it took.
    """

    seconds: dict[str, float]
    covering: dict[str, dict[int, set[str]]]
    cpu_seconds: float

    def tests_for(self, mutant: Mutant) -> dict[str, float]:
        """Return the tests that can notice a mutant, with the time of each."""
        if not mutant.lines:
            return self.seconds
        lines = self.covering.get(mutant.file, {})
        found = set[str]().union(*(lines.get(line, set()) for line in mutant.lines))
        if "" in found:
            return self.seconds
        return {name: self.seconds[name] for name in found if name in self.seconds}

    def cpu_seconds_for(self, chosen: dict[str, float]) -> float:
        """Return what some of the tests may take: their share of what all took, three times."""
        return 3 * self.cpu_seconds * sum(chosen.values()) / (sum(self.seconds.values()) or 1.0)


def measure(project: Path, room: Room, folder: Path) -> Baseline:
    """Run a room's tests as the code is.

    Raises
    ------
    MutantError
        When they do not pass: then nothing they say of a mutant counts.
    """
    child = Children(folder, hang_seconds=HANG_SECONDS)
    ((_, result),) = child.each([lambda: _measure(project, room)])
    if result.status < 0:
        raise MutantError(
            f"{room.name}: its tests without a mutant were ended by signal {-result.status} (after "
            f"{HANG_SECONDS:,} seconds, or from outside); try again on a machine that is less busy"
        )
    if result.status != 0:
        raise MutantError(
            f"{room.name}: its tests do not pass without a mutant:\n{result.log[-3_000:]}"
        )
    said = result.said
    preload(said["libraries"])
    covering = {
        file: {int(line): set(tests) for line, tests in lines.items()}
        for file, lines in said["covering"].items()
    }
    return Baseline(said["seconds"], covering, said["cpu_seconds"])


def _measure(project: Path, room: Room) -> dict[str, Any]:
    measured = coverage.Coverage(
        data_file=None,
        config_file=False,
        include=[str(project / file) for file in room.files(project)],
    )
    watcher = Watcher(on_phase=measured.switch_context)
    measured.start()
    start = time.process_time()
    status = run_tests(project, room.tests, watcher)
    cpu_seconds = time.process_time() - start
    measured.stop()
    covering: dict[str, dict[int, list[str]]] = defaultdict(dict)
    data = measured.get_data()
    for file in room.files(project):
        covering[file] = data.contexts_by_lineno(str(project / file))
    return {
        "status": status,
        "seconds": watcher.seconds,
        "cpu_seconds": cpu_seconds,
        "covering": covering,
        "libraries": libraries(project),
    }
