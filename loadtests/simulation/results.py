"""What a run comes to: who waited how long, and how much lay where in each moment."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from loadtests.simulation.arrivals import StreamFlow

#: Percentiles are right to one part in so many.
_FINE = 100
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
    """

    name: str
    flow: StreamFlow
    tallies: Mapping[str, ConsumerTally]
    moments: Sequence[Moment]
    most_running: int
    throttles: int

    def figures(self) -> dict[str, Any]:
        """Return the figures, as the file has them."""
        flow, fan_out = self.flow, self.tallies["fan_out"]
        sent = sum(flow.sent)
        last = self.moments[-1]
        return {
            "sent": round(sent),
            "throttled_percent": _percent(sum(flow.throttled), sent),
            "refused_percent": _percent(sum(flow.refused), sent),
            "shards": flow.shards[-1],
            "settled": round(fan_out.events),
            "failed": round(fan_out.failed),
            "p50_s": round(fan_out.spread.percentile(0.5), 3),
            "p99_s": round(fan_out.spread.percentile(0.99), 3),
            "most_backlog": round(max(each.backlog for each in self.moments)),
            "most_age_s": round(max(each.age for each in self.moments), 1),
            "last_backlog": round(last.backlog),
            "most_archive_backlog": round(max(each.archive_backlog for each in self.moments)),
            "most_invocations": self.most_running,
            "events_an_invocation": round(fan_out.events / max(1, fan_out.invocations), 1),
            "throttled_invocations": self.throttles,
            "most_in_queue": round(max(each.queue for each in self.moments)),
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
