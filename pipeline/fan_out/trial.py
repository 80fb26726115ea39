"""Tries the records of a batch that is late in a process of its own: one of them may be deadly.

A record that ends the function's process, or lets it hang until its time is up, would do so again
with every retry, and hold up its shard until bisecting and retries have found it. Whatever dies of
a record leaves it, and all that came with it, to be delivered again: late. So a late batch is tried
first, record by record, in a child, without services. What the child dies of is set aside.

Unhurt, a late batch (of a backlog) costs the time of its examination twice.
"""

from __future__ import annotations

import os
import resource
import signal
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pipeline.event.events import Outcomes
from pipeline.event.mozdef_event import write_message
from pipeline.event.steps import examine

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pipeline.event.compiled_source import Catalog
    from pipeline.event.events import Record
    from pipeline.runtime.deadline import Deadline

#: How old its oldest record is when a batch is tried, in seconds. A healthy fan-out has a batch
#: within two or three seconds of its arrival.
LATE_SECONDS = 10.0
#: How long a child may take for one record at the most, in seconds; a small function has half a
#: processor. It is a quarter of the time that is left, where that is less.
PATIENCE_SECONDS = 10.0
#: The share of an invocation's time that a trial may take; the rest is for the batch itself.
_TIME_SHARE = 0.5
#: The share of the function's memory that a record may take.
_SHARE = 0.5
#: Exit codes of a child.
_OUT_OF_MEMORY, _NO_TRIAL, _NO_TIME = 77, 78, 79
_MEGABYTE = 1_048_576


@dataclass
class Findings:
    """What came of a trial.

    Parameters
    ----------
    deadly : dict[str, str]
        The places of the records to set aside, and what they did.
    untried : set[str]
        The places of those for which there was no time: what precedes them can be settled.
    """

    deadly: dict[str, str] = field(default_factory=dict)
    untried: set[str] = field(default_factory=set)


class Trial:
    """Tries late batches.

    Parameters
    ----------
    memory_mb : int
        The function's memory.
    clock : Callable[[], float]
        Epoch seconds.
    """

    def __init__(
        self,
        catalog: Catalog,
        memory_mb: int,
        clock: Callable[[], float] = time.time,
        longest_patience: float = PATIENCE_SECONDS,
    ) -> None:
        self._catalog = catalog
        self._memory = int(memory_mb * _MEGABYTE * _SHARE)
        self._clock = clock
        self._longest_patience = self._patience = longest_patience

    def is_due(self, records: Sequence[Mapping[str, Any]]) -> bool:
        """Tell whether a batch is late, by its records as the mapping gave them."""
        arrivals = (
            float(one["kinesis"].get("approximateArrivalTimestamp", 0.0)) for one in records
        )
        return self._clock() - min(arrivals, default=self._clock()) >= LATE_SECONDS

    def of(self, records: Sequence[Record], deadline: Deadline) -> Findings:
        """Try records, until there is no time for more; the first child is always tried."""
        findings = Findings()
        left, begun = list(records), deadline.time_left()
        share = max(1.0, begun * _TIME_SHARE)
        self._patience = min(self._longest_patience, share / 2)
        while left:
            done, status = self._try(left, share - (begun - deadline.time_left()))
            if status == _NO_TRIAL:
                break
            if done < len(left) and status != _NO_TIME:
                findings.deadly[left[done].place] = self._say(status)
                done += 1
            left = left[done:]
            if begun - deadline.time_left() > share - self._patience:
                findings.untried = {one.place for one in left}
                break
        return findings

    def _try(self, records: Sequence[Record], seconds: float) -> tuple[int, int]:
        """Try records in a child; return how many it survived, and its exit code."""
        reading, writing = os.pipe()
        try:
            child = os.fork()
        except OSError:  # no process can be made: the batch goes on as it is
            os.close(reading)
            os.close(writing)
            return 0, _NO_TRIAL
        if child == 0:
            self._be_tried(records, writing, time.monotonic() + seconds - self._patience)
        os.close(writing)
        done = 0
        try:
            while answer := os.read(reading, 65_536):
                done += len(answer)
        finally:
            os.close(reading)
            _, status = os.waitpid(child, 0)
        return done, os.waitstatus_to_exitcode(status)

    def _be_tried(self, records: Sequence[Record], writing: int, until: float) -> None:
        """Be the child, to its end."""
        code = _NO_TRIAL
        try:
            # Of the system and not of Python, so that no code can withhold it; and it ends the
            # child also where nobody waits for it any more.
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGALRM})
            self._limit_memory()
            code = 1
            for record in records:
                signal.setitimer(signal.ITIMER_REAL, self._patience)
                if self._runs_out_of_memory(record):
                    code = _OUT_OF_MEMORY
                    return
                os.write(writing, b".")
                if time.monotonic() > until:
                    code = _NO_TIME
                    return
        except MemoryError:
            code = _OUT_OF_MEMORY
        finally:
            os._exit(code)

    def _runs_out_of_memory(self, record: Record) -> bool:
        outcomes = Outcomes()
        # Signatures are checked later: no connection may be used by two processes.
        outcomes.each(examine([record], outcomes, self._catalog, None), write_message)
        return any(one.explanation.startswith("MemoryError") for one in outcomes.all)

    def _limit_memory(self) -> None:
        # proc(5), statm: the sixth number is data and stack, in pages.
        with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123 - no more imports
            pages = int(file.read().split()[5])
        limit = pages * resource.getpagesize() + self._memory
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))

    def _say(self, code: int) -> str:
        if code == -signal.SIGALRM:
            return f"it took more than {self._patience:.0f} s"
        if code == _OUT_OF_MEMORY:
            return f"it took more than {self._memory // _MEGABYTE} MB"
        how = f"signal {-code}" if code < 0 else f"status {code}"
        return f"it ended the process that tried it ({how})"
