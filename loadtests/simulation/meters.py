"""What may be used so much of in a second, and how long one waits for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from loadtests.simulation.aws_limits import (
    ON_DEMAND_TABLE_WINDOW_SECONDS,
    TABLE_BURST_SECONDS,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

_SCALING_SECONDS = 120.0


class UnitRate(Protocol):
    """How many units a second there are, by what was used so far."""

    def at(self, now: float, used: float) -> float:
        """Return the units a second, when so many were used since the call before."""


@dataclass
class SteadyRate:
    """Always the same."""

    units: float

    def at(self, now: float, used: float) -> float:  # noqa: ARG002 - those of the protocol
        """Return it."""
        return self.units


@dataclass
class DoublingRate:
    """An on-demand table's: up to twice the peak of any half hour before, up to the quota.

    Parameters
    ----------
    first : float
        Units a second of a new table.
    """

    first: float
    most: float
    _level: float = 0.0
    _minute: int = 0
    _in_minute: float = 0.0
    _peak: float = 0.0
    _window: int = 0

    def at(self, now: float, used: float) -> float:
        """Return the units a second."""
        level = min(max(self.first, self._level), self.most)
        minute, window = int(now // 60), int(now // ON_DEMAND_TABLE_WINDOW_SECONDS)
        if minute != self._minute:
            # What is granted at once may be used up to a time-out later, and no faster.
            self._peak = max(self._peak, min(self._in_minute / 60, level))
            self._minute, self._in_minute = minute, 0.0
        self._in_minute += used
        if window != self._window:
            self._level = max(self._level, 2 * self._peak)
            self._window, self._peak = window, 0.0
        return min(max(self.first, self._level), self.most)


@dataclass
class ScalingRate:
    """A provisioned table's with scaling: two minutes above the target, and there is more.

    Parameters
    ----------
    units, most : float
        Capacity at first, and at last.
    target : float
        The share of the capacity that scaling keeps to.
    """

    units: float
    most: float
    target: float
    _since: float = 0.0
    _used: float = 0.0

    def at(self, now: float, used: float) -> float:
        """Return the units a second."""
        self._used += used
        if now - self._since >= _SCALING_SECONDS:
            average = self._used / (now - self._since)
            if average > self.target * self.units:
                self.units = min(average / self.target, self.most)
            self._since, self._used = now, 0.0
        return self.units


@dataclass
class Meter:
    """Units that are handed out in the order in which they are asked for.

    Parameters
    ----------
    burst_seconds : float
        How long unused units can be used later.
    """

    rate: UnitRate
    burst_seconds: float = 1.0
    #: When units were granted, until when they are all there, and how many: for the tests.
    granted: list[tuple[float, float, float]] | None = None
    _free: float = field(default=float("-inf"))
    _used: float = 0.0

    def take(self, now: float, units: float, until: float) -> tuple[float, float]:
        """Take units, or as many as there are until a time.

        Returns
        -------
        tuple[float, float]
            How many were granted, and how many seconds that takes.
        """
        rate = self.rate.at(now, self._used)
        self._used = 0.0
        start = max(self._free, now - self.burst_seconds)
        granted = min(units, max(0.0, (until - start) * rate))
        end = start + granted / rate
        if granted:
            self._free, self._used = end, granted
        wait = max(0.0, end - now) if granted == units else max(0.0, until - now)
        if self.granted is not None and granted:
            self.granted.append((now, end, granted))
        return granted, wait


def table_meter(
    provisioned: float | None, most: float, target: float, first: float, quota: float
) -> Meter:
    """Return the meter of a table's reads or writes; `provisioned` is None for on-demand."""
    if provisioned is None:
        return Meter(DoublingRate(first, quota))
    return Meter(ScalingRate(provisioned, max(most, provisioned), target), TABLE_BURST_SECONDS)


def outage_end(windows: Sequence[tuple[float, float]], now: float) -> float:
    """Return until when a service is away; `now` where it is not."""
    for start, end in windows:
        if start <= now < end:
            return end
    return now
