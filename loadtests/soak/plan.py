"""What strikes when in a soak run. The seed decides all of it."""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import StrEnum

from loadtests.soak.faults import FAULTS

_CALM_AT_START = 1.0
_SHORTEST_WITH_OUTAGE = 60.0


class Strike(StrEnum):
    """What can happen at a moment of the plan."""

    WEATHER = "weather"
    KILL_RUNTIME = "runtime_killed"
    POISON = "poison"
    HANG = "hang"


@dataclass(frozen=True, order=True)
class Planned:
    """One moment of the plan.

    Parameters
    ----------
    at : float
        Seconds since the start.
    faults : tuple[str, ...]
        For weather: which faults the proxy injects.
    lasts : float
        For weather: how many seconds.
    """

    at: float
    strike: Strike
    faults: tuple[str, ...] = ()
    lasts: float = 0.0


def make_plan(seed: int, seconds: float) -> list[Planned]:
    """Plan a run; the same seed and length give the same plan."""
    dice = random.Random(f"plan-{seed}")  # noqa: S311 - to be repeated, not to be secret
    parts = (_weather, _outage, _kills, _bad_records)
    return sorted(planned for part in parts for planned in part(dice, seconds))


def _weather(dice: random.Random, seconds: float) -> list[Planned]:
    found = []
    at = _CALM_AT_START
    while at < seconds:
        names = tuple(sorted(dice.sample(sorted(FAULTS), dice.randint(1, 4))))
        lasts = dice.uniform(2, 6)
        found.append(Planned(at, Strike.WEATHER, names, min(lasts, seconds - at)))
        at += lasts + dice.uniform(-1, 2)
    return found


def _outage(dice: random.Random, seconds: float) -> list[Planned]:
    """Plan that one service is away for longer than the fan-out's retries last."""
    if seconds < _SHORTEST_WITH_OUTAGE:
        return []
    at, lasts = dice.uniform(0.55, 0.65) * seconds, dice.uniform(20, 28)
    outs = [name for name in sorted(FAULTS) if name.endswith("_out")]
    return [Planned(at, Strike.WEATHER, (dice.choice(outs),), min(lasts, seconds - at))]


def _kills(dice: random.Random, seconds: float) -> list[Planned]:
    count = max(1, round(seconds / 60))
    share = seconds / (count + 1)
    moments = [share * (number + 1) * dice.uniform(0.85, 1.0) for number in range(count)]
    return [Planned(at, Strike.KILL_RUNTIME) for at in moments]


def _bad_records(dice: random.Random, seconds: float) -> list[Planned]:
    found = []
    at = dice.uniform(1, 4)
    while at < seconds:
        found.append(Planned(at, Strike.POISON))
        at += dice.uniform(12, 25)
    # A hanging record holds up its shard by a timeout for each split and retry: a minute and more.
    hangs = round(seconds / 90)
    return found + [Planned(dice.uniform(0.05, 0.4) * seconds, Strike.HANG) for _ in range(hangs)]
