"""How far a feed was fetched, as its checkpoint keeps it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
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
    written : int
        When the answer was asked for that led here; 0 at a start.
    mark, pages, reach
        What finds a circle: the hash of a link or cursor that was met, how many pages ago that was,
        and after how many pages a later one takes its place.
    """

    since: int
    until: int | None = None
    next: str | None = None
    complete: int = 0
    written: int = 0
    mark: str = ""
    pages: int = 0
    reach: int = 1

    def moved(self, found: str) -> Position:
        """Return the position at another link or cursor.

        Brent's way to find a circle: one hash is kept, and the distance to it is doubled, so a
        circle of any length is met after three times its pages, over any number of polls.

        Raises
        ------
        PollError
            When the API goes round in a circle.
        """
        mark, pages, reach = self.mark, self.pages + 1, self.reach
        hashed = hashlib.sha256(found.encode(errors="replace")).hexdigest()[:16]
        if hashed == mark:
            raise PollError(
                f"the API goes round in a circle: {pages} pages after a link or cursor it gives "
                f"the same one again (sha256 {hashed}…); nothing new can come of it. If the API is "
                "right by now, remove the attribute 'position' of the checkpoint"
            )
        if pages == reach:
            mark, pages, reach = hashed, 0, reach * 2
        return replace(self, next=found, mark=mark, pages=pages, reach=reach)

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
    numbers = [position.since, position.complete, position.written, position.until or 0]
    # A year beyond 9999 is no time that can be written.
    times = all(type(number) is int and 0 <= number < 253_402_300_800_000 for number in numbers)
    circle = type(position.mark) is str and type(position.pages) is type(position.reach) is int
    return times and circle and (position.next is None or isinstance(position.next, str))
