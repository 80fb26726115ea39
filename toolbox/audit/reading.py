"""What an audit reads of the archive; its objects are untrusted, as they are for the replay."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.archive.failures import read_failure
from pipeline.archive.keys import FAILED_PREFIX, ArchiveKind
from pipeline.archive.ledger import LedgerEntry, read_entry
from pipeline.archive.line_fields import LineError
from pipeline.archive.lines import ArchivedEvent, Received, read_line, read_received
from pipeline.archive.objects import ObjectUnreadableError
from pipeline.archive.reading import Unreadable, read_documents
from pipeline.archive.unpacking import UnpackError, split_lines, unpack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from pipeline.archive.listing import ArchiveListing, ShardObject
    from pipeline.archive.objects import Objects

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

    def received(self, item: ShardObject) -> Iterator[Received]:
        """Return the events of an object of `raw/`."""
        for line in self._documents(item.key):
            try:
                yield read_received(line, item.key)
            except LineError as error:
                self._on_unreadable(f"{item.key}: {error}")

    def entries(self, item: ShardObject) -> Iterator[LedgerEntry]:
        """Return the outcomes of an object of `ledger/`."""
        for line in self._documents(item.key):
            try:
                yield read_entry(line)
            except LineError as error:
                self._on_unreadable(f"{item.key}: {error}")

    def event(self, received: Received) -> ArchivedEvent | None:
        """Read one event of `raw/` in full; None where that cannot be done."""
        try:
            for _, text in split_lines(unpack(self._objects.chunks(received.key))):
                if text and received.id.encode() in text:
                    found = read_line(ArchiveKind.RAW, text)
                    if found.id == received.id:
                        return found
        except _UNREADABLE:
            return None
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

    def _documents(self, key: str) -> Iterator[dict[str, Any]]:
        for found in read_documents(self._objects.chunks(key)):
            if isinstance(found, Unreadable):
                self._on_unreadable(f"{key}: {found.explanation}")
            else:
                yield found
