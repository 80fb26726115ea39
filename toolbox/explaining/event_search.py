"""Searches the archive for events, the newest first, a page at a time.

`raw/` is read object by object, from the last one on; what became of a request is looked up in the
ledger of its hour. Where an outcome or a reason is asked for, the ledger is read first: it is
small, and names the objects of `raw/` that can have what is wanted.
"""

from __future__ import annotations

import re
import time
from bisect import bisect_right
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import orjson

from pipeline.archive.keys import (
    RAW_PREFIX,
    ArchiveKind,
    hour_folders,
    name_of,
    partition_of,
    source_folder,
    source_of,
)
from pipeline.archive.line_fields import LineError
from pipeline.archive.lines import ArchivedEvent, read_line, read_received
from pipeline.archive.objects import ObjectRef, ObjectUnreadableError
from pipeline.archive.unpacking import UnpackError, split_lines, unpack
from pipeline.errors import PipelineError
from pipeline.event.event_id import EventId, request_of
from pipeline.event.events import UNKNOWN_SOURCE
from pipeline.event.times import iso_milliseconds
from toolbox.explaining.archive_search import RawLine, as_json
from toolbox.explaining.ledger_look import LedgerLook, is_wanted
from toolbox.explaining.raw_listing import RawListing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from pipeline.archive.ledger import LedgerEntry
    from pipeline.archive.listing import ArchiveListing
    from pipeline.archive.objects import Objects
    from toolbox.explaining.found import ReadingNotes
    from toolbox.explaining.ledger_look import Entries

#: The ledger has no line of it: it is on its way, was given up, or is missing.
OPEN = "open"
#: Packed; what a page reads at most.
MOST_BYTES = 64 * 2**20
MOST_SECONDS = 15.0
_ALL_LINES = 10**9
#: After every object: sequence numbers have up to 128 digits.
_LAST = (10**129, "")
_PLAIN = re.compile(r"[\w.:-]+", re.ASCII)
_LINE = re.compile(r"\d{1,10}")


class CursorError(PipelineError):
    """The place to go on from is none."""


@dataclass(frozen=True)
class EventFilter:
    """Which requests are wanted; what is empty asks for nothing.

    Parameters
    ----------
    start, end : datetime
        When it reached the stream; the end is not included.
    sources : tuple[str, ...]
        One of these; all for none.
    outcome : str
        The ledger's word, or `open`.
    identifier : str
        The id that the door answered, with or without a replay's job, or the delivery id that a
        header has.
    text : str
        As the sender wrote it into the body, or into a header that is kept.
    """

    start: datetime
    end: datetime
    sources: tuple[str, ...] = ()
    outcome: str = ""
    reason: str = ""
    event_type: str = ""
    identifier: str = ""
    text: str = ""

    @property
    def needle(self) -> bytes:
        """What each line that could be meant has in it, as JSON writes it."""
        plain = self.event_type if _PLAIN.fullmatch(self.event_type) else ""
        identifier = EventId.parse(self.identifier).envelope
        return max(map(as_json, (plain, identifier, self.text)), key=len)

    def takes(self, source: str) -> bool:
        """Tell whether a source's requests are wanted."""
        return not self.sources or source in self.sources

    def fits(self, event: ArchivedEvent, types: Callable[[ArchivedEvent], set[str]]) -> bool:
        """Tell whether an event is one of them, but for what the ledger says."""
        if not self.start.timestamp() <= event.arrived < self.end.timestamp():
            return False
        if self.identifier and not _has_id(event, self.identifier):
            return False
        if self.text and not _has_text(event, self.text):
            return False
        return not self.event_type or self.event_type in types(event)

    def settles(self, entries: list[LedgerEntry]) -> bool:
        """Tell whether one of a request's lines of the ledger is wanted."""
        if self.outcome == OPEN:
            return not entries
        if not self.outcome and not self.reason:
            return True
        return any(is_wanted(one, self.outcome, self.reason) for one in entries)


class FoundEvent(NamedTuple):
    """A request, and what became of its events.

    Parameters
    ----------
    outcomes : dict[str, int]
        Outcome, and its reason after a colon, to how many of its events; empty where it is open.
    size : int
        Of the body, in bytes.
    """

    id: str
    source: str
    event_type: str
    arrived: str
    delivery_id: str
    outcomes: dict[str, int]
    size: int


@dataclass
class FoundPage:
    """What one look found.

    Parameters
    ----------
    after : str
        Where to go on; empty where there is no more.
    bound : str
        Why the look ended before the page was full; empty where it did not.
    """

    events: list[FoundEvent] = field(default_factory=list)
    after: str = ""
    bound: str = ""


