"""What the ledger says of requests of an hour, each object of it read once."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from typing import TYPE_CHECKING

import orjson

from pipeline.archive.keys import LEDGER_PREFIX
from pipeline.archive.ledger import LedgerEntry, read_entry
from pipeline.archive.line_fields import LineError
from pipeline.archive.objects import ObjectRef, ObjectUnreadableError
from pipeline.archive.unpacking import UnpackError, split_lines, unpack
from pipeline.event.event_id import request_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.archive.listing import ArchiveListing, ShardObject
    from pipeline.archive.objects import Objects
    from toolbox.explaining.found import ReadingNotes

#: A batch that was tried again in other parts has several objects that could hold a record.
_BEFORE = 4
#: Sequence number and id of a request: a record of an aggregate shares the first.
Place = tuple[int, str]
Entries = dict[Place, list[LedgerEntry]]


class LedgerLook:
    """Looks requests of one hour up."""

    def __init__(
        self, listing: ArchiveListing, objects: Objects, notes: ReadingNotes, hour: str
    ) -> None:
        self._objects = objects
        self._notes = notes
        self._by_shard = listing.by_shard(LEDGER_PREFIX + hour)
        self._read: dict[str, Entries] = {}

    def of(self, shard: str, place: Place) -> list[LedgerEntry]:
        """Return the lines of a request; none where it is not settled."""
        items = self._by_shard.get(shard, [])
        upto = bisect_right(items, place[0], key=lambda item: item.sequence)
        for item in reversed(items[max(upto - _BEFORE, 0) : upto]):
            if item.key not in self._read:
                self._read[item.key] = self._entries([item], b"")
            if found := self._read[item.key].get(place):
                return found
        return []

    def with_outcome(self, outcome: str, reason: str) -> dict[str, Entries]:
        """Return the lines of an hour with an outcome and a reason, by shard.

        Parameters
        ----------
        reason : str
            Any for none.
        """
        needle = orjson.dumps(reason or outcome)
        found = {}
        for shard, items in self._by_shard.items():
            entries = self._entries(items, needle)
            kept = {
                place: lines
                for place, lines in entries.items()
                if any(is_wanted(one, outcome, reason) for one in lines)
            }
            if kept:
                found[shard] = kept
        return found

    def _entries(self, items: list[ShardObject], needle: bytes) -> Entries:
        found: Entries = defaultdict(list)
        for key, text in self._lines(items, needle):
            try:
                entry = read_entry(orjson.loads(text))
            except (LineError, orjson.JSONDecodeError, AttributeError) as error:
                self._notes.lacks(f"{key}: {error}")
                continue
            found[entry.sequence, request_of(entry.id)].append(entry)
        return dict(found)

    def _lines(self, items: list[ShardObject], needle: bytes) -> Iterator[tuple[str, bytes]]:
        refs = [ObjectRef(item.key, item.size) for item in items]
        for ref, chunks in self._objects.ahead(refs):
            self._notes.take(LEDGER_PREFIX, ref.size)
            try:
                for _, text in split_lines(unpack(chunks)):
                    if text and needle in text:
                        yield ref.key, text
            except (UnpackError, ObjectUnreadableError) as error:
                self._notes.lacks(f"{ref.key}: {error}")


def is_wanted(entry: LedgerEntry, outcome: str, reason: str) -> bool:
    """Tell whether a line has an outcome and a reason; empty asks for nothing."""
    return outcome in {"", entry.outcome} and reason in {"", entry.reason}
