"""The counts of a job, and what they say."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

#: What each count means, in the order in which they are shown.
MEANINGS = {
    "read": "lines read",
    "matched": "events that the filter asks for",
    "sent": "put on the stream",
    "repeated": "lines of a request that was sent already",
    "limit": "left out: replayed too often",
    "unreplayable": "left out: the record is no envelope",
    "too_large": "left out: too large for a record",
    "unreadable": "lines or objects that cannot be read",
}
LEFT_OUT = ("limit", "unreplayable", "too_large", "unreadable")


def left_out(counts: Mapping[str, int]) -> int:
    """Return how many events were asked for and could not be sent."""
    return sum(counts.get(name, 0) for name in LEFT_OUT)
