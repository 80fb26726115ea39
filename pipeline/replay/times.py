"""Points in time as an operator writes them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from pipeline.errors import PipelineError

_AGO = re.compile(r"(\d{1,6})([smhdw])")
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
        When it is neither.
    """
    ago = _AGO.fullmatch(text.strip())
    try:
        if ago:
            return now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        at = datetime.fromisoformat(text.strip())
    except (ValueError, OverflowError):
        raise TimeError(
            f"{text!r} is no time; write 2026-11-23, 2026-11-23T14:30Z, or 30m, 2h, 3d for a time "
            "ago"
        ) from None
    return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)


def iso(seconds: float) -> str:
    """Return epoch seconds as an ISO 8601 time in UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
