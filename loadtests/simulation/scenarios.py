"""The scenarios of docs/scaling.md: three rates, and what may come upon each."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from loadtests.simulation.aws_limits import DEFAULT_ACCOUNT, NEW_ACCOUNT, AccountQuotas
from loadtests.simulation.model import Scenario
from loadtests.simulation.stack import read_stack
from loadtests.simulation.workload import SERVICES, Burst, Demand, Outage
from local.assembly import find_template
from toolbox.synthesis import synthesize

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from loadtests.simulation.stack import SimulatedStack

STAGES = Path(__file__).parent / "stages"
_REGION = "us-west-2"
#: An account of which more was asked for: for 100,000 events a second, and half as many again.
RAISED = AccountQuotas(
    requests=150_000, invocations=1_500, table_units=150_000, stream_shards=1_000
)
RATES = {"standard": 1_000, "tenthousand": 10_000, "hundredthousand": 100_000}
#: Its shards are alike: so many equal parts, of which one is simulated, but for the hot key.
_PARTS = 10
_QUOTAS = {"standard": DEFAULT_ACCOUNT, "tenthousand": DEFAULT_ACCOUNT, "hundredthousand": RAISED}
_BEGINS, _TEN_MINUTES = 300, 600
#: Enough for what a batch of an outage has of retries, and for catching up.
_SECONDS = 1_800
#: Five steps of an on-demand stream.
_NEW_SECONDS = 4_500


def stage_names() -> list[str]:
    """Return the simulation's stages by name."""
    return sorted(file.stem for file in STAGES.glob("*.yaml"))


def read_stage(name: str, folder: Path) -> SimulatedStack:
    """Synthesize one of the simulation's stages into a folder, and read its template."""
    assembly = folder / name
    synthesize(name, assembly, STAGES)
    return read_stack(find_template(assembly, region=_REGION))


def scenarios(stages: Mapping[str, SimulatedStack]) -> Iterator[Scenario]:
    """Return them, by the names that the page has."""
    for stage, rate in RATES.items():
        whole = Scenario(
            f"{rate}: steady",
            stages[stage],
            Demand(rate),
            _QUOTAS[stage],
            seen=rate,
            seconds=_SECONDS,
        )
        steady = one_of(whole, _PARTS if stage == "hundredthousand" else 1)
        yield steady
        part = steady.demand.rate
        burst = Burst(3 * part, _BEGINS, _BEGINS + 60)
        yield _named(steady, "burst", demand=Demand(part, (burst,)))
        for service in SERVICES:
            out = Outage(service, _BEGINS, _BEGINS + _TEN_MINUTES)
            yield _named(steady, f"{service} away", outages=(out,))
        for percent in (2, 20):
            yield _named(whole, f"hot key {percent}%", demand=Demand(rate, hot_share=percent / 100))
        tens = replace(steady.quotas, invocations=NEW_ACCOUNT.invocations // steady.times)
        yield _named(steady, "ten invocations", quotas=tens)
    yield from _new_stacks(stages)
    yield from _settings(stages)


def one_of(scenario: Scenario, times: int) -> Scenario:
    """Return one of so many equal parts of a scenario whose shards are all alike.

    What the shards share, the table's and the account's quotas and the door, is divided as they
    are. It holds for stacks that have seen their rate: what a new stack begins with is not divided.
    """
    if times == 1:
        return scenario
    stack, quotas = scenario.stack, scenario.quotas
    part = replace(
        stack,
        shards=stack.shards and stack.shards // times,
        requests=stack.requests / times,
        burst=stack.burst / times,
    )
    share = AccountQuotas(
        quotas.requests / times,
        quotas.invocations // times,
        quotas.table_units / times,
        quotas.stream_shards // times,
    )
    return replace(
        scenario,
        stack=part,
        quotas=share,
        demand=Demand(scenario.demand.rate / times),
        seen=scenario.seen / times,
        times=times,
    )


def _new_stacks(stages: Mapping[str, SimulatedStack]) -> Iterator[Scenario]:
    """Return what a stack does that has seen no traffic, with the defaults, at each rate."""
    for stage, rate in RATES.items():
        yield Scenario(
            f"{rate}: new stack, defaults",
            stages["standard"],
            Demand(rate),
            _QUOTAS[stage],
            seconds=_NEW_SECONDS,
        )
    for rate in (10_000, 100_000):
        open_door = replace(stages["standard"], requests=2.0 * rate, burst=rate)
        yield Scenario(
            f"{rate}: new stack, throttle raised",
            open_door,
            Demand(rate),
            RAISED,
            seconds=_NEW_SECONDS,
        )


def _settings(stages: Mapping[str, SimulatedStack]) -> Iterator[Scenario]:
    """Return the same demand with one setting changed each time."""
    latency = Scenario("500: defaults", stages["standard"], Demand(500), seen=500, seconds=600)
    yield latency
    yield replace(latency, name="500: low latency", stack=stages["lowlatency"])
    ten = Scenario("", stages["tenthousand"], Demand(10_000), seen=10_000, seconds=_SECONDS)
    out = Outage("sqs", _BEGINS, _BEGINS + _TEN_MINUTES)
    away = replace(ten, outages=(out,), name="10000: sqs away, ")
    for name, changes in (
        ("batch of 100", {"batch_size": 100}),
        ("two retries", {"retries": 2}),
        ("four lanes a shard", {"lanes": 4}),
        ("enhanced fan-out", {"pushed": True}),
    ):
        yield replace(away, name=away.name + name, stack=_fan_out(away.stack, **changes))
    small = replace(ten, quotas=replace(ten.quotas, invocations=40), outages=(out,))
    yield replace(small, name="10000: sqs away, 40 invocations")
    kept = _fan_out(small.stack, reserved=26)
    yield replace(small, name="10000: sqs away, 40 invocations, 26 reserved", stack=kept)


def _named(scenario: Scenario, what: str, **changes: object) -> Scenario:
    rate = scenario.name.partition(":")[0]
    return replace(scenario, name=f"{rate}: {what}", **changes)  # type: ignore[arg-type]


def _fan_out(stack: SimulatedStack, **changes: object) -> SimulatedStack:
    consumers = tuple(
        replace(each, **changes) if each.name == "fan_out" else each  # type: ignore[arg-type]
        for each in stack.consumers
    )
    return replace(stack, consumers=consumers)
