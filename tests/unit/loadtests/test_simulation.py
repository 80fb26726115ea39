"""The simulation against what can be worked out by hand, of which it knows nothing."""

from __future__ import annotations

import math
import random
from bisect import bisect_right
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest
from simpy import Environment

from loadtests.load.latency import invocation_line
from loadtests.simulation.arrivals import FluidArrivals, flow
from loadtests.simulation.aws_limits import DEFAULT_ACCOUNT, AccountQuotas
from loadtests.simulation.concurrency import Concurrency
from loadtests.simulation.lane import LaneNeeds, SimulatedLane, SimulatedPace, backoff
from loadtests.simulation.meters import DoublingRate, Meter, ScalingRate, SteadyRate
from loadtests.simulation.model import Scenario, Simulation
from loadtests.simulation.results import ConsumerTally, Spread, in_queue
from loadtests.simulation.scenarios import one_of
from loadtests.simulation.workload import SERVICES, Burst, Demand, Outage, ServiceTime
from tests.support.simulation import ALONE, FAN_OUT, measured, one_shard, steady

if TYPE_CHECKING:
    from collections.abc import Sequence


class TimedArrivals:
    """Arrivals at times that are known one by one, in order."""

    def __init__(self, times: Sequence[float]) -> None:
        self._times = times

    def count(self, time: float) -> float:
        """Return how many came until then."""
        return float(bisect_right(self._times, time))

    def time_of(self, number: float) -> float:
        """Return when so many had come; infinity where they never do."""
        place = math.ceil(number - 1e-9) - 1
        return self._times[max(0, place)] if place < len(self._times) else math.inf


@dataclass
class Ages(ConsumerTally):
    found: list[float] = field(default_factory=list)

    def settled(
        self, name: str, events: float, seconds: float, oldest: float, youngest: float
    ) -> None:
        self.found.append(oldest)


@pytest.mark.parametrize("busy", [0.5, 0.8])
def test_single_events_wait_as_pollaczek_and_khinchine_say(busy: float) -> None:
    """M/D/1: Poisson arrivals, constant service s, one server. Mean wait = rho s / 2(1-rho)."""
    chance, service = random.Random(7), 0.1
    times, now = [], 0.0
    for _ in range(10_000):
        now += chance.expovariate(busy / service)
        times.append(now)
    env, tally, always = Environment(), Ages(), Meter(SteadyRate(math.inf))
    needs = LaneNeeds(
        consumer=replace(FAN_OUT, batch_size=1, window_seconds=0.0, pushed=True),
        times=ServiceTime(service * 1e3, 0.0, 1.0, 0.0, 0.0),
        record_bytes=1.0,
        pace=SimulatedPace(push_seconds=0.0),
        concurrency=Concurrency(1, {"fan_out": None}),
        writes=always,
        reads=always,
        away=dict.fromkeys(SERVICES, ()),
        reserve_seconds=5.0,
        tally=tally,
    )
    lane = SimulatedLane(env, needs, TimedArrivals(times), always, always, 0.0)
    env.process(lane.run())
    env.run()
    assert len(tally.found) == len(times)
    waited = sum(tally.found) / len(times) - service
    assert waited == pytest.approx(busy * service / (2 * (1 - busy)), rel=0.1)


def test_what_waits_after_an_outage_drains_by_what_a_lane_can_do_more() -> None:
    """One lane, full batches, each a second of work: 500 a second, of which 200 come anew."""
    scenario = one_shard(rate=200, ms_per_batch=1_000, outages=(Outage("sqs", 100, 400),))
    outcome = Simulation(scenario).run()
    most = max(outcome.moments, key=lambda moment: moment.backlog)
    assert most.backlog == pytest.approx(200 * 300, rel=0.03)
    empty = next(
        each.second for each in outcome.moments if each.second > most.second and each.age < 4
    )
    assert empty - most.second == pytest.approx(most.backlog / (500 - 200), rel=0.03)


