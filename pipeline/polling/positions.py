"""How far a feed was fetched, as its checkpoint keeps it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from pipeline.polling.errors import PollError

if TYPE_CHECKING:
    from pipeline.event.compiled_poll import FeedSettings

VERSION = 1


@dataclass(frozen=True)
class Position:
    """How far a feed was fetched. Times are in milliseconds since the epoch.

    Parameters
    ----------
    since : int
        Where the walk begins; between two walks, where the next one will, the overlap included.
    until : int | None
        Where a walk over a window ends; None where none is under way.
    next : str | None
        The link or cursor of the page that comes next; None for a first page.
    complete : int
        Up to when every event is known to be on the stream.
    """

    since: int
    until: int | None = None
    next: str | None = None
    complete: int = 0

    def write(self, feed: FeedSettings) -> str:
        """Return its JSON."""
        return json.dumps({"v": VERSION, "kind": kind_of(feed), **asdict(self)})


def kind_of(feed: FeedSettings) -> str:
    """Say what a position of a feed means: with another kind it would be misread."""
    return feed.pagination.type + ("+window" if feed.window else "")


def read_position(text: str, feed: FeedSettings, row: str) -> Position:
    """Read a position.

    Parameters
    ----------
    text : str
        The attribute `position` of the checkpoint.

    Raises
    ------
    PollError
        When it is none, or the feed was described in another way when it was written. To begin
        anew without a word would leave events out.
    """
    try:
        plain = json.loads(text)
        fits = plain.pop("v") == VERSION and plain.pop("kind") == kind_of(feed)
        position = Position(**plain)
    except (ValueError, TypeError, KeyError, AttributeError):
        fits, position = False, Position(0)
    if not fits or not _sound(position):
        raise PollError(
            f"checkpoint {row}: its position cannot be read: the feed was described in another way "
            "when it was written; remove the attribute 'position' of this row to begin at "
            "start_hours_ago (what was delivered before is dropped as a duplicate)"
        )
    return position


def _sound(position: Position) -> bool:
    numbers = [position.since, position.complete, *([position.until] if position.until else [])]
    # A year beyond 9999 is no time that can be written.
    times = all(type(number) is int and 0 <= number < 253_402_300_800_000 for number in numbers)
    return times and (position.next is None or isinstance(position.next, str))
