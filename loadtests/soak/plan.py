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
    SPLIT = "shard_split"
    MERGE = "shards_merged"
    ROTATE = "secret_rotated"
    USE_NEW_SECRET = "new_secret_used"  # noqa: S105 - a name of a moment
    DEPLOY = "schema_deployed"
    DISK_FULL = "disk_full"
    CLOCK = "clock_stepped"
    REPLAY = "replay_started"


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


@dataclass(frozen=True)
class PlanStyle:
    """How hard a run is.

    Parameters
    ----------
    calm : tuple[float, float]
        Seconds between two bad weathers, at least and at most; below zero they overlap.
    poison : tuple[float, float]
        The same between records that kill their process.
    kill_every, hang_every : float
        Seconds for each kill of the runtime, and for each record that stops its process.
    """

    calm: tuple[float, float] = (-1, 2)
    poison: tuple[float, float] = (12, 25)
    kill_every: float = 60.0
    hang_every: float = 90.0


_SOAK = PlanStyle()


def make_plan(seed: int, seconds: float, style: PlanStyle = _SOAK) -> list[Planned]:
    """Plan a run; the same seed and length give the same plan."""
    dice = random.Random(f"plan-{seed}")  # noqa: S311 - to be repeated, not to be secret
    found = _weather(dice, seconds, style) + _outage(dice, seconds)
    return sorted(found + _kills(dice, seconds, style) + _bad_records(dice, seconds, style))


def _weather(dice: random.Random, seconds: float, style: PlanStyle) -> list[Planned]:
    found = []
    at = _CALM_AT_START
    while at < seconds:
        names = tuple(sorted(dice.sample(sorted(FAULTS), dice.randint(1, 4))))
        lasts = dice.uniform(2, 6)
        found.append(Planned(at, Strike.WEATHER, names, min(lasts, seconds - at)))
        at += lasts + dice.uniform(*style.calm)
    return found


def _outage(dice: random.Random, seconds: float) -> list[Planned]:
    """Plan that one service is away for longer than the fan-out's retries last."""
    if seconds < _SHORTEST_WITH_OUTAGE:
        return []
    at, lasts = dice.uniform(0.55, 0.65) * seconds, dice.uniform(20, 28)
    outs = [name for name in sorted(FAULTS) if name.endswith("_out")]
    return [Planned(at, Strike.WEATHER, (dice.choice(outs),), min(lasts, seconds - at))]


def _kills(dice: random.Random, seconds: float, style: PlanStyle) -> list[Planned]:
    count = max(1, round(seconds / style.kill_every))
    share = seconds / (count + 1)
    moments = [share * (number + 1) * dice.uniform(0.85, 1.0) for number in range(count)]
    return [Planned(at, Strike.KILL_RUNTIME) for at in moments]


def _bad_records(dice: random.Random, seconds: float, style: PlanStyle) -> list[Planned]:
    found = []
    at = dice.uniform(1, 4)
    while at < seconds:
        found.append(Planned(at, Strike.POISON))
        at += dice.uniform(*style.poison)
    # A hanging record holds up its shard by a timeout for each split and retry: a minute and more.
    hangs = round(seconds / style.hang_every)
    return found + [Planned(dice.uniform(0.05, 0.4) * seconds, Strike.HANG) for _ in range(hangs)]
