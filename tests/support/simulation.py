"""Stacks and measurements for the tests of the simulation."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from loadtests.simulation.model import Scenario
from loadtests.simulation.stack import SimulatedConsumer, SimulatedStack
from loadtests.simulation.workload import Demand, MeasuredTimes, ServiceTime

FAN_OUT = SimulatedConsumer("fan_out", 500, 1.0, 1, 10, 1_769, 60.0)
ALONE = SimulatedStack(1, (FAN_OUT,))


def measured(
    *, ms_per_batch: float = 50.0, us_per_event: float = 0.0, record_bytes: float = 1_000.0
) -> MeasuredTimes:
    """Return measurements of a fan-out that SQS has everything of at the end."""
    time = ServiceTime(ms_per_batch, us_per_event, 1.0, 1.0, 1.0)
    return MeasuredTimes({"fan_out": time, "archiver": time}, record_bytes, 30.0, 5.0, 300.0)


def one_shard(
    *,
    rate: float,
    ms_per_batch: float = 50.0,
    us_per_event: float = 0.0,
    record_bytes: float = 1_000.0,
    outages: Any = (),
    **consumer: Any,
) -> Scenario:
    """Return a scenario of one shard with one consumer."""
    return Scenario(
        "one shard",
        replace(ALONE, consumers=(replace(FAN_OUT, **consumer),)),
        Demand(rate),
        outages=outages,
        seconds=1_200,
        step=1.0,
        measured=measured(
            ms_per_batch=ms_per_batch, us_per_event=us_per_event, record_bytes=record_bytes
        ),
    )


def steady(*, shards: int, rate: float, **consumer: Any) -> Scenario:
    """Return a scenario of some shards that take all that comes."""
    stack = replace(ALONE, shards=shards, consumers=(replace(FAN_OUT, **consumer),))
    return Scenario("steady", stack, Demand(rate), measured=measured())
