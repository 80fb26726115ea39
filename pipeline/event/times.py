"""Times as text. The date is the costly part, and the events of a batch share it."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache

_MICRO = 1_000_000


def iso_milliseconds(seconds: float) -> str:
    """Return a time in ISO 8601 with milliseconds, in UTC.

    Parameters
    ----------
    seconds : float
        Since the epoch. What is below a millisecond is cut off.
    """
    whole, micro = _split(seconds)
    return f"{_to_the_second(whole)}.{micro // 1_000:03d}+00:00"


def hours_since_epoch(seconds: float) -> int:
    """Return the full hours that a time in epoch seconds has, by the same rounding."""
    return _split(seconds)[0] // 3_600


def _split(seconds: float) -> tuple[int, int]:
    """Part seconds from microseconds, rounded as `datetime.fromtimestamp` does it."""
    whole = int(seconds)
    micro = round((seconds - whole) * _MICRO)
    return (whole + 1, 0) if micro == _MICRO else (whole, micro)


@lru_cache(maxsize=1_024)
def _to_the_second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")[:-6]
