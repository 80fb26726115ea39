"""One lane of one shard, for one consumer: gathers batches, has them invoked, tries them again."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from loadtests.simulation.aws_limits import (
    FIRST_BACKOFF_SECONDS,
    LONGEST_BACKOFF_SECONDS,
    MB_A_VCPU,
    PAYLOAD_BYTES,
    POLL_SECONDS,
    PUSH_SECONDS,
    RECORD_FRAME_BYTES,
    SHARD_READS,
)
from loadtests.simulation.meters import outage_end

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from simpy import Environment, Timeout

    from loadtests.simulation.arrivals import Arrivals
    from loadtests.simulation.concurrency import Concurrency
    from loadtests.simulation.meters import Meter
    from loadtests.simulation.results import ConsumerTally
    from loadtests.simulation.stack import SimulatedConsumer
    from loadtests.simulation.workload import ServiceTime

_LEAST = 1e-6
#: What each consumer's invocations call.
CALLED = {"fan_out": ("ssm", "dynamodb", "sqs", "s3"), "archiver": ("s3",)}


@dataclass(frozen=True)
class SimulatedPace:
    """When records of the stream are seen: Lambda's polls, or its subscription to a shard.

    Parameters
    ----------
    reads : float
        How many times a second a shard can be read by all who poll it.
    """

    poll_seconds: float = POLL_SECONDS
    push_seconds: float = PUSH_SECONDS
    reads: float = SHARD_READS


@dataclass(frozen=True)
class LaneNeeds:
    """What the lanes of a consumer share.

    Parameters
    ----------
    away : Mapping[str, Sequence[tuple[float, float]]]
        By service, when it is.
    writes, reads : Meter
        Of the table.
    reserve_seconds : float
        Attempts at calls end so long before the time-out.
    """

    consumer: SimulatedConsumer
    times: ServiceTime
    record_bytes: float
    pace: SimulatedPace
    concurrency: Concurrency
    writes: Meter
    reads: Meter
    away: Mapping[str, Sequence[tuple[float, float]]]
    reserve_seconds: float
    tally: ConsumerTally

    @cached_property
    def called_away(self) -> list[Sequence[tuple[float, float]]]:
        """When the services are away that its invocations call; none that never is."""
        return [self.away[one] for one in CALLED[self.consumer.name] if self.away[one]]

    @cached_property
    def full(self) -> float:
        """How many records are a full batch: by number, or by the payload's size."""
        in_payload = self.record_bytes * 4 / 3 + RECORD_FRAME_BYTES
        return float(min(self.consumer.batch_size, max(1, PAYLOAD_BYTES // in_payload)))


@dataclass
class SimulatedLane:
    """A lane.

    Parameters
    ----------
    read_bytes, read_calls : Meter
        Of its shard; those of consumers that do not share them are their own.
    phase : float
        When within a second the shard is polled.
    taken, settled, failed : float
        Records that were gathered into batches, and those of them that are done with or given up.
    """

    env: Environment
    needs: LaneNeeds
    arrivals: Arrivals
    read_bytes: Meter
    read_calls: Meter
    phase: float
    taken: float = 0.0
    settled: float = 0.0
    failed: float = 0.0
    _last_take: float = field(default=-math.inf)

    @property
    def backlog(self) -> float:
        """How many came and are not done with."""
        return self.arrivals.count(self.env.now) - self.settled - self.failed

    @property
    def age(self) -> float:
        """How old the oldest is that is not done with, in seconds; 0 where there is none."""
        if self.backlog < 1 - _LEAST:
            return 0.0
        oldest = self.arrivals.time_of(self.settled + self.failed + _LEAST)
        return max(0.0, self.env.now - oldest)

    def run(self) -> Generator[Timeout, None, None]:
        """Gather batch after batch until nothing more comes."""
        while True:
            ready = self._ready()
            if math.isinf(ready):
                return
            yield self.env.timeout(max(0.0, ready - self.env.now))
            while (end := outage_end(self.needs.away["kinesis"], self.env.now)) > self.env.now:
                yield self.env.timeout(end - self.env.now)
            count = min(self.needs.full, self._seen(self.env.now) - self.taken)
            size = count * self.needs.record_bytes
            now = self.env.now
            wait = max(
                self.read_bytes.take(now, size, math.inf)[1],
                self.read_calls.take(now, 1, math.inf)[1],
            )
            self._last_take = now
            self.taken += count
            if wait:
                yield self.env.timeout(wait)
            yield from self._work(count)

    def _poll(self, time: float) -> float:
        """Return the first poll at or after a time; where records are pushed, when they come."""
        pace = self.needs.pace
        if self.needs.consumer.pushed:
            return time + pace.push_seconds
        if not pace.poll_seconds or math.isinf(time):
            return time
        polls = math.ceil((time - self.phase) / pace.poll_seconds - _LEAST)
        return self.phase + polls * pace.poll_seconds

    def _seen(self, now: float) -> float:
        """Return how many records were read by now."""
        pace = self.needs.pace
        if self.needs.consumer.pushed:
            return self.arrivals.count(now - pace.push_seconds + _LEAST)
        if not pace.poll_seconds:
            return self.arrivals.count(now)
        polls = math.floor((now - self.phase) / pace.poll_seconds + _LEAST)
        return self.arrivals.count(self.phase + polls * pace.poll_seconds)

    def _ready(self) -> float:
        """Return when the next batch is full, or as old as the window allows."""
        now = self.env.now
        first = self._poll(self.arrivals.time_of(self.taken + 1))
        begun = max(first, self._last_take)
        full = self._poll(self.arrivals.time_of(self.taken + self.needs.full))
        return max(now, min(full, begun + self.needs.consumer.window_seconds))

    def _work(self, count: float) -> Generator[Timeout, None, None]:
        """Have a batch invoked until it is settled or given up.

        As in `local/mapping`: what a function settled before it reported a failure is settled; a
        function that is cut off has its batch halved, which uses up no retry.
        """
        limit = self.needs.consumer.retries
        todo = deque([(count, 0)])
        while todo:
            events, retries = todo.popleft()
            done, cut_off = yield from self._invoke(events)
            self.settled += done
            left = events - done
            if left <= _LEAST:
                continue
            if cut_off and self.needs.consumer.bisects and left > 1:
                todo.extendleft([(left / 2, retries), (left / 2, retries)])
                continue
            retries = 0 if done > _LEAST else retries
            if limit >= 0 and retries >= limit:
                self.failed += left
                self.needs.tally.gave_up(left)
                continue
            todo.appendleft((left, retries + 1))
            yield self.env.timeout(backoff(retries + 1))

    def _invoke(self, events: float) -> Generator[Timeout, None, tuple[float, bool]]:
        """Invoke the function; return how many events are settled, and whether it was cut off."""
        needs, name, throttled = self.needs, self.needs.consumer.name, 0
        while outage_end(
            needs.away["lambda"], self.env.now
        ) > self.env.now or not needs.concurrency.enter(name):
            throttled += 1
            yield self.env.timeout(backoff(throttled))
        begun, first = self.env.now, self.settled + self.failed
        done, duration = self._duration(events, begun)
        cut_off = duration > needs.consumer.timeout_seconds
        done = 0.0 if cut_off else done
        duration = min(duration, needs.consumer.timeout_seconds)
        yield self.env.timeout(duration)
        needs.concurrency.leave(name)
        if done:
            sent = begun + duration * needs.times.sent_after
            oldest = sent - self.arrivals.time_of(first + _LEAST)
            youngest = sent - self.arrivals.time_of(first + done)
            needs.tally.settled(name, done, duration, max(0.0, oldest), max(0.0, youngest))
        return done, cut_off

    def _duration(self, events: float, now: float) -> tuple[float, float]:
        """Return how many events an invocation settles, and how long it takes."""
        needs, times = self.needs, self.needs.times
        usual = times.seconds(events, needs.consumer.memory_mb / MB_A_VCPU)
        deadline = now + needs.consumer.timeout_seconds - needs.reserve_seconds
        back = max((outage_end(window, now) for window in needs.called_away), default=now)
        if back + usual > deadline and back > now:
            return 0.0, deadline - now
        share, waited = 1.0, 0.0
        for meter, each in (
            (needs.reads, times.reads_per_event),
            (needs.writes, times.writes_per_event),
        ):
            if each:
                granted, wait = meter.take(now, events * each * share, deadline)
                share, waited = granted / (events * each), max(waited, wait)
        return events * share, (back - now) + usual * share + waited


def backoff(failures: int) -> float:
    """Return how long a mapping waits after so many failures in a row, in seconds."""
    return min(LONGEST_BACKOFF_SECONDS, FIRST_BACKOFF_SECONDS * 2.0 ** min(failures - 1, 32))
