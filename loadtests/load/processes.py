"""How much processor time each process of a load test takes."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import psutil  # type: ignore[import-untyped]

if TYPE_CHECKING:
    from collections.abc import Mapping

#: What a process is called, by what its command line holds.
_NAMES = {
    "locustfile.py": "locust",
    "loadtests.load.consumer": "consumer of the queues",
    "loadtests.load.runtime": "event source mappings",
    "local.emulator_process": "emulator (Kinesis, SQS, DynamoDB, S3)",
    "local.gateway_process": "gateway",
    "stream_processors.fan_out": "fan-out",
    "stream_processors.archiver": "archiver",
    "ingest_lambdas.authorizer": "authorizer",
    "ingest_lambdas.receiver": "receiver",
}


def processor_seconds() -> dict[str, float]:
    """Return the processor time of this process's descendants by what they are, so far."""
    found: defaultdict[str, float] = defaultdict(float)
    for process in psutil.Process().children(recursive=True):
        try:
            command = " ".join(process.cmdline())
            times = process.cpu_times()
        except psutil.Error:
            continue  # it ended just now
        name = next((name for part, name in _NAMES.items() if part in command), "")
        if name:
            found[name] += times.user + times.system
    return found


def microseconds_for_each(
    before: Mapping[str, float], after: Mapping[str, float], events: int
) -> dict[str, float]:
    """Return the processor time that an event took, by process, the largest first."""
    used = {name: after[name] - before.get(name, 0.0) for name in after}
    return {
        name: round(seconds * 1e6 / events, 1)
        for name, seconds in sorted(used.items(), key=lambda item: -item[1])
        if events
    }


def machine_load() -> dict[str, float]:
    """Return cores, load average and the idle share since the last call."""
    return {
        "cores": float(psutil.cpu_count() or 0),
        "load_average": round(psutil.getloadavg()[0], 2),
        "busy_percent": psutil.cpu_percent(),
    }
