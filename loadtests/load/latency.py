"""Low latency beside the defaults, by turns at one rate, and the simulation beside both.

`make latency`: the figures go to `build/latency.json`.
"""

from __future__ import annotations

import argparse
import math
import statistics
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from loadtests.load.run import load_own
from loadtests.load.sending import Folder, LoadPlan
from loadtests.simulation.aws_limits import AccountQuotas
from loadtests.simulation.lane import SimulatedPace
from loadtests.simulation.model import Scenario, Simulation
from loadtests.simulation.stack import read_stack
from loadtests.simulation.workload import Demand, read_measured
from local.assembly import find_template
from local.files import write_atomically
from local.leaving import end_in_order
from local.mapping.pace import POLL_SECONDS, PUSH_SECONDS
from toolbox.terminal.output import console, print_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

BUILD = Path(__file__).parents[2] / "build"
#: What docs/scaling.md advises for low latency.
SETTINGS: dict[str, dict[str, dict[str, object]]] = {
    "defaults": {},
    "low latency": {"fan_out": {"batching_window_seconds": 0, "enhanced_fan_out": True}},
}
MIX = "zoom-direct:small=1"
_NAMES = ("delivery_p50_ms", "delivery_p99_ms", "backlog_max", "p50_ms", "p99_ms")
_INVOCATIONS = ("invocations", "invocation_ms", "events_an_invocation")


def main() -> None:
    """Measure, and print both settings side by side."""
    end_in_order()
    parser = argparse.ArgumentParser(description="The answer at the door to SQS, by settings.")
    parser.add_argument("--rate", type=float, default=500.0, help="requests a second")
    parser.add_argument("--seconds", type=float, default=40.0, help="of each turn")
    parser.add_argument("--turns", type=int, default=2, help="of each of the settings")
    parser.add_argument("--output", type=Path, default=BUILD / "latency.json")
    given = parser.parse_args()
    plan = LoadPlan(
        given.rate, given.seconds, 50, 0, "constant", MIX, 0.0, 0.0, 1.0, 1e9, 1e9, 10**9
    )
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in SETTINGS}
    for turn in range(given.turns):
        for name in SETTINGS:
            console.print(f"turn {turn + 1} of {given.turns}: {name}")
            found[name].append(_measure(name, plan))
    measured = {name: _medians(turns) for name, turns in found.items()}
    simulated = simulate(measured)
    ratios = {
        name: round(measured["low latency"][name] / measured["defaults"][name], 3)
        for name in _NAMES[:2]
    }
    figures = {"measured": measured, "simulated": simulated, "ratio": ratios, "turns": found}
    text = orjson.dumps(figures, option=orjson.OPT_INDENT_2).decode()
    write_atomically(given.output, text + "\n")
    rows = [
        (f"{name}, {kind}", *(f"{values[name].get(each, ''):,}" for each in _NAMES[:3]))
        for kind, values in (("measured", measured), ("simulated", simulated))
        for name in SETTINGS
    ]
    print_table("The answer at the door to SQS", ("", *_NAMES[:3]), rows)
    console.print(f"low latency to defaults: {ratios}; figures: {given.output}")


def _stage(name: str) -> Path:
    return BUILD / f"latency-stage-{name.replace(' ', '-')}"


def _measure(name: str, plan: LoadPlan) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="mozdef-ef-latency-") as temporary:
        folder = Path(temporary) / "results"
        folder.mkdir()
        state = Path(temporary) / "state"
        result = load_own(_stage(name), state, plan, Folder(folder), changes=SETTINGS[name])
    figures = result.figures()
    chosen = (*_NAMES, *_INVOCATIONS, "events_per_second", "lost", "faults", "machine")
    return {each: figures[each] for each in (*chosen, "cpu_us_per_event")}


def _medians(turns: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    names = (*_NAMES, *_INVOCATIONS, "events_per_second")
    return {name: round(statistics.median(turn[name] for turn in turns), 1) for name in names}


def invocation_line(measured: Iterable[Mapping[str, float]]) -> tuple[float, float]:
    """Return the milliseconds of a batch and of each event in it, from two settings' means."""
    few, many = sorted(measured, key=lambda each: each["events_an_invocation"])
    apart = many["events_an_invocation"] - few["events_an_invocation"]
    more = max(0.0, many["invocation_ms"] - few["invocation_ms"])
    per_event = more / apart if apart else 0.0
    return max(0.0, few["invocation_ms"] - per_event * few["events_an_invocation"]), per_event


def simulate(measured: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, float]]:
    """Simulate what was measured: each setting's template, its rate, this machine's invocations.

    What an invocation takes is a line through both settings' means, by its events.
    """
    per_batch, per_event = invocation_line(measured.values())
    usual = read_measured()
    time = replace(usual.times["fan_out"], ms_per_batch=per_batch, us_per_event=per_event * 1e3)
    found = {}
    for name, figures in measured.items():
        template = find_template(_stage(name) / "cdk.out", region="us-west-2")
        stack = read_stack(template)
        # The laptop has a whole core for a function, no limits of an account or a shard, and polls
        # more often in the place of a subscription.
        consumer = stack.consumer("fan_out")
        fan_out = replace(consumer, memory_mb=10_240, pushed=False)
        scenario = Scenario(
            name,
            replace(stack, consumers=(fan_out,)),
            Demand(figures["events_per_second"]),
            AccountQuotas(requests=1e9),
            seconds=120,
            step=0.5,
            pace=SimulatedPace(PUSH_SECONDS if consumer.pushed else POLL_SECONDS, reads=math.inf),
            measured=replace(usual, times={"fan_out": time}),
        )
        simulation = Simulation(scenario)
        outcome = simulation.run()
        spread = outcome.tallies["fan_out"].spread
        found[name] = {
            "delivery_p50_ms": round(spread.percentile(0.5) * 1e3, 1),
            "delivery_p99_ms": round(spread.percentile(0.99) * 1e3, 1),
            "backlog_max": float(round(max(each.backlog for each in outcome.moments))),
        }
    return found


if __name__ == "__main__":
    main()
