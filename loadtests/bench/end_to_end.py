"""The whole way on this machine, by the load test: how many events a second, and how fast."""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING, Any

from loadtests.bench.capacity import capacity
from loadtests.load.journal import read_journals
from loadtests.load.messages import read_messages
from loadtests.load.run import STAGE, load_own
from loadtests.load.sending import Folder, LoadPlan
from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from loadtests.load.results import Result

#: Events of 1 KB alone, so that a rate means the same in every run.
MIX = "zoom-direct:small=1"
#: More than two cores sustain; a machine that sustains more is measured at what this gives it.
RAMP_RATE, RAMP_SECONDS = 3_000, 25
#: At its capacity a machine makes a backlog now and then; at less an answer is worth its time.
FULL_SHARE, FULL_SECONDS = 0.7, 40
EASY_SHARE, EASY_SECONDS = 0.3, 20
_LEAST_USERS = 20
NEEDED = (
    "events_per_second",
    "p50_ms",
    "p99_ms",
    "delivery_p50_ms",
    "delivery_p99_ms",
    "backlog_max",
    "accepted",
    "lost",
)


class LoadFiguresError(PipelineError):
    """A load test failed, or its figures are not in the form that is known here."""


def load_once(plan: LoadPlan, folder: Path) -> Result:
    """Run the load test on a pipeline of its own."""
    (folder / "results").mkdir(parents=True)
    return load_own(STAGE, folder / "state", plan, Folder(folder / "results"), mix=MIX)


def run(folder: Path, load: Callable[[LoadPlan, Path], Result] = load_once) -> dict[str, Any]:
    """Find what this machine can do, then send at two shares of it, and account for each event.

    How fast it is decides nothing but the figures: no threshold is set.

    Parameters
    ----------
    load : Callable[[LoadPlan, Path], Result]
        Sends as planned, with a folder of its own, and leaves its journals in `results`.

    Returns
    -------
    dict[str, Any]
        `end_to_end`: `capacity_per_second`, requests that the machine sustains; of 70% of that,
        `events_per_second` that were accepted; of 30%, `p50_ms` and `p99_ms` of the answers;
        `at_rate`, what was found at each.

    Raises
    ------
    LoadFiguresError
        When an event is not accounted for, or nothing was delivered.
    """
    _sound(load(_plan(RAMP_RATE, RAMP_SECONDS, "ramp"), folder / "ramp"))
    ramp = Folder(folder / "ramp" / "results")
    sustained = capacity(read_journals(ramp.journals), read_messages(ramp.messages))
    if not sustained:
        raise LoadFiguresError("end to end: the ramp delivered nothing for five seconds and more")
    found = {}
    for share, seconds in ((EASY_SHARE, EASY_SECONDS), (FULL_SHARE, FULL_SECONDS)):
        rate = math.ceil(sustained * share)
        result = load(_plan(rate, seconds, "constant"), folder / f"load-{share}")
        found[str(rate)] = _sound(result)
    results = list(found.values())
    easy, full = results[0], results[-1]  # one and the same on a very slow machine
    figures = {
        "capacity_per_second": round(sustained),
        "events_per_second": full["events_per_second"],
        "p50_ms": easy["p50_ms"],
        "p99_ms": easy["p99_ms"],
        "at_rate": found,
    }
    return {"end_to_end": figures}


def _plan(rate: int, seconds: int, shape: str) -> LoadPlan:
    return LoadPlan(
        rate=rate,
        seconds=seconds,
        users=max(_LEAST_USERS, round(rate / 10)),
        processes=0,
        shape=shape,
        mix=MIX,
        duplicates=0.05,
        bad_requests=0.02,
        max_error_rate=1.0,
        p95_ms=math.inf,
        p99_ms=math.inf,
        max_backlog=sys.maxsize,
    )


def _sound(result: Result) -> dict[str, float]:
    """Return the figures of a load test in which each event is accounted for."""
    wrong = [*result.exceeded, *result.proof.faults]
    if wrong:
        raise LoadFiguresError(
            f"end to end, {result.plan.shape} of {result.plan.rate:,.0f} requests a second: "
            f"{' / '.join(wrong)}; run 'make load RATE={result.plan.rate:.0f} MIX={MIX}' to see it "
            "whole"
        )
    return pick(result.figures())


def pick(figures: dict[str, Any]) -> dict[str, float]:
    """Return the figures that are told of a load test.

    Raises
    ------
    LoadFiguresError
        When one is missing.
    """
    for name in NEEDED:
        if isinstance(figures.get(name), bool) or not isinstance(figures.get(name), int | float):
            raise LoadFiguresError(f"end to end: {name} is missing or no number")
    return {name: figures[name] for name in NEEDED}
