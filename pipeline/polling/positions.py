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
#: Enough for a circle of 65,000 pages.
_MARKS = 16


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
    pages : int
        How many links or cursors led here, one to the next.
    marks : tuple[str, ...]
        What finds a circle: the hash of the last of them whose number is odd, of the last that is
        twice an odd number, of the last that is four times one, and so on.
    """

    since: int
    until: int | None = None
    next: str | None = None
    complete: int = 0
    written: int = 0
    pages: int = 0
    marks: tuple[str, ...] = ()

    def moved(self, found: str) -> Position:
        """Return the position at another link or cursor.

        Some hashes are kept, the older ones farther apart, so a circle is met within five times its
        pages, however long the feed went well before it and over however many polls.

        Raises
        ------
        PollError
            When the API goes round in a circle.
        """
        hashed = hashlib.sha256(found.encode(errors="replace")).hexdigest()[:16]
        if hashed in self.marks:
            length = self._pages_since(self.marks.index(hashed))
            raise PollError(
                f"the API goes round in a circle: {length} pages after a link or cursor it gives "
                f"the same one again (sha256 {hashed}…), and nothing new can come of it. If the "
                "API is right by now, remove the attribute 'position' of the checkpoint"
            )
        number = self.pages + 1
        place = min((number & -number).bit_length() - 1, _MARKS - 1)
        marks = [*self.marks, *[""] * (place + 1 - len(self.marks))]
        marks[place] = hashed
        return replace(self, next=found, pages=number, marks=tuple(marks))

    def _pages_since(self, place: int) -> int:
        """Return how many pages the next one is away from a mark."""
        last = self.pages >> place
        if last % 2 == 0 and place < _MARKS - 1:
            last -= 1
        return self.pages + 1 - (last << place)

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
        plain["marks"] = tuple(plain.get("marks", ()))
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
    numbers = [position.since, position.complete, position.written, position.pages]
    numbers += [position.until] if position.until else []
    # A year beyond 9999 is no time that can be written.
    times = all(type(number) is int and 0 <= number < 253_402_300_800_000 for number in numbers)
    marks = all(type(mark) is str for mark in position.marks)
    return times and marks and (position.next is None or isinstance(position.next, str))
