"""Runs a stack under a demand, batch by batch, on simulated time."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from simpy import Environment

from loadtests.simulation import aws_limits
from loadtests.simulation.arrivals import flow
from loadtests.simulation.aws_limits import DEFAULT_ACCOUNT, AccountQuotas
from loadtests.simulation.concurrency import Concurrency
from loadtests.simulation.lane import LaneNeeds, SimulatedLane, SimulatedPace
from loadtests.simulation.meters import Meter, SteadyRate, table_meter
from loadtests.simulation.results import ConsumerTally, Moment, Simulated, in_queue
from loadtests.simulation.workload import SERVICES, read_measured

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from simpy import Timeout

    from loadtests.simulation.arrivals import StreamFlow
    from loadtests.simulation.stack import SimulatedConsumer, SimulatedStack
    from loadtests.simulation.workload import Demand, MeasuredTimes, Outage


@dataclass(frozen=True)
class Scenario:
    """What is simulated.

    Parameters
    ----------
    seconds : int
        How long events are sent and looked at.
    seen : float
        The events a second that the stack has had before: stream and table have grown to that.
    step : float
        Seconds between two looks.
    times : int
        So many such stacks side by side make the one that is meant: its figures are that much.
    """

    name: str
    stack: SimulatedStack
    demand: Demand
    quotas: AccountQuotas = DEFAULT_ACCOUNT
    outages: tuple[Outage, ...] = ()
    seen: float = 0.0
    seconds: int = 3_600
    step: float = 5.0
    times: int = 1
    seed: int = 1
    pace: SimulatedPace = field(default_factory=SimulatedPace)
    measured: MeasuredTimes = field(default_factory=read_measured)


class Simulation:
    """One scenario; `run` once.

    Parameters
    ----------
    watched : bool
        Whether the meters keep what they granted, for whoever checks that.
    """

    def __init__(self, scenario: Scenario, *, watched: bool = False) -> None:
        self.scenario = scenario
        stack, quotas, measured = scenario.stack, scenario.quotas, scenario.measured
        self.env = Environment()
        self.flow: StreamFlow = flow(
            stack,
            scenario.demand,
            quotas,
            seconds=scenario.seconds,
            record_bytes=measured.record_bytes,
            outages=scenario.outages,
            seen=scenario.seen,
        )
        self.concurrency = Concurrency(
            quotas.invocations, {each.name: each.reserved for each in stack.consumers}
        )
        self.writes, self.reads = _table(scenario)
        self.shard_reads: list[Meter] = []
        if watched:
            self.writes.granted, self.reads.granted = [], []
        self._watched = watched
        self.tallies = {each.name: ConsumerTally() for each in stack.consumers}
        self.lanes: dict[str, list[SimulatedLane]] = {each.name: [] for each in stack.consumers}
        self._add_lanes()

    def run(self) -> Simulated:
        """Run until the scenario's last second; what is under way then stays where it is."""
        moments: list[Moment] = []
        self.env.process(self._look(moments))
        self.env.run(until=self.scenario.seconds + 1e-3)
        queue = in_queue(
            [each.settled for each in moments],
            self.scenario.step,
            aws_limits.IN_FLIGHT
            / self.scenario.measured.mozdef_holds_seconds
            / self.scenario.times,
        )
        return Simulated(
            self.scenario.name,
            self.flow,
            self.tallies,
            [replace(each, queue=held) for each, held in zip(moments, queue, strict=True)],
            self.concurrency.most,
            self.concurrency.throttles,
            self.scenario.times,
        )

    def _add_lanes(self) -> None:
        chance = random.Random(self.scenario.seed)  # noqa: S311 - no secret
        needs = {each.name: self._needs(each) for each in self.scenario.stack.consumers}
        for shard, opened in enumerate(self.flow.opened):
            phase = chance.random() * self.scenario.pace.poll_seconds
            shared = self._shard_meters(self.scenario.pace.reads)
            for consumer in self.scenario.stack.consumers:
                meters = self._shard_meters(math.inf) if consumer.pushed else shared
                for arrivals in self.flow.arrivals(shard, consumer.lanes):
                    lane = SimulatedLane(self.env, needs[consumer.name], arrivals, *meters, phase)
                    self.lanes[consumer.name].append(lane)
                    self.env.process(self._from(opened, lane))

    def _from(self, opened: float, lane: SimulatedLane) -> Generator[Timeout, None, None]:
        yield self.env.timeout(opened)
        yield from lane.run()

    def _shard_meters(self, reads: float) -> tuple[Meter, Meter]:
        size = Meter(SteadyRate(aws_limits.SHARD_BYTES_OUT), aws_limits.READ_BURST_SECONDS)
        calls = Meter(SteadyRate(reads))
        if self._watched:
            size.granted, calls.granted = [], []
        self.shard_reads += [size, calls]
        return size, calls

    def _needs(self, consumer: SimulatedConsumer) -> LaneNeeds:
        scenario = self.scenario
        return LaneNeeds(
            consumer=consumer,
            times=scenario.measured.times[consumer.name],
            record_bytes=scenario.measured.record_bytes,
            pace=scenario.pace,
            concurrency=self.concurrency,
            writes=self.writes,
            reads=self.reads,
            away=_away(scenario.outages, scenario.measured.secret_seconds),
            reserve_seconds=scenario.measured.reserve_seconds,
            tally=self.tallies[consumer.name],
        )

    def _look(self, moments: list[Moment]) -> Generator[Timeout, None, None]:
        while True:
            yield self.env.timeout(self.scenario.step)
            fan_out, archiver = self.lanes["fan_out"], self.lanes.get("archiver", [])
            moments.append(
                Moment(
                    self.env.now,
                    math.fsum(lane.backlog for lane in fan_out),
                    max(lane.age for lane in fan_out),
                    math.fsum(lane.backlog for lane in archiver),
                    sum(self.concurrency.running.values()),
                    self.tallies["fan_out"].events,
                )
            )


def _away(outages: Sequence[Outage], secret_seconds: float) -> dict[str, list[tuple[float, float]]]:
    away: dict[str, list[tuple[float, float]]] = {service: [] for service in SERVICES}
    for outage in outages:
        # A secret that is known is used for a while.
        late = secret_seconds if outage.service == "ssm" else 0.0
        away[outage.service].append((min(outage.start + late, outage.end), outage.end))
    return away


def _table(scenario: Scenario) -> tuple[Meter, Meter]:
    """Return the meters of the table's writes and reads."""
    table, quota = scenario.stack.table, scenario.quotas.table_units
    times = scenario.measured.times["fan_out"]
    # On demand, twice the former peak is there at once.
    writes = max(aws_limits.ON_DEMAND_WRITES, 2 * scenario.seen * times.writes_per_event)
    reads = max(aws_limits.ON_DEMAND_READS, 2 * scenario.seen * times.reads_per_event)
    return (
        table_meter(table.writes, table.most_writes, table.target, writes, quota),
        table_meter(table.reads, table.most_reads, table.target, reads, quota),
    )