def test_shard_is_read_no_faster_than_two_megabytes_a_second() -> None:
    scenario = one_shard(rate=400, record_bytes=2_000, outages=(Outage("lambda", 0, 300),))
    scenario = replace(
        scenario, stack=replace(scenario.stack, consumers=(replace(FAN_OUT, lanes=4),))
    )
    outcome = Simulation(scenario).run()
    first, last = (next(m for m in outcome.moments if m.second >= at) for at in (320, 400))
    assert (last.settled - first.settled) / 80 == pytest.approx(2_000_000 / 2_000, rel=0.05)


def test_few_invocations_do_so_many_batches_as_fit_into_a_second() -> None:
    """Three of eight lanes at once, half a second each: six batches of 100 a second."""
    stack = replace(ALONE, shards=8, consumers=(replace(FAN_OUT, batch_size=100),))
    quotas = replace(DEFAULT_ACCOUNT, invocations=3)
    scenario = Scenario(
        "", stack, Demand(5_000), quotas, seconds=300, measured=measured(ms_per_batch=500)
    )
    outcome = Simulation(scenario).run()
    assert outcome.most_running == 3
    # Who is refused waits twice as long each time, so that not all of it is used.
    assert 0.5 * 600 < outcome.moments[-1].settled / 300 <= 600


def test_reserved_concurrency_is_kept_and_is_a_limit() -> None:
    places = Concurrency(5, {"fan_out": 3, "archiver": None})
    assert [places.enter("archiver") for _ in range(3)] == [True, True, False]
    assert [places.enter("fan_out") for _ in range(4)] == [True, True, True, False]
    places.leave("archiver")
    assert places.enter("archiver")


def test_new_table_takes_4000_writes_a_second_and_twice_that_after_half_an_hour() -> None:
    scenario = steady(shards=10, rate=10_000, batch_size=10_000, window_seconds=10.0)
    scenario = replace(scenario, seconds=3_000)
    outcome = Simulation(scenario).run()
    at = {round(moment.second): moment.settled for moment in outcome.moments}
    assert (at[1_500] - at[300]) / 1_200 == pytest.approx(4_000, rel=0.02)
    assert (at[2_700] - at[2_100]) / 600 == pytest.approx(8_000, rel=0.02)


def test_provisioned_table_follows_within_two_minutes_up_to_its_most() -> None:
    rate = ScalingRate(100.0, 250.0, 0.5)
    assert rate.at(60, 6_000) == 100
    assert rate.at(121, 6_100) == pytest.approx(12_100 / 121 / 0.5)
    assert rate.at(242, 24_200) == 250


def test_doubling_forgets_no_peak_and_ends_at_the_quota() -> None:
    rate = DoublingRate(4_000, 10_000)
    for second in range(1_800):
        rate.at(second, 3_000)
    assert rate.at(1_801, 0) == pytest.approx(6_000)
    for second in range(1_801, 3_600):
        rate.at(second, 6_000)
    assert rate.at(3_601, 0) == 10_000
    assert rate.at(5_500, 0) == 10_000


def test_meter_hands_out_its_rate_and_what_was_unused_for_a_while() -> None:
    meter = Meter(SteadyRate(10.0), burst_seconds=2.0)
    assert meter.take(100.0, 20.0, math.inf) == (20.0, 0.0)
    assert meter.take(100.0, 5.0, math.inf) == (5.0, 0.5)
    granted, wait = meter.take(100.0, 30.0, 101.0)
    assert [granted, wait] == pytest.approx([5.0, 1.0])


def test_reader_that_holds_messages_for_30_seconds_takes_4000_a_second() -> None:
    sent = [10_000.0 * second for second in range(1, 61)]
    assert in_queue(sent, 1.0, 120_000 / 30)[-1] == pytest.approx((10_000 - 4_000) * 60)
    assert in_queue([1_000.0, 2_000.0], 1.0, 4_000)[-1] == 0


