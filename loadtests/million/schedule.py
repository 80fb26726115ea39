"""What strikes when in a run of a million. The seed decides all of it."""

from __future__ import annotations

import random

from loadtests.soak.plan import Planned, PlanStyle, Strike, make_plan

#: The weather of a bad day in production: most of the time there is none.
_STYLE = PlanStyle(calm=(6, 25), poison=(60, 120), kill_every=200, hang_every=600)
_TINY = PlanStyle(calm=(0, 2), poison=(60, 60), kill_every=60, hang_every=600)
_TINY_SECONDS = 60.0
#: From the new secret being there to its use: functions read a parameter again after 15 seconds.
_ROTATION_SECONDS = 20.0
_DEPLOY = 0.45


def make_schedule(seed: int, seconds: float) -> list[Planned]:
    """Plan a run; the same seed and length give the same plan."""
    tiny = seconds < _TINY_SECONDS
    dice = random.Random(f"schedule-{seed}")  # noqa: S311 - to be repeated
    moments = [
        (0.1, Strike.SPLIT),
        (0.35, Strike.SPLIT),
        (0.6, Strike.MERGE),
        (0.75, Strike.SPLIT),
        (0.9, Strike.MERGE),
        (0.15, Strike.ROTATE),
        (_DEPLOY, Strike.DEPLOY),
        (0.25, Strike.DISK_FULL),
        (0.7, Strike.DISK_FULL),
        *((share, Strike.CLOCK) for share in (0.2, 0.3, 0.5, 0.65, 0.85)),
        *((share, Strike.REPLAY) for share in ((0.75,) if tiny else (0.25, 0.5, 0.7, 0.92))),
    ]
    spread = 0.0 if tiny else 0.02
    found = [
        Planned((share + dice.uniform(-spread, spread)) * seconds, strike)
        for share, strike in moments
    ]
    # In a run of seconds the deployment has all functions begin anew, and so read it.
    use = _DEPLOY * seconds + 1 if tiny else 0.2 * seconds + _ROTATION_SECONDS
    found.append(Planned(use, Strike.USE_NEW_SECRET))
    return sorted([*found, *make_plan(seed, seconds, _TINY if tiny else _STYLE)])
