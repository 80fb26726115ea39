"""What a run comes to: who waited how long, and how much lay where in each moment."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from loadtests.simulation.arrivals import StreamFlow

#: Percentiles are right to one part in so many.
_FINE = 100
_LATE_SECONDS = 60.0
#: A batch's events, which came one after the other, count as so many equal parts.
_PARTS = 5


class Spread:
    """Durations by size, each bin a percent wider than the one before."""

    def __init__(self) -> None:
        self._bins: defaultdict[int, float] = defaultdict(float)

    def add(self, seconds: float, weight: float) -> None:
        """Count a duration."""
        self._bins[round(math.log(max(seconds, 1e-4)) * _FINE)] += weight

    def percentile(self, share: float) -> float:
        """Return the seconds that this share of all does not exceed; 0 where there are none."""
        wanted, so_far = share * sum(self._bins.values()), 0.0
        for place in sorted(self._bins):
            so_far += self._bins[place]
            if so_far >= wanted:
                return math.exp(place / _FINE)
        return 0.0


@dataclass
class ConsumerTally:
    """Counts for one consumer what its lanes report."""

    spread: Spread = field(default_factory=Spread)
    events: float = 0.0
    failed: float = 0.0
    invocations: int = 0
    busy_seconds: float = 0.0

    def settled(
        self, name: str, events: float, seconds: float, oldest: float, youngest: float
    ) -> None:
        """Count an invocation; the ages are those of its first and last event at the queue."""
        self.events += events
        self.invocations += 1
        self.busy_seconds += seconds
        if name == "fan_out":
            for part in range(_PARTS):
                age = oldest + (youngest - oldest) * (part + 0.5) / _PARTS
                self.spread.add(age, events / _PARTS)

    def gave_up(self, events: float) -> None:
        """Count events that go to the failure destination."""
        self.failed += events


@dataclass(frozen=True)
class Moment:
    """How things stood at a second: events, seconds, invocations at once."""

    second: float
    backlog: float
    age: float
    archive_backlog: float
    running: int
    settled: float
    queue: float = 0.0


@dataclass(frozen=True)
class Simulated:
    """What became of a scenario.

    Parameters
    ----------
    tallies : Mapping[str, ConsumerTally]
        By consumer.
    most_running, throttles : int
        Invocations at once, and those that Lambda refused.
    times : int
        By how much counts are multiplied.
    """

    name: str
    flow: StreamFlow
    tallies: Mapping[str, ConsumerTally]
    moments: Sequence[Moment]
    most_running: int
    throttles: int
    times: int = 1

    def figures(self) -> dict[str, Any]:
        """Return the figures, as the file has them."""
        flow, fan_out, moments = self.flow, self.tallies["fan_out"], self.moments
        sent = sum(flow.sent)
        counts = {
            "sent": sent,
            "settled": fan_out.events,
            "failed": fan_out.failed,
            "shards": flow.shards[-1],
            "most_backlog": max(each.backlog for each in moments),
            "last_backlog": moments[-1].backlog,
            "most_archive_backlog": max(each.archive_backlog for each in moments),
            "most_invocations": self.most_running,
            "throttled_invocations": self.throttles,
            "most_in_queue": max(each.queue for each in moments),
        }
        return {
            **{name: round(count * self.times) for name, count in counts.items()},
            "throttled_percent": _percent(sum(flow.throttled), sent),
            "refused_percent": _percent(sum(flow.refused), sent),
            "p50_s": round(fan_out.spread.percentile(0.5), 3),
            "p99_s": round(fan_out.spread.percentile(0.99), 3),
            "most_age_s": round(max(each.age for each in moments), 1),
            "last_age_s": round(moments[-1].age, 1),
            # How long the oldest event was more than a minute old.
            "late_s": round(
                sum(
                    later.second - each.second
                    for each, later in pairwise(moments)
                    if each.age > _LATE_SECONDS
                )
            ),
            "events_an_invocation": round(fan_out.events / max(1, fan_out.invocations), 1),
        }


def _percent(part: float, whole: float) -> float:
    return round(100 * part / whole, 1) if whole else 0.0


def in_queue(settled: Sequence[float], step: float, most_a_second: float) -> list[float]:
    """Return what lies in a queue at each moment, if its reader takes so many a second at most.

    Parameters
    ----------
    settled : Sequence[float]
        How many were sent to it until each moment.
    step : float
        Seconds between moments.
    """
    lying, before, found = 0.0, 0.0, []
    for total in settled:
        lying = max(0.0, lying + total - before - most_a_second * step)
        before = total
        found.append(lying)
    return found
