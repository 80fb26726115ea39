"""Whatever is simulated: nothing comes from nowhere or goes there, and no limit is exceeded."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadtests.simulation.aws_limits import (
    DEFAULT_ACCOUNT,
    READ_BURST_SECONDS,
    SHARD_BYTES_OUT,
    SHARD_READS,
)
from loadtests.simulation.model import Scenario, Simulation
from loadtests.simulation.stack import SimulatedStack, TableCapacity
from loadtests.simulation.workload import SERVICES, Burst, Demand, Outage
from tests.support.simulation import FAN_OUT, measured

if TYPE_CHECKING:
    from collections.abc import Sequence

SECONDS = 240


@st.composite
def scenarios(draw: st.DrawFn) -> Scenario:
    fan_out = replace(
        FAN_OUT,
        batch_size=draw(st.integers(1, 600)),
        window_seconds=draw(st.sampled_from([0.0, 1.0, 30.0])),
        lanes=draw(st.integers(1, 3)),
        retries=draw(st.integers(0, 3)),
        timeout_seconds=draw(st.sampled_from([8.0, 60.0])),
        pushed=draw(st.booleans()),
        reserved=draw(st.sampled_from([None, 1, 2])),
    )
    archiver = replace(fan_out, name="archiver", pushed=False, reserved=None)
    starts = draw(st.floats(0, SECONDS))
    return Scenario(
        "any",
        SimulatedStack(
            draw(st.sampled_from([None, 1, 3])),
            (fan_out, archiver),
            draw(st.sampled_from([math.inf, 50.0, 900.0])),
            draw(st.sampled_from([0.0, 500.0])),
            draw(st.sampled_from([TableCapacity(), TableCapacity(40, 40, 200, 200, 0.5)])),
        ),
        Demand(
            draw(st.floats(0, 2_000)),
            (Burst(draw(st.floats(0, 9_000)), starts, starts + 30),),
            draw(st.sampled_from([0.0, 0.3, 1.0])),
        ),
        replace(DEFAULT_ACCOUNT, invocations=draw(st.integers(3, 12))),
        tuple(
            Outage(service, start, start + draw(st.floats(1, 100)))
            for service in draw(st.lists(st.sampled_from(SERVICES), max_size=2, unique=True))
            for start in [draw(st.floats(0, SECONDS))]
        ),
        seconds=SECONDS,
        measured=measured(
            ms_per_batch=draw(st.floats(1, 2_000)), record_bytes=draw(st.floats(200, 20_000))
        ),
    )


def within(granted: Sequence[tuple[float, float, float]], rate: float, burst: float) -> bool:
    """Tell whether no span of time was granted more than its seconds, and a burst, hold."""
    ends = sorted((max(asked, end), units) for asked, end, units in granted)
    for first in range(0, len(ends), max(1, len(ends) // 20)):
        total = 0.0
        for at, units in ends[first:]:
            total += units
            if total - ends[first][1] > rate * (at - ends[first][0] + burst) * (1 + 1e-6) + 1e-6:
                return False
    return True


@settings(max_examples=25)
@given(scenarios())
def test_accounts_balance_and_limits_hold(scenario: Scenario) -> None:
    simulation = Simulation(scenario, watched=True)
    outcome = simulation.run()
    sent, put = sum(outcome.flow.sent), 0.0
    for name, lanes in simulation.lanes.items():
        came = math.fsum(lane.arrivals.count(scenario.seconds) for lane in lanes)
        put = sent - sum(outcome.flow.throttled) - sum(outcome.flow.refused)
        assert came == pytest.approx(put, abs=1e-3)
        for lane in lanes:
            assert -1e-6 <= lane.settled + lane.failed <= lane.taken + 1e-3
            assert lane.taken <= lane.arrivals.count(simulation.env.now) + 1e-3
            assert lane.age >= 0
        tally = outcome.tallies[name]
        assert tally.events + tally.failed == pytest.approx(
            math.fsum(lane.settled + lane.failed for lane in lanes), abs=1e-3
        )
    assert min(outcome.flow.throttled) >= 0
    assert min(outcome.flow.refused) >= -1e-9
    assert all(each.backlog >= -1e-3 and each.age >= 0 for each in outcome.moments)
    assert outcome.most_running <= scenario.quotas.invocations
    reserved = scenario.stack.consumer("fan_out").reserved
    assert all(each.running <= scenario.quotas.invocations for each in outcome.moments)
    assert reserved is None or simulation.concurrency.running["fan_out"] <= reserved
    for size, calls in zip(simulation.shard_reads[::2], simulation.shard_reads[1::2], strict=True):
        assert within(size.granted or (), SHARD_BYTES_OUT, READ_BURST_SECONDS + 1)
        at_most = calls.rate.at(0.0, 0.0)
        assert at_most in {SHARD_READS, math.inf}
        assert within(calls.granted or (), at_most, 2.0)
    for meter in (simulation.writes, simulation.reads):
        most = scenario.stack.table.most_writes or 12_000
        burst = 300 if scenario.stack.table.writes else 1
        assert within(meter.granted or (), most, burst + 1)