def test_door_lets_in_its_rate_and_a_burst() -> None:
    stack = replace(ALONE, shards=50, requests=100.0, burst=500.0)
    found = flow(stack, Demand(300), DEFAULT_ACCOUNT, seconds=60, record_bytes=1_000)
    assert sum(found.sent) - sum(found.throttled) == pytest.approx(100 * 60 + 500)


def test_hot_key_fills_its_shard_alone() -> None:
    """1,000 records a shard. Of 3,000 on four shards half have one key: 1,500 and 375 others."""
    found = flow(
        replace(ALONE, shards=4), Demand(3_000, hot_share=0.5), DEFAULT_ACCOUNT,
        seconds=10, record_bytes=500,
    )  # fmt: skip
    assert sum(found.refused) / 10 == pytest.approx(1_500 + 375 - 1_000)
    hot, others = (
        lanes[0].count(10) / 10 for lanes in (found.arrivals(0, 1), found.arrivals(1, 1))
    )
    assert [hot, others] == pytest.approx([1_000, 375])


def test_hot_key_has_one_lane_of_its_shard() -> None:
    found = flow(
        replace(ALONE, shards=2), Demand(800, hot_share=0.5), DEFAULT_ACCOUNT,
        seconds=10, record_bytes=500,
    )  # fmt: skip
    assert [lane.count(10) / 10 for lane in found.arrivals(0, 4)] == pytest.approx(
        [450, 50, 50, 50]
    )


def test_stream_on_demand_grows_each_quarter_of_an_hour_to_twice_its_peak() -> None:
    stack = replace(ALONE, shards=None)
    quotas = AccountQuotas(requests=50_000)
    found = flow(stack, Demand(20_000), quotas, seconds=3_600, record_bytes=1_000)
    assert found.shards[::900] == [4, 8, 16, 32]
    assert found.refused[899] == pytest.approx(20_000 - 4_000)
    assert found.refused[-1] == 0
    late = found.arrivals(31, 1)[0]
    assert late.count(2_700) == 0
    assert late.count(3_600) == pytest.approx(900 * 20_000 / 32)


def test_burst_and_outage_of_the_stream_are_at_their_seconds() -> None:
    demand = Demand(10, (Burst(100, 20, 30),))
    out = (Outage("kinesis", 40, 50),)
    found = flow(ALONE, demand, DEFAULT_ACCOUNT, seconds=60, record_bytes=1_000, outages=out)
    assert [sum(found.sent), sum(found.refused)] == pytest.approx([10 * 50 + 100 * 10, 100])


def test_event_waits_for_the_poll_the_window_and_its_batch() -> None:
    """Pushed, with a window of two seconds: the first of a batch waits for all of it."""
    scenario = one_shard(rate=10, ms_per_batch=100, pushed=True, window_seconds=2.0)
    spread = Simulation(scenario).run().tallies["fan_out"].spread
    assert spread.percentile(1.0) == pytest.approx(2 + 0.07 + 0.1, rel=0.06)
    polled = one_shard(rate=10, ms_per_batch=100, window_seconds=0.0)
    spread = Simulation(polled).run().tallies["fan_out"].spread
    assert spread.percentile(0.5) == pytest.approx(0.5 + 0.1, rel=0.2)
    assert spread.percentile(1.0) == pytest.approx(1 + 0.1, rel=0.1)


@pytest.mark.parametrize(("retries", "failed"), [(1, True), (10, False)])
def test_batch_is_given_up_after_its_retries(retries: int, failed: bool) -> None:
    """Each attempt takes the time-out but its reserve: eleven outlast ten minutes, two do not."""
    scenario = one_shard(rate=50, outages=(Outage("dynamodb", 100, 700),), retries=retries)
    outcome = Simulation(scenario).run()
    assert (outcome.tallies["fan_out"].failed > 0) is failed


def test_invocation_that_is_cut_off_has_its_batch_halved_until_it_fits() -> None:
    scenario = one_shard(rate=100, us_per_event=1_000_000 / 4, timeout_seconds=10.0)
    outcome = Simulation(replace(scenario, seconds=400)).run()
    tally = outcome.tallies["fan_out"]
    assert tally.failed == 0
    assert 0 < tally.events / tally.invocations <= 40


