"""CPU time of this process, contenders by turns: other load on the machine meets all alike."""

from __future__ import annotations

import gc
import os
import resource
import statistics
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

T = TypeVar("T")
MICRO = 1e6


class WorkError(PipelineError):
    """A part did not do what is measured: its figure would mean nothing."""


@dataclass
class CpuSample:
    """What one contender took in each round, in microseconds of CPU for each unit of work."""

    rounds: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        """The median of the rounds."""
        return statistics.median(self.rounds)

    @property
    def spread(self) -> tuple[float, float]:
        """The least and the most of the rounds."""
        return min(self.rounds), max(self.rounds)


def _nothing() -> None:
    pass


@dataclass(frozen=True)
class Contender:
    """Something to measure.

    Parameters
    ----------
    work : Callable[[], int]
        Does it once, and tells how many units of work that was.
    prepare, clean_up : Callable[[], None]
        Called before and after each time, outside of what is measured.
    """

    work: Callable[[], int]
    prepare: Callable[[], None] = _nothing
    clean_up: Callable[[], None] = _nothing


def cpu_seconds() -> float:
    """Return user and system time of this process and its threads, in seconds."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


@contextmanager
def no_output() -> Iterator[None]:
    """Throw away what the handlers write: their loggers hold on to the standard output."""
    sys.stdout.flush()
    kept = os.dup(1)
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        try:
            yield
        finally:
            sys.stdout.flush()
            os.dup2(kept, 1)
            os.close(kept)


def compare(
    contenders: Mapping[str, Contender], rounds: int, warm_up: int = 1
) -> dict[str, CpuSample]:
    """Measure contenders by turns.

    Parameters
    ----------
    contenders : Mapping[str, Contender]
        By name.
    rounds : int
        How often each is measured.
    warm_up : int
        How often each runs before that.

    Returns
    -------
    dict[str, CpuSample]
        By contender.
    """
    samples = {name: CpuSample() for name in contenders}
    for number in range(warm_up + rounds):
        for name, contender in contenders.items():
            contender.prepare()
            gc.collect()
            start = cpu_seconds()
            units = contender.work()
            used = cpu_seconds() - start
            contender.clean_up()
            if number >= warm_up:
                samples[name].rounds.append(used / units * MICRO)
    return samples


class Stopwatch:
    """Adds up CPU time by step.

    `process_time` has a resolution of nanoseconds; a step takes milliseconds for a batch.
    """

    def __init__(self) -> None:
        self.steps: dict[str, float] = {}

    def __call__(self, name: str, work: Callable[[], T]) -> T:
        """Do some work and add its time to a step."""
        start = time.process_time()
        result = work()
        self.steps[name] = self.steps.get(name, 0.0) + time.process_time() - start
        return result
