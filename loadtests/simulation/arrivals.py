"""The door and the stream: how many of the requests that are sent come to lie in which shard.

Nothing behind the stream acts on what is before it, so this is worked out first, second by second.
Events are counted as a fluid: what comes within a second is spread evenly over it.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Protocol

from loadtests.simulation.aws_limits import (
    ON_DEMAND_SHARDS,
    ON_DEMAND_WINDOW_SECONDS,
    SHARD_BYTES_IN,
    SHARD_RECORDS_IN,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from loadtests.simulation.aws_limits import AccountQuotas
    from loadtests.simulation.stack import SimulatedStack
    from loadtests.simulation.workload import Demand, Outage


class Arrivals(Protocol):
    """The records of one shard, or of a part of its keys, by when they came."""

    def count(self, time: float) -> float:
        """Return how many came until then."""

    def time_of(self, number: float) -> float:
        """Return when so many had come; infinity where they never do."""


class FluidArrivals:
    """Arrivals with one rate in each second.

    Parameters
    ----------
    by_second : Iterable[float]
        How many come in each second, from the first one on.
    """

    def __init__(self, by_second: Iterable[float]) -> None:
        self._sums = [0.0, *accumulate(by_second)]

    def count(self, time: float) -> float:
        """Return how many came until then."""
        if time <= 0:
            return 0.0
        second = int(time)
        if second >= len(self._sums) - 1:
            return self._sums[-1]
        before, after = self._sums[second], self._sums[second + 1]
        return before + (after - before) * (time - second)

    def time_of(self, number: float) -> float:
        """Return when so many had come; infinity where they never do."""
        if number > self._sums[-1] + 1e-6:
            return math.inf
        second = bisect_left(self._sums, min(number, self._sums[-1])) - 1
        if second < 0:
            return 0.0
        before, after = self._sums[second], self._sums[second + 1]
        return second + (min(number, after) - before) / (after - before)


@dataclass(frozen=True)
class StreamFlow:
    """What the door let in, and where it lies.

    Parameters
    ----------
    sent, throttled, refused : Sequence[float]
        Events in each second: sent to the door; answered 429; answered 503, as their shard was full
        or the stream away.
    shards : Sequence[float]
        How many shards are open in each second.
    plain, hot : Sequence[float]
        What comes in each second to a shard, and to the one that the hot key has.
    opened : Sequence[int]
        The second at which each shard opened; the first has the hot key.
    """

    sent: Sequence[float]
    throttled: Sequence[float]
    refused: Sequence[float]
    shards: Sequence[int]
    plain: Sequence[float]
    hot: Sequence[float]
    opened: Sequence[int]

    def arrivals(self, shard: int, lanes: int) -> list[FluidArrivals]:
        """Return what comes to each lane of a shard; the hot key has one lane."""
        opened = self.opened[shard]
        plain = [0.0] * opened + list(self.plain[opened:])
        if shard:
            return [FluidArrivals(rate / lanes for rate in plain)] * lanes
        others = FluidArrivals(rate / lanes for rate in plain)
        with_hot = FluidArrivals(
            (rate / lanes) + extra for rate, extra in zip(plain, self.hot, strict=True)
        )
        return [with_hot, *[others] * (lanes - 1)]


def flow(
    stack: SimulatedStack,
    demand: Demand,
    quotas: AccountQuotas,
    *,
    seconds: int,
    record_bytes: float,
    outages: Sequence[Outage] = (),
    seen: float = 0.0,
) -> StreamFlow:
    """Work out what each shard is given.

    An on-demand stream has as many shards as twice its former peak fills, looked at each 15
    minutes. When it grows, its open shards share all that comes; that a parent is read to its end
    before its children is left out.
    """
    room = min(SHARD_BYTES_IN / record_bytes, float(SHARD_RECORDS_IN))
    door, burst = min(stack.requests, quotas.requests), stack.burst
    grown = min(math.ceil(2 * seen / room), quotas.stream_shards)
    shards = stack.shards or max(ON_DEMAND_SHARDS, grown)
    tokens, peak = burst, 0.0
    found: dict[str, list[float]] = {
        name: [] for name in ("sent", "throttled", "refused", "plain", "hot")
    }
    opened, counts = [0] * shards, []
    away = [each for each in outages if each.service == "kinesis"]
    for second in range(seconds):
        if stack.shards is None and second and second % ON_DEMAND_WINDOW_SECONDS == 0:
            grown = min(math.ceil(2 * peak / room), quotas.stream_shards)
            opened += [second] * (grown - shards)
            shards, peak = max(shards, grown), 0.0
        sent = demand.at(second)
        let_in = min(sent, tokens + door)
        tokens = min(burst, tokens + door - let_in)
        hot = let_in * demand.hot_share
        plain = (let_in - hot) / shards
        closed = any(outage.start <= second < outage.end for outage in away)
        taken = 0.0 if closed else min(plain, room)
        taken_hot = 0.0 if closed else min(hot, room - taken)
        put = taken * shards + taken_hot
        peak = max(peak, put)
        for name, value in (
            ("sent", sent),
            ("throttled", sent - let_in),
            ("refused", let_in - put),
            ("plain", taken),
            ("hot", taken_hot),
        ):
            found[name].append(value)
        counts.append(shards)
    return StreamFlow(shards=counts, opened=opened, **found)