def test_secrets_that_are_known_outlast_a_while_without_ssm() -> None:
    short = one_shard(rate=50, outages=(Outage("ssm", 100, 350),))
    assert max(each.age for each in Simulation(short).run().moments) < 3
    long = one_shard(rate=50, outages=(Outage("ssm", 100, 700),))
    assert max(each.age for each in Simulation(long).run().moments) == pytest.approx(300, abs=70)


def test_payload_bounds_a_batch_as_its_size_does() -> None:
    """6 MB of an invocation, in which 100 KB are 133 KB of base64."""
    scenario = one_shard(rate=9, record_bytes=100_000, window_seconds=300.0)
    tally = Simulation(scenario).run().tallies["fan_out"]
    assert tally.events / tally.invocations == pytest.approx(6_291_556 // (133_333 + 400), rel=0.1)


def test_backoff_doubles_up_to_a_minute() -> None:
    assert [backoff(number) for number in (1, 2, 3, 20)] == [0.25, 0.5, 1.0, 60.0]


def test_percentiles_are_those_of_weights() -> None:
    spread = Spread()
    spread.add(1.0, 98)
    spread.add(10.0, 2)
    assert spread.percentile(0.5) == pytest.approx(1.0, rel=0.01)
    assert spread.percentile(0.99) == pytest.approx(10.0, rel=0.01)
    assert Spread().percentile(0.5) == 0.0


def test_arrivals_and_their_times_are_each_other_s_inverse() -> None:
    arrivals = FluidArrivals([0.0, 10.0, 0.0, 5.0])
    for number in (0.5, 10.0, 12.5, 15.0):
        assert arrivals.count(arrivals.time_of(number)) == pytest.approx(number)
    assert (arrivals.time_of(15.1), arrivals.count(99)) == (math.inf, 15.0)


def test_one_part_of_many_alike_has_the_ages_of_all_and_its_share_of_the_rest() -> None:
    out = (Outage("sqs", 60, 120),)
    quotas = AccountQuotas(invocations=6)
    whole = replace(steady(shards=6, rate=3_000), seconds=300, outages=out, quotas=quotas)
    whole = replace(whole, seen=30_000)
    part = one_of(whole, 3)
    assert (part.stack.shards, part.quotas.invocations) == (2, 2)
    figures = [Simulation(each).run().figures() for each in (whole, part)]
    for name in ("sent", "settled", "most_backlog", "most_age_s", "p50_s", "p99_s", "shards"):
        assert figures[0][name] == pytest.approx(figures[1][name], rel=0.05)


def test_what_a_batch_and_an_event_take_is_a_line_through_two_settings() -> None:
    """20 ms a batch and half a millisecond an event."""
    means = [(100, 70.0), (10, 25.0)]
    measured = [{"events_an_invocation": count, "invocation_ms": ms} for count, ms in means]
    assert invocation_line(measured) == pytest.approx((20.0, 0.5))
    assert invocation_line([measured[0], measured[0]]) == (70.0, 0.0)


def test_subscription_is_not_held_to_five_reads_a_second() -> None:
    """Fifty single events a second, each a batch of ten milliseconds."""
    scenario = one_shard(
        rate=50, ms_per_batch=10, pushed=True, window_seconds=0.0, batch_size=1, memory_mb=1_769
    )
    outcome = Simulation(replace(scenario, seconds=120)).run()
    assert outcome.tallies["fan_out"].events / 120 == pytest.approx(50, rel=0.02)
    polled = replace(scenario, seconds=120, stack=replace(
        scenario.stack, consumers=(replace(scenario.stack.consumers[0], pushed=False),)
    ))  # fmt: skip
    assert Simulation(polled).run().tallies["fan_out"].events / 120 == pytest.approx(5, rel=0.1)
