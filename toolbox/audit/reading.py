"""What an audit reads of the archive; its objects are untrusted, as they are for the replay."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.archive.failures import read_failure
from pipeline.archive.keys import FAILED_PREFIX, ArchiveKind
from pipeline.archive.ledger import LedgerEntry, read_entry
from pipeline.archive.line_fields import LineError
from pipeline.archive.lines import ArchivedEvent, Received, read_line, read_received
from pipeline.archive.objects import ObjectRef, ObjectUnreadableError
from pipeline.archive.reading import Unreadable, read_documents
from pipeline.archive.unpacking import UnpackError, split_lines, unpack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime

    from pipeline.archive.listing import ArchiveListing, ShardObject
    from pipeline.archive.objects import Objects

#: Objects that are read event by event at the same time; each holds a range.
_MOST_BEGUN = 8
_UNREADABLE = (UnpackError, ObjectUnreadableError, LineError)


class ArchiveReader:
    """Reads lines of `raw/` and `ledger/`, and failure records.

    Parameters
    ----------
    on_unreadable : Callable[[str], None]
        Is told what could not be read: object, and line where there is one.
    """

    def __init__(self, objects: Objects, on_unreadable: Callable[[str], None]) -> None:
        self._objects = objects
        self._on_unreadable = on_unreadable
        self._begun: dict[str, Iterator[tuple[int, bytes | None]]] = {}

    def received(self, item: ShardObject) -> Iterator[Received]:
        """Return the events of an object of `raw/`."""
        return self._received(item.key, self._objects.chunks(item.key))

    def entries(self, item: ShardObject) -> Iterator[LedgerEntry]:
        """Return the outcomes of an object of `ledger/`."""
        return self._entries(item.key, self._objects.chunks(item.key))

    def received_of(self, items: Iterable[ShardObject]) -> Iterator[Iterator[Received]]:
        """Return the events of each of several objects; the next ones are fetched meanwhile."""
        for ref, chunks in self._objects.ahead(ObjectRef(one.key, one.size) for one in items):
            yield self._received(ref.key, chunks)

    def entries_of(self, items: Iterable[ShardObject]) -> Iterator[Iterator[LedgerEntry]]:
        """Return the outcomes of each of several objects; the next ones are fetched meanwhile."""
        for ref, chunks in self._objects.ahead(ObjectRef(one.key, one.size) for one in items):
            yield self._entries(ref.key, chunks)

    def event(self, received: Received) -> ArchivedEvent | None:
        """Read one event of `raw/` in full; None where that cannot be done.

        Events of one object are asked for in their order, by the thousand when a ledger is gone:
        the reading goes on where it stopped, and begins anew only for one that lies before.
        """
        key = received.key
        begun = self._begun.pop(key, None)
        for lines in (begun, split_lines(unpack(self._objects.chunks(key)))):
            if lines is None:
                continue
            try:
                found = _find(lines, received.id)
            except _UNREADABLE:
                return None
            if found is not None:
                if len(self._begun) >= _MOST_BEGUN:
                    del self._begun[next(iter(self._begun))]
                self._begun[key] = lines
                return found
        return None

    def failed(self, listing: ArchiveListing, since: datetime) -> Iterator[str]:
        """Return the ids of the events in the failure records that were written since a time."""
        for ref, written in listing.written(FAILED_PREFIX):
            if written < since:
                continue
            try:
                for _, found in read_failure(self._objects.chunks(ref.key)):
                    if isinstance(found, LineError):
                        self._on_unreadable(f"{ref.key}: {found}")
                    else:
                        yield found.id
            except _UNREADABLE as error:
                self._on_unreadable(f"{ref.key}: {error}")

    def _received(self, key: str, chunks: Iterable[bytes]) -> Iterator[Received]:
        for line in self._documents(key, chunks):
            try:
                yield read_received(line, key)
            except LineError as error:
                self._on_unreadable(f"{key}: {error}")

    def _entries(self, key: str, chunks: Iterable[bytes]) -> Iterator[LedgerEntry]:
        for line in self._documents(key, chunks):
            try:
                yield read_entry(line)
            except LineError as error:
                self._on_unreadable(f"{key}: {error}")

    def _documents(self, key: str, chunks: Iterable[bytes]) -> Iterator[dict[str, Any]]:
        for found in read_documents(chunks):
            if isinstance(found, Unreadable):
                self._on_unreadable(f"{key}: {found.explanation}")
            else:
                yield found


def _find(lines: Iterator[tuple[int, bytes | None]], identifier: str) -> ArchivedEvent | None:
    wanted = identifier.encode()
    for _, text in lines:
        if text and wanted in text:
            found = read_line(ArchiveKind.RAW, text)
            if found.id == identifier:
                return found
    return None
