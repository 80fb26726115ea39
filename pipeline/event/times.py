"""Times as text, written and read. The date is the costly part, and a batch shares it."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import tzinfo

_MICRO = 1_000_000
#: Times of this era, in seconds: 2000 to 2100. In another unit a number of it lies outside.
_FROM, _TO = 946_684_800, 4_102_444_800
_UNITS = (1, 1_000, 1_000_000, 1_000_000_000)
_LONGEST_TIME = 64
_NUMBER = re.compile(r"[0-9]{9,20}(?:\.[0-9]{1,12})?")
#: What senders write for UTC, and the space that some have before an offset.
_UTC = re.compile(r"\s*(?:z|Z|UTC|utc|GMT)$")
_SPACED_OFFSET = re.compile(r"\s+(?=[+-][0-9]{2}:?[0-9]{2}$)")


def iso_milliseconds(seconds: float) -> str:
    """Return a time in ISO 8601 with milliseconds, in UTC.

    Parameters
    ----------
    seconds : float
        Since the epoch. What is below a millisecond is cut off.
    """
    whole, micro = _split(seconds)
    return f"{_to_the_second(whole)}.{micro // 1_000:03}+00:00"


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


def read_time(value: Any, zone: tzinfo = UTC) -> datetime | None:
    """Read a time as senders write it; None for what is no time of this era.

    Parameters
    ----------
    value : Any
        Seconds, milliseconds, microseconds or nanoseconds since the epoch, as a number or as text;
        or ISO 8601, also with a space, a comma, " UTC" or a lower-case z; or RFC 5322.
    zone : tzinfo
        That of a time that names none.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    if not isinstance(value, str):
        return _from_number(value)
    if len(value) > _LONGEST_TIME or not value.isascii():
        return None
    if _NUMBER.fullmatch(value):
        return _from_number(float(value))
    when = _from_text(value.strip())
    if when is None:
        return None
    when = when if when.tzinfo else when.replace(tzinfo=zone)
    return when if _FROM <= when.timestamp() < _TO else None


def seconds_of(number: float) -> float | None:
    """Return the epoch seconds of a number in whatever unit; None for no time of this era."""
    for unit in _UNITS:
        seconds = number / unit
        if _FROM <= seconds < _TO:
            return seconds
    return None


def _from_number(number: float) -> datetime | None:
    seconds = seconds_of(number)
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _from_text(text: str) -> datetime | None:
    try:
        # Most are as the standard library reads them.
        return datetime.fromisoformat(text)
    except ValueError:
        pass
    try:
        return datetime.fromisoformat(_SPACED_OFFSET.sub("", _UTC.sub("+00:00", text)))
    except ValueError:
        pass
    from email.utils import parsedate_to_datetime  # 10 ms of a cold start, and few need it

    try:
        # A zone that the date names as "-0000" is none (RFC 5322, section 3.3).
        return parsedate_to_datetime(text) if "," in text else None
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
