"""Measures in an interpreter of its own what `shipped_work` asks for, a line of JSON each.

A line names a work and a file with what it is given; the answer has seconds of CPU, by step where
it is parted. It runs beside what ships, so what has other packages is imported when it is asked
for. Argument: a descriptor for the answers, as what the handlers write is thrown away.
"""

from __future__ import annotations

import gc
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loadtests.bench.measuring import cpu_seconds
from loadtests.bench.stand_ins import FakeContext

if TYPE_CHECKING:
    from collections.abc import Callable


def _floor(bodies: list[str]) -> dict[str, float]:
    from loadtests.bench.floor import floor

    return _whole(floor([one.encode() for one in bodies]))


def _fan_out(batches: list[Any]) -> dict[str, float]:
    from loadtests.bench.handling import invoke

    def work() -> None:
        for batch in batches:
            invoke(batch)

    return _whole(work)


def _no_op_services(batch: list[Any]) -> dict[str, float]:
    from loadtests.bench.handling import process_alone

    return _whole(lambda: process_alone(batch))


def _steps(batch: list[Any]) -> dict[str, float]:
    from loadtests.bench.steps import split_by_step

    gc.collect()
    return split_by_step(batch)


def _old_design(events: list[Any]) -> dict[str, float]:
    from loadtests.bench.contenders import old_design

    return _whole(old_design(_queues(), events))


def _powertools(given: dict[str, Any]) -> dict[str, float]:
    from loadtests.bench.contenders import powertools

    return _whole(powertools(_queues(), given["schemas"], given["batch"], FakeContext()))


def _queues() -> dict[str, str]:
    return dict(json.loads(os.environ["QUEUE_URLS"]))


def _whole(work: Callable[[], Any]) -> dict[str, float]:
    gc.collect()
    start = cpu_seconds()
    work()
    return {"whole": cpu_seconds() - start}


WORK: dict[str, Callable[[Any], dict[str, float]]] = {
    "floor": _floor,
    "fan_out": _fan_out,
    "no_op_services": _no_op_services,
    "steps": _steps,
    "old_design": _old_design,
    "powertools": _powertools,
}


def main() -> None:
    """Answer until there are no more questions."""
    with open(int(sys.argv[1]), "w", encoding="utf-8") as answers:  # noqa: PTH123 - a descriptor
        for line in sys.stdin:
            name, file = json.loads(line)
            # As Lambda's runtime for Python reads an event.
            found = WORK[name](json.loads(Path(file).read_bytes()))
            answers.write(json.dumps(found) + "\n")
            answers.flush()


if __name__ == "__main__":
    main()
