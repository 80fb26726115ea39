"""What an audit reads of the archive; its objects are untrusted, as they are for the replay."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import orjson

from pipeline.archive.failures import read_failure
from pipeline.archive.lines import ArchivedEvent, ArchiveKind, LineError, read_line
from pipeline.archive.objects import ObjectUnreadableError
from pipeline.archive.unpacking import UnpackError, split_lines, unpack
from pipeline.errors import PipelineError
from pipeline.event.outcomes import OutcomeKind
from toolbox.audit.join import Entry, Received

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pipeline.archive.objects import Objects
    from toolbox.audit.listing import ArchiveObject, Listing

_UNREADABLE = (UnpackError, ObjectUnreadableError, LineError)
_OUTCOMES = {
    OutcomeKind.DELIVERED,
    OutcomeKind.DUPLICATE,
    OutcomeKind.REJECTED,
    OutcomeKind.IGNORED,
}
FAILURES = "aws/lambda/"


class EntryError(PipelineError):
    """A line of the archive lacks what the audit needs of it."""


class ArchiveReader:
    """Reads lines of `raw/` and `ledger/`, and failure records.

    Parameters
    ----------
    objects : Objects
        Gives the bytes of objects.
    on_unreadable : Callable[[str], None]
        Is told what could not be read: object, and line where there is one.
    """

    def __init__(self, objects: Objects, on_unreadable: Callable[[str], None]) -> None:
        self._objects = objects
        self._on_unreadable = on_unreadable

    def received(self, item: ArchiveObject) -> Iterator[Received]:
        """Give the events of an object of `raw/`."""
        for line in self._documents(item.key):
            try:
                yield Received(
                    _sequence(line),
                    _text(line, "id"),
                    _text(line, "source"),
                    datetime.fromisoformat(_text(line, "arrived")).timestamp(),
                    item.key,
                )
            except (EntryError, ValueError) as error:
                self._on_unreadable(f"{item.key}: {error}")

    def entries(self, item: ArchiveObject) -> Iterator[Entry]:
        """Give the outcomes of an object of `ledger/`."""
        for line in self._documents(item.key):
            try:
                yield _entry(line)
            except (EntryError, ValueError) as error:
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

    def failed(self, listing: Listing, since: datetime) -> Iterator[str]:
        """Give the ids of the events in the failure records that were written since a time."""
        for key, _, written in listing.keys(FAILURES):
            if written < since:
                continue
            try:
                for _, found in read_failure(self._objects.chunks(key)):
                    if isinstance(found, LineError):
                        self._on_unreadable(f"{key}: {found}")
                    else:
                        yield found.id
            except _UNREADABLE as error:
                self._on_unreadable(f"{key}: {error}")

    def _documents(self, key: str) -> Iterator[dict[str, Any]]:
        try:
            for number, text in split_lines(unpack(self._objects.chunks(key))):
                try:
                    document = orjson.loads(text) if text is not None else None
                except orjson.JSONDecodeError:
                    document = None
                if isinstance(document, dict):
                    yield document
                else:
                    self._on_unreadable(f"{key} line {number}: no JSON object")
        except _UNREADABLE as error:
            self._on_unreadable(f"{key}: {error}")


def _entry(line: dict[str, Any]) -> Entry:
    outcome = _text(line, "outcome")
    if outcome not in _OUTCOMES:
        raise EntryError(f"outcome {outcome[:20]!r} is unknown")
    reason = line.get("reason")
    return Entry(
        _sequence(line),
        _text(line, "id"),
        _text(line, "source"),
        outcome,
        reason if isinstance(reason, str) else None,
        datetime.fromisoformat(_text(line, "arrived")).timestamp(),
    )


def _text(line: dict[str, Any], name: str) -> str:
    value = line.get(name)
    if not isinstance(value, str):
        raise EntryError(f"{name} is missing or is no text")
    return value


def _sequence(line: dict[str, Any]) -> int:
    text = _text(line, "sequence_number")
    if not (text.isascii() and text.isdigit() and len(text) <= 128):
        raise EntryError("sequence_number is no number")
    return int(text)