class _Cursor(NamedTuple):
    hour: str
    order: tuple[int, str]
    line: int


class EventSearch:
    """Searches the archive of one deployment.

    Parameters
    ----------
    types : Callable[[ArchivedEvent], set[str]]
        Tells the types of an event's request.
    now : Callable[[], float]
        A clock, in seconds.
    """

    def __init__(
        self,
        listing: ArchiveListing,
        objects: Objects,
        notes: ReadingNotes,
        types: Callable[[ArchivedEvent], set[str]],
        *,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._listing = listing
        self._objects = objects
        self._notes = notes
        self._types = types
        self._now = now

    def page(
        self, wanted: EventFilter, after: str, most: int, seconds: float = MOST_SECONDS
    ) -> FoundPage:
        """Return the next events.

        Parameters
        ----------
        after : str
            What the page before said; empty at the start.
        most : int
            So many at the most.
        seconds : float
            For so long at the most.

        Raises
        ------
        CursorError
            When it is no place of the archive.
        """
        found, since = FoundPage(), _cursor(after)
        until = self._now() + seconds
        sources = [one for one in self._listing.sources(RAW_PREFIX) if wanted.takes(one)]
        raw = RawListing(self._listing, sources)
        for hour in self._hours(wanted, since, raw):
            if bound := self._bound(0, until, seconds):
                found.after = _place_in(RAW_PREFIX + source_folder(UNKNOWN_SOURCE) + hour)
                found.bound = bound
                return found
            look = LedgerLook(self._listing, self._objects, self._notes, hour)
            places = self._places(look, wanted)
            if places is not None and not places:
                continue
            named = sources if places is None else _sources_of(places, sources)
            refs = self._refs(raw.objects(hour, named), hour, since, places)
            reading = self._objects.ahead(refs)
            for ref, chunks in reading:
                if bound := self._bound(ref.size, until, seconds):
                    found.after, found.bound = _place_in(ref.key), bound
                    reading.close()
                    return found
                before = since.line if since and since.order == _order(ref.key) else _ALL_LINES
                for number, line in self._lines(ref, chunks, wanted, before, places):
                    entries = look.of(line.shard, _place(line))
                    if not wanted.settles(entries):
                        continue
                    if len(found.events) == most:
                        reading.close()
                        return found
                    found.events.append(self._event(line, entries))
                    found.after = _place_in(ref.key, number)
        found.after = ""
        return found

    def _bound(self, size: int, until: float, seconds: float) -> str:
        if self._notes.size + size > MOST_BYTES:
            return f"{self._notes.size / 1e6:,.0f} MB of the archive were read"
        return f"{seconds:,.0f} s were spent" if self._now() > until else ""

    def _hours(self, wanted: EventFilter, since: _Cursor | None, raw: RawListing) -> Iterator[str]:
        """Return the hours, the newest first, in which a source has objects."""
        days: dict[str, list[str]] = {}
        for hour in hour_folders(wanted.start, wanted.end):
            if since is None or hour <= since.hour:
                days.setdefault(f"{hour.partition('/')[0]}/", []).append(hour)
        for day, hours in reversed(days.items()):
            there = raw.hours(day)
            for hour in reversed(hours):
                if hour in there:
                    self._notes.hours.add(hour)
                    yield hour

    def _places(self, look: LedgerLook, wanted: EventFilter) -> dict[str, Entries] | None:
        """Return the places that the ledger names; None where it is not asked first."""
        if wanted.outcome == OPEN or not (wanted.outcome or wanted.reason):
            return None
        return look.with_outcome(wanted.outcome, wanted.reason)

    def _refs(
        self,
        listed: list[tuple[str, list[ObjectRef]]],
        hour: str,
        since: _Cursor | None,
        places: dict[str, Entries] | None,
    ) -> list[ObjectRef]:
        refs = []
        for folder, found in listed:
            known = [ref for ref in found if name_of(ref.key) is not None]
            refs += known if places is None else _holding(known, _wanted_of(places, folder))
        if since is not None and since.hour == hour:
            refs = [ref for ref in refs if _order(ref.key) <= since.order]
        return sorted(refs, key=lambda ref: _order(ref.key), reverse=True)

    def _lines(
        self,
        ref: ObjectRef,
        chunks: Iterator[bytes],
        wanted: EventFilter,
        before: int,
        places: dict[str, Entries] | None,
    ) -> list[tuple[int, RawLine]]:
        """Return the lines of an object that fit, the last one first, each with its number."""
        self._notes.take(RAW_PREFIX, ref.size)
        needle = wanted.needle
        found: deque[tuple[int, RawLine]] = deque()
        try:
            for number, text in split_lines(unpack(chunks)):
                if number >= before:
                    break
                if not text or needle not in text:
                    continue
                line = self._line(text, ref.key)
                if line is None or not wanted.fits(line.event, self._types):
                    continue
                if places is None or _place(line) in places.get(line.shard, {}):
                    found.appendleft((number, line))
        except (UnpackError, ObjectUnreadableError) as error:
            self._notes.lacks(f"{ref.key}: {error}")
        return list(found)

    def _line(self, text: bytes, key: str) -> RawLine | None:
        try:
            return RawLine(read_received(orjson.loads(text), key), read_line(ArchiveKind.RAW, text))
        except (LineError, orjson.JSONDecodeError) as error:
            self._notes.lacks(f"{key}: {error}")
            return None

    def _event(self, line: RawLine, entries: list[LedgerEntry]) -> FoundEvent:
        event = line.event
        outcomes = Counter(": ".join(filter(None, (one.outcome, one.reason))) for one in entries)
        return FoundEvent(
            event.id,
            event.source,
            ", ".join(sorted(filter(None, self._types(event)))[:3]),
            iso_milliseconds(event.arrived),
            event.envelope.key if event.envelope else "",
            dict(outcomes.most_common()),
            len(event.body),
        )


def _has_id(event: ArchivedEvent, identifier: str) -> bool:
    if identifier in {event.id, request_of(event.id), EventId.parse(event.id).envelope}:
        return True
    envelope = event.envelope
    return envelope is not None and envelope.key == identifier


def _has_text(event: ArchivedEvent, text: str) -> bool:
    wanted = text.encode(errors="surrogatepass")
    if wanted in event.body or wanted in event.record:
        return True
    return event.envelope is not None and any(
        text in value for value in event.envelope.headers.values()
    )


def _place(line: RawLine) -> tuple[int, str]:
    return line.place.sequence, request_of(line.event.id)


def _order(key: str) -> tuple[int, str]:
    """Return what objects of an hour are sorted by: on a shard sequence numbers grow with time."""
    name = name_of(key)
    return (name.sequence if name else 0, key)


def _place_in(key: str, line: int = _ALL_LINES) -> str:
    """Return the place before a line of an object, or within the folder of an hour."""
    return f"{key}:{line}"


def _cursor(text: str) -> _Cursor | None:
    if not text:
        return None
    key, _, number = text.rpartition(":")
    partition = partition_of(key)
    if not key.startswith(RAW_PREFIX) or partition is None or not _LINE.fullmatch(number):
        raise CursorError("'after' is no place of the archive; take a link of the list")
    order = _order(key) if name_of(key) else _LAST
    return _Cursor(partition.hour, order, int(number))


def _sources_of(places: dict[str, Entries], sources: list[str]) -> list[str]:
    """Return the sources that have one of these places: the folders of others are not listed."""
    named = {lines[0].source for found in places.values() for lines in found.values()}
    return [one for one in sources if one in named]


def _wanted_of(places: dict[str, Entries], folder: str) -> dict[str, list[int]]:
    """Return the sequence numbers by shard that a source has among those that are wanted."""
    partition = partition_of(folder)
    source = partition.source if partition else source_of(folder)
    return {
        shard: [sequence for (sequence, _), lines in found.items() if lines[0].source == source]
        for shard, found in places.items()
    }


def _holding(refs: list[ObjectRef], wanted: dict[str, list[int]]) -> list[ObjectRef]:
    """Return the objects that can hold these places: what begins at or before one, and is nearest.

    Of a batch that was tried again in other parts, the one before can have it as well.
    """
    by_shard: dict[str, dict[int, list[ObjectRef]]] = {}
    for ref in refs:
        name = name_of(ref.key)
        if name is not None:
            by_shard.setdefault(name.shard, {}).setdefault(name.sequence, []).append(ref)
    kept: dict[str, ObjectRef] = {}
    for shard, sequences in wanted.items():
        begun = by_shard.get(shard, {})
        starts = sorted(begun)
        for sequence in sequences:
            upto = bisect_right(starts, sequence)
            for start in starts[max(upto - 2, 0) : upto]:
                kept.update((ref.key, ref) for ref in begun[start])
    return list(kept.values())
