"""Requests of which the ledger says that events were delivered."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import orjson

from pipeline.archive.ledger import LedgerEntry, read_entry
from pipeline.archive.line_fields import LineError
from pipeline.archive.objects import ObjectUnreadableError
from pipeline.archive.unpacking import UnpackError, split_lines, unpack
from pipeline.errors import PipelineError
from pipeline.event.event_id import EventId, element_id, request_of
from pipeline.event.outcomes import OutcomeKind, Reason
from pipeline.replay.memory import DigestSet

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pipeline.archive.objects import ObjectRef, Objects

_SENT, _OPEN = 1, 2


class LedgerUnreadableError(PipelineError):
    """What was delivered before cannot be known: an object of the ledger cannot be read."""


@dataclass
class SettledRequests:
    """Requests that were delivered, as a whole or in part.

    A copy of what was delivered counts as delivered: its outcome is `duplicate`. Not so an event
    that was dropped since it had the id of another one (`id_reused`): nobody has seen its body.

    Parameters
    ----------
    whole : DigestSet
        Requests of which all was delivered.
    part : DigestSet
        Requests of which some events were.
    elements : DigestSet
        These events.
    """

    whole: DigestSet = field(default_factory=DigestSet)
    part: DigestSet = field(default_factory=DigestSet)
    elements: DigestSet = field(default_factory=DigestSet)

    def __len__(self) -> int:
        return len(self.whole) + len(self.part) + len(self.elements)

    def pack(self) -> None:
        """Bring all of it into the form that takes the least memory."""
        for digests in (self.whole, self.part, self.elements):
            digests.pack()

    def take(self, objects: Objects, refs: Iterable[ObjectRef]) -> None:
        """Add the requests in objects of the ledger, each by the id of its attempt.

        Raises
        ------
        LedgerUnreadableError
            When an object cannot be read.
        """
        for ref, chunks in objects.ahead(refs):
            for found in _delivered(ref.key, chunks):
                self._add(found, found.request)

    def take_replayed(self, objects: Objects, refs: Iterable[ObjectRef]) -> None:
        """Add the requests that replays put on the stream, each by the id of its envelope.

        Raises
        ------
        LedgerUnreadableError
            When an object cannot be read.
        """
        for ref, chunks in objects.ahead(refs):
            for found in _delivered(ref.key, chunks, b"@"):
                self._add(found, EventId.parse(found.request).envelope)

    def _add(self, found: _Delivered, request: str) -> None:
        if not found.state & _OPEN:
            self.whole.add(request)
            return
        self.part.add(request)
        for number in found.elements:
            self.elements.add(element_id(request, number))


@dataclass
class _Delivered:
    """A request of which an event was delivered, and the numbers of those that were."""

    request: str
    state: int = 0
    elements: list[int] = field(default_factory=list)

    def take(self, entry: LedgerEntry) -> None:
        """Add what became of one event."""
        state = _state(entry)
        self.state |= state | (_OPEN if entry.partial else 0)
        number = EventId.parse(entry.id).element
        if state & _SENT and number is not None:
            self.elements.append(number)


def _delivered(key: str, chunks: Iterable[bytes], marker: bytes = b"") -> Iterator[_Delivered]:
    """Return the requests of which an event was delivered.

    The events of a request come from one record, so a row of objects holds them all.
    """
    found: dict[str, _Delivered] = {}
    for entry in _entries(key, chunks, marker):
        request = request_of(entry.id)
        if request not in found:
            found[request] = _Delivered(request)
        found[request].take(entry)
    for one in found.values():
        if one.state & _SENT:
            yield one


def _state(entry: LedgerEntry) -> int:
    if entry.outcome == OutcomeKind.DELIVERED:
        return _SENT
    if entry.outcome == OutcomeKind.DUPLICATE and entry.reason != Reason.ID_REUSED:
        return _SENT
    # An event that its source ignores will be ignored again.
    return 0 if entry.outcome == OutcomeKind.IGNORED else _OPEN


def _entries(key: str, chunks: Iterable[bytes], marker: bytes) -> Iterator[LedgerEntry]:
    number = 1
    try:
        for number, text in split_lines(unpack(chunks)):  # noqa: B007 - the fault is told with it
            if text is None or (text and marker in text):
                yield _entry(text)
    except (UnpackError, ObjectUnreadableError, LineError) as error:
        raise LedgerUnreadableError(
            f"{key} line {number}: {error}; so it is not known what was delivered before. "
            "Narrow the replay with --from and --to, or send all of it with --force"
        ) from None


def _entry(text: bytes | None) -> LedgerEntry:
    if text is None:
        raise LineError("the line is too long")
    try:
        line = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise LineError(f"not JSON: {error}") from None
    if not isinstance(line, dict):
        raise LineError("no JSON object")
    return read_entry(line)
