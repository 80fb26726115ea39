"""Points in time as an operator writes them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from pipeline.errors import PipelineError

_AGO = re.compile(r"(\d{1,6})([smhdw])")
#: Each hour between two times is looked at, so none lies before there were webhooks at all.
_FIRST, _AHEAD = datetime(2000, 1, 1, tzinfo=UTC), timedelta(days=366)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class TimeError(PipelineError):
    """A time was not understood."""


def parse_time(text: str, now: datetime) -> datetime:
    """Read an ISO 8601 time (UTC unless it says otherwise), or a time ago such as `2h`.

    Parameters
    ----------
    now : datetime
        What `2h` is counted from.

    Raises
    ------
    TimeError
        When it is neither, or lies where no event can be.
    """
    ago = _AGO.fullmatch(text.strip())
    try:
        if ago:
            at = now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        else:
            at = datetime.fromisoformat(text.strip())
        at = at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise TimeError(
            f"{text!r} is no time; write 2026-11-23, 2026-11-23T14:30Z, or 30m, 2h, 3d for a time "
            "ago"
        ) from None
    if not _FIRST <= at <= now + _AHEAD:
        raise TimeError(
            f"{text!r} lies outside of what an archive can hold: from {_FIRST:%Y} on, and to "
            f"{_AHEAD.days} days from now"
        )
    return at


def iso(seconds: float) -> str:
    """Return epoch seconds as an ISO 8601 time in UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
