"""Finds the lines of the archive that are about one request, and reads no more than it may."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

import orjson

from pipeline.archive.keys import (
    FAILED_PREFIX,
    LEDGER_PREFIX,
    QUARANTINE_PREFIX,
    RAW_PREFIX,
    REJECTED_PREFIX,
    ArchiveKind,
    day_written,
    hour_folder,
    hour_folders,
    shard_of,
    source_folder,
)
from pipeline.archive.ledger import LedgerEntry, read_entry
from pipeline.archive.line_fields import LineError
from pipeline.archive.lines import ArchivedEvent, Received, read_line, read_received
from pipeline.archive.objects import ObjectRef, ObjectUnreadableError
from pipeline.archive.reading import Unreadable, read_object
from pipeline.archive.unpacking import UnpackError, split_lines, unpack
from pipeline.event.event_id import EventId, request_id, request_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pipeline.archive.listing import ArchiveListing
    from pipeline.archive.objects import Objects
    from toolbox.explaining.found import ReadingNotes

_AHEAD = 8
_UNREADABLE = (UnpackError, ObjectUnreadableError)
_FAR_SECONDS = 86_400


class RawLine(NamedTuple):
    """A request in `raw/`: its place on the stream, and what came."""

    place: Received
    event: ArchivedEvent

    @property
    def shard(self) -> str:
        """The shard that it was on."""
        return shard_of(self.place.key)


class Wanted(NamedTuple):
    """What is looked for.

    Parameters
    ----------
    needle : bytes
        What each line that could be meant has in it, as JSON writes it.
    fits : Callable[[ArchivedEvent], bool]
        Decides about one that has it.
    """

    needle: bytes
    fits: Callable[[ArchivedEvent], bool]


class ArchiveSearch:
    """Looks into the archive of one deployment.

    Parameters
    ----------
    most_bytes : int
        Packed; what would go beyond is not read, and the notes say so.
    """

    def __init__(
        self, listing: ArchiveListing, objects: Objects, notes: ReadingNotes, most_bytes: int
    ) -> None:
        self._listing = listing
        self._objects = objects
        self._notes = notes
        self._most = most_bytes

    def sources(self) -> list[str]:
        """Return the sources that ever had a request."""
        return self._listing.sources(RAW_PREFIX)

    def requests(
        self, wanted: Wanted, sources: Iterable[str], start: datetime, end: datetime
    ) -> Iterator[RawLine]:
        """Return the requests that fit, those of the newest hour first."""
        folders = [RAW_PREFIX + source_folder(name) for name in sources]
        for hour in reversed(list(hour_folders(start, end))):
            self._notes.hours.add(hour)
            for folder in folders:
                refs = self._listing.objects(folder + hour)
                for ref, text in self._lines(RAW_PREFIX, refs, wanted.needle):
                    found = self._raw_line(text, ref.key)
                    if found is not None and wanted.fits(found.event):
                        yield found

    def request_at(self, entry: LedgerEntry, source: str, shard: str) -> RawLine | None:
        """Return the request of a line of the ledger; None where `raw/` lacks it."""
        prefix = f"{RAW_PREFIX}{source_folder(source)}{hour_folder(entry.arrived)}{shard}-"
        request = request_of(entry.id)
        refs = self._around(prefix, entry.sequence)
        for ref, text in self._lines(RAW_PREFIX, refs, as_json(request)):
            found = self._raw_line(text, ref.key)
            if found is not None and found.event.id == request:
                return found
        return None

    def outcomes(self, request: str, hour: str, shard: str, sequence: int) -> list[LedgerEntry]:
        """Return the ledger's lines of a request at a place of the stream."""
        prefix = f"{LEDGER_PREFIX}{hour}{shard}-"
        found: dict[str, LedgerEntry] = {}
        for _, entry in self._entries(self._around(prefix, sequence), request):
            if request_of(entry.id) == request and entry.sequence == sequence:
                found[entry.id] = entry
        return list(found.values())

    def replayed(self, envelope: str, hours: Iterable[str]) -> list[tuple[str, LedgerEntry]]:
        """Return the ledger's lines of an envelope's replays, each with its shard."""
        found: dict[str, tuple[str, LedgerEntry]] = {}
        for hour in hours:
            self._notes.hours.add(hour)
            refs = self._listing.objects(LEDGER_PREFIX + hour)
            for key, entry in self._entries(refs, request_id(envelope)):
                made_of = EventId.parse(entry.id)
                if made_of.job and made_of.envelope == envelope:
                    found[entry.id] = shard_of(key), entry
        return list(found.values())

    def rejections(
        self, request: str, source: str, hour: str, shard: str, sequence: int
    ) -> dict[str, tuple[str, ArchivedEvent]]:
        """Return what was kept of a request's rejected events: by id, object and line."""
        found: dict[str, tuple[str, ArchivedEvent]] = {}
        for folder in (REJECTED_PREFIX, QUARANTINE_PREFIX):
            prefix = f"{folder}{source_folder(source)}{hour}{shard}-"
            for ref in self._around(prefix, sequence):
                if self._full(ref):
                    return found
                self._notes.take(folder, ref.size)
                for _, item in read_object(ref.key, self._objects.chunks(ref.key)):
                    if isinstance(item, Unreadable):
                        self._notes.lacks(f"{ref.key}: {item.explanation}")
                    elif request_of(item.id) == request:
                        found[item.id] = (ref.key, item)
        return found

    def given_up(
        self, request: str, shard: str, arrived: float
    ) -> tuple[str, ArchivedEvent] | None:
        """Return the failure record that has a request, and its event in it."""
        day = _day_of(arrived)
        for ref in self._listing.objects(FAILED_PREFIX):
            written = day_written(ref.key)
            if shard_of(ref.key) != shard or (written is not None and written < day):
                continue
            if self._full(ref):
                return None
            self._notes.take(FAILED_PREFIX, ref.size)
            for _, item in read_object(ref.key, self._objects.chunks(ref.key)):
                if not isinstance(item, Unreadable) and item.id == request:
                    return ref.key, item
        return None

    def settled_until(self, hour: str, shard: str) -> int:
        """Return the greatest first sequence number of the ledger's objects of an hour; else 0."""
        newest = self._listing.newest_by_shard(f"{LEDGER_PREFIX}{hour}{shard}-")
        return max((item.sequence for item in newest.values()), default=0)

    def _around(self, prefix: str, sequence: int) -> Iterator[ObjectRef]:
        """Return the objects that can hold a place, the likeliest first.

        An object begins at or before what it holds. A batch that was tried again in other parts can
        have several, so those before the nearest one follow.
        """
        found = self._listing.by_shard(prefix)
        items = [one for items in found.values() for one in items if one.sequence <= sequence]
        for item in sorted(items, reverse=True)[:_AHEAD]:
            yield ObjectRef(item.key, item.size)

    def _entries(
        self, refs: Iterable[ObjectRef], identifier: str
    ) -> Iterator[tuple[str, LedgerEntry]]:
        for ref, text in self._lines(LEDGER_PREFIX, refs, as_json(identifier)):
            try:
                yield ref.key, read_entry(orjson.loads(text))
            except (LineError, orjson.JSONDecodeError, AttributeError) as error:
                self._notes.lacks(f"{ref.key}: {error}")

    def _lines(
        self, prefix: str, refs: Iterable[ObjectRef], needle: bytes
    ) -> Iterator[tuple[ObjectRef, bytes]]:
        allowed = (ref for ref in refs if not self._full(ref))
        for ref, chunks in self._objects.ahead(allowed):
            self._notes.take(prefix, ref.size)
            try:
                for _, text in split_lines(unpack(chunks)):
                    if text and needle in text:
                        yield ref, text
            except _UNREADABLE as error:
                self._notes.lacks(f"{ref.key}: {error}")

    def _full(self, ref: ObjectRef) -> bool:
        full = self._notes.size + ref.size > self._most
        if full:
            self._notes.lacks(
                f"not all was read: {self._most // 2**20:,} MiB were allowed (--most-mib); "
                "a narrower span (--from, --to, --source) reads less"
            )
        return full

    def _raw_line(self, text: bytes, key: str) -> RawLine | None:
        try:
            event = read_line(ArchiveKind.RAW, text)
            return RawLine(read_received(orjson.loads(text), key), event)
        except (LineError, orjson.JSONDecodeError) as error:
            self._notes.lacks(f"{key}: {error}")
            return None


def as_json(text: str) -> bytes:
    """Return text as the archive's lines have it, without its quotes."""
    return orjson.dumps(text)[1:-1]


def _day_of(seconds: float) -> tuple[int, int, int]:
    # From the day before on: AWS's clocks are not one.
    day = datetime.fromtimestamp(max(seconds - _FAR_SECONDS, 0.0), UTC)
    return day.year, day.month, day.day
