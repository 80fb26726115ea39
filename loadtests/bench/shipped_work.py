"""A process with what ships, under Lambda's Python, that measures what it is asked to."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import IO, TYPE_CHECKING, Any

import orjson

from loadtests.bench.measuring import MICRO, WorkError
from loadtests.bench.shipped import ROOT, beside_other_designs, ship

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from loadtests.bench.arena import Arena
    from loadtests.bench.shipped import Shipped


class Measuring:
    """Asks such a process, which is at `loadtests.bench.measured`.

    Parameters
    ----------
    folder : Path
        Holds what is given to it.
    """

    def __init__(self, process: subprocess.Popen[bytes], answers: IO[str], folder: Path) -> None:
        self._process, self._answers, self._folder = process, answers, folder

    def __call__(self, work: str, given: Any, events: int) -> dict[str, float]:
        """Return microseconds of CPU an event, by step where the work is parted.

        Raises
        ------
        WorkError
            When the process has ended, as it does of what fails.
        """
        file = self._folder / f"{work}.json"
        file.write_bytes(orjson.dumps(given))
        assert self._process.stdin is not None  # noqa: S101 - it was started with one
        with suppress(BrokenPipeError):
            self._process.stdin.write(orjson.dumps([work, str(file)]) + b"\n")
        answer = self._answers.readline()
        if not answer:
            raise WorkError(f"{work}: the process that measures it has ended, as said above")
        return {step: seconds / events * MICRO for step, seconds in json.loads(answer).items()}


@contextmanager
def measuring(arena: Arena) -> Iterator[tuple[Measuring, Measuring, str]]:
    """Start a process with what ships, and one with the packages of other designs.

    Yields
    ------
    tuple[Measuring, Measuring, str]
        Both, and the version of their Python.
    """
    folder = arena.folder / "measured"
    shipped, _ = ship(arena.sources, folder / "shipped")
    others = beside_other_designs(shipped, folder / "packages")
    with (
        started(shipped, arena.environment, folder / "ours") as ours,
        started(others, arena.environment, folder / "theirs") as theirs,
    ):
        yield ours, theirs, shipped.version()


@contextmanager
def started(shipped: Shipped, environment: Mapping[str, str], folder: Path) -> Iterator[Measuring]:
    """Start such a process; what it is given and its answers are in a folder, which is made."""
    beside = folder / "beside"
    beside.mkdir(parents=True)
    (beside / "loadtests").symlink_to(ROOT / "loadtests")
    measured = replace(shipped, beside=beside)
    reading, writing = os.pipe()
    with open(reading, encoding="utf-8") as answers:  # noqa: PTH123 - a descriptor
        try:
            arguments = ["-m", "loadtests.bench.measured", str(writing)]
            process = measured.start(arguments, environment, writing)
        finally:
            os.close(writing)
        with process:
            yield Measuring(process, answers, folder)
