"""How the number of users changes in a load test."""

from __future__ import annotations

from typing import Literal

Shape = Literal["constant", "ramp", "spike"]
_CALM = 0.2


def users_at(shape: Shape, elapsed: float, *, seconds: float, users: int) -> int | None:
    """Return how many users send at a time; None when the test is over.

    Parameters
    ----------
    shape : Shape
        `constant`; `ramp`: from one user to all of them over the whole time; `spike`: a fifth of
        them, and all of them in the middle fifth of the time.
    elapsed : float
        Seconds since the start.
    """
    if elapsed >= seconds:
        return None
    part = elapsed / seconds
    if shape == "ramp":
        return max(1, round(users * part))
    if shape == "spike" and not 0.4 <= part < 0.6:
        return max(1, round(users * _CALM))
    return users
