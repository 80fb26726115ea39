"""How much memory each process of a run holds, over time."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass, field
from typing import Any

import psutil  # type: ignore[import-untyped]

#: Where AWS keeps what this process holds: stream, table, the lists of objects.
STORE = "emulator, in the place of AWS"
#: What a process is called, by what its command line holds.
_NAMES = {
    "local.emulator_process": STORE,
    "local.gateway_process": "gateway",
    "loadtests.soak.runtime": "event source mappings",
    "loadtests.soak.proxy": "fault proxy",
    "stream_processors.fan_out": "fan-out",
    "stream_processors.archiver": "archiver",
    "ingest_lambdas.receiver": "receiver",
    "ingest_lambdas.authorizer": "authorizer",
    "stream_processors.poller": "poller",
    "ingest_lambdas.poller": "poller",
    "replay": "replay",
    "loadtests.million.collector": "readers of stream and queues",
    "loadtests.million": "senders and oracle",
}
_MIB = 2**20
#: What starts up is left out of a slope: interpreters, modules, pools.
_WARM = 0.25


@dataclass
class MemorySamples:
    """Resident memory by role: MiB at seconds since the start, of the largest process of each."""

    start: float = field(default_factory=time.monotonic)
    roles: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    processor: dict[str, float] = field(default_factory=dict)
    _seen: dict[tuple[int, float], tuple[str, float]] = field(default_factory=dict)

    def take(self) -> None:
        """Look at this process and all below it."""
        at = time.monotonic() - self.start
        largest: dict[str, float] = {}
        me = psutil.Process()
        for process in [me, *me.children(recursive=True)]:
            try:
                with process.oneshot():
                    role = _role(process)
                    if not role:
                        continue
                    held = process.memory_info().rss / _MIB
                    times = process.cpu_times()
                    self._seen[process.pid, process.create_time()] = (
                        role,
                        times.user + times.system,
                    )
            except psutil.Error:
                continue  # it ended just now
            largest[role] = max(largest.get(role, 0.0), held)
        for role, held in largest.items():
            self.roles.setdefault(role, []).append((round(at, 1), round(held, 1)))

    def processor_seconds(self) -> dict[str, float]:
        """Return processor time by role, of ended processes as it was last seen."""
        found: dict[str, float] = {}
        for role, seconds in self._seen.values():
            found[role] = found.get(role, 0.0) + seconds
        return {role: round(seconds, 1) for role, seconds in sorted(found.items())}

    def figures(self) -> dict[str, Any]:
        """Return for each role how it began, the most, how it ended, and its slope."""
        return {
            role: {
                "first_mib": samples[0][1],
                "most_mib": max(held for _, held in samples),
                "last_mib": samples[-1][1],
                "mib_an_hour": _slope(samples),
                "samples": samples,
            }
            for role, samples in sorted(self.roles.items())
        }


def _role(process: Any) -> str:
    command = " ".join(process.cmdline())
    return next((name for part, name in _NAMES.items() if part in command), "")


def _slope(samples: list[tuple[float, float]]) -> float:
    """Return the growth in MiB an hour, of a line through what follows the start."""
    warm = [one for one in samples if one[0] >= samples[-1][0] * _WARM]
    if len(warm) < 3 or warm[0][0] == warm[-1][0]:
        return 0.0
    at, held = zip(*warm, strict=True)
    return round(statistics.linear_regression(at, held).slope * 3_600, 1)
