"""What the archive and the deduplication table say about the events of a smoke test."""

from __future__ import annotations

import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.archive.keys import LEDGER_PREFIX, RAW_PREFIX, hour_folders, source_folder
from pipeline.archive.listing import ArchiveListing
from pipeline.archive.objects import Objects
from pipeline.event.compiled_source import load_catalog
from pipeline.event.event_id import request_of
from pipeline.event.outcomes import OutcomeKind
from settings.source.compiler import write_compiled_catalog
from toolbox.audit.known import TableCheck
from toolbox.audit.reading import ArchiveReader

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loadtests.target import TargetUnderTest
    from pipeline.archive.ledger import LedgerEntry
    from pipeline.archive.lines import Received
    from pipeline.archive.listing import ShardObject
    from pipeline.event.compiled_source import Catalog

#: How far the clocks of this machine and of AWS may be apart.
_CLOCKS = timedelta(minutes=5)


class Evidence:
    """Gathers what is known of some events; each object of the archive is read once.

    Parameters
    ----------
    start : float
        When the first was sent, in epoch seconds.
    """

    def __init__(self, target: TargetUnderTest, ids: frozenset[str], start: float) -> None:
        s3 = target.client("s3")
        self._ids = ids
        self._start = datetime.fromtimestamp(start, UTC) - _CLOCKS
        self._sources = sorted(target.sources)
        self._listing = ArchiveListing(s3, target.archive_bucket)
        self.unreadable: list[str] = []
        self._reader = ArchiveReader(Objects(s3, target.archive_bucket), self.unreadable.append)
        self._table = TableCheck(
            target.client("dynamodb"),
            target.dedupe_table,
            compiled_catalog(target),
            self._reader.event,
        )
        self._seen: set[tuple[str, int]] = set()
        self._received: dict[str, Received] = {}
        self._entries: dict[str, dict[str, LedgerEntry]] = {}

    def look(self) -> None:
        """Read what is new in the archive since the last look."""
        for hour in hour_folders(self._start, datetime.now(UTC) + _CLOCKS):
            for item in self._new(LEDGER_PREFIX + hour):
                for entry in self._reader.entries(item):
                    if request_of(entry.id) in self._ids:
                        self._entries.setdefault(request_of(entry.id), {})[entry.id] = entry
            for source in self._sources:
                for item in self._new(RAW_PREFIX + source_folder(source) + hour):
                    for event in self._reader.received(item):
                        if event.id in self._ids:
                            self._received[event.id] = event

    def complete(self, event_id: str, events: int) -> bool:
        """Tell whether an event is in `raw/`, and each of its parts in the ledger."""
        return event_id in self._received and len(self._entries.get(event_id, {})) >= events

    def fault(self, event_id: str, outcomes: tuple[str, ...], events: int) -> str:
        """Say what is wrong with an event; nothing where it ended as it should.

        Parameters
        ----------
        outcomes : tuple[str, ...]
            How it may end: an outcome, with its reason after a colon where it has one.
        events : int
            How many events are in it.
        """
        entries = self._entries.get(event_id, {})
        if not entries:
            failed = event_id in set(self._reader.failed(self._listing, self._start))
            return f"{event_id}: {'its batch failed' if failed else 'not in the ledger in time'}"
        ended = sorted({_written(entry) for entry in entries.values()})
        if not set(ended) <= set(outcomes):
            return f"{event_id}: ended as {', '.join(ended)}, expected {' or '.join(outcomes)}"
        if len(entries) != events:
            return f"{event_id}: {len(entries)} events in the ledger, expected {events}"
        received = self._received.get(event_id)
        if received is None:
            return f"{event_id}: not in raw/ in time; see the archiver"
        if ended == ["delivered"] and not self._table.delivered(received):
            return f"{event_id}: delivered by the ledger, unknown to the deduplication table"
        return ""

    def _new(self, prefix: str) -> Iterator[ShardObject]:
        for items in self._listing.by_shard(prefix).values():
            for item in items:
                # A batch that was tried again may have written its object again, longer.
                if (item.key, item.size) not in self._seen:
                    self._seen.add((item.key, item.size))
                    yield item


def _written(entry: LedgerEntry) -> str:
    # What is said beside `delivered` or `duplicate` is no other end.
    rejected = entry.outcome == OutcomeKind.REJECTED
    return f"{entry.outcome}:{entry.reason}" if rejected else entry.outcome


def compiled_catalog(target: TargetUnderTest) -> Catalog:
    """Compile the target's sources, as the build does, and load them."""
    with tempfile.TemporaryDirectory(prefix="mozdef-ef-smoke-") as name:
        package = f"compiled_catalog_{Path(name).name.replace('-', '_')}"
        write_compiled_catalog(target.sources, Path(name), package)
        sys.path.insert(0, name)
        try:
            return load_catalog(package)
        finally:
            sys.path.remove(name)
