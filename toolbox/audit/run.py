"""Runs an audit over the archive of one deployment."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeVar

from pipeline.archive.keys import (
    LEDGER_PREFIX,
    RAW_PREFIX,
    hour_folders,
    source_folder,
)
from pipeline.archive.ledger import LedgerEntry
from pipeline.archive.lines import Received
from toolbox.audit.join import join_shard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime

    from pipeline.archive.listing import ArchiveListing, ShardObject
    from toolbox.audit.join import AuditReport
    from toolbox.audit.verdicts import Verdicts


class Reader(Protocol):
    """Reads objects of the archive."""

    def received_of(self, items: Iterable[ShardObject]) -> Iterator[Iterator[Received]]:
        """Return the events of each of several objects of `raw/`, in their order."""
        ...

    def entries_of(self, items: Iterable[ShardObject]) -> Iterator[Iterator[LedgerEntry]]:
        """Return the outcomes of each of several objects of `ledger/`, in their order."""
        ...


@dataclass(frozen=True)
class AuditSpan:
    """What an audit looks at; times of arrival on the stream, the end not included."""

    start: datetime
    end: datetime
    source: str | None = None

    def holds(self, source: str, arrived: float) -> bool:
        """Tell whether an event belongs to it."""
        inside = self.start.timestamp() <= arrived < self.end.timestamp()
        return inside and self.source in {None, source}


class Audit:
    """Joins `raw/` with the ledger and the failure records, on this machine."""

    def __init__(self, listing: ArchiveListing, reader: Reader, verdicts: Verdicts) -> None:
        self._listing = listing
        self._reader = reader
        self._verdicts = verdicts

    def run(
        self, span: AuditSpan, report: AuditReport, progress: Callable[[int, int], None]
    ) -> None:
        """Audit a span of time.

        Parameters
        ----------
        report : AuditReport
            Takes what is found.
        progress : Callable[[int, int], None]
            Called with hours done and hours in all.
        """
        hours = list(hour_folders(span.start, span.end))
        names = [span.source] if span.source else self._listing.sources(RAW_PREFIX)
        for number, hour in enumerate(hours):
            progress(number, len(hours))
            raw = [
                self._listing.by_shard(RAW_PREFIX + source_folder(name) + hour) for name in names
            ]
            ledger = self._listing.by_shard(LEDGER_PREFIX + hour)
            for shard in sorted({shard for found in (*raw, ledger) for shard in found}):
                join_shard(
                    self._received([found.get(shard, []) for found in raw], span),
                    self._entries(ledger.get(shard, []), span),
                    report,
                    partial(self._verdicts.unaccounted, shard),
                    self._verdicts.lost_by_archiver,
                )
        progress(len(hours), len(hours))

    def _received(
        self, sources: Iterable[list[ShardObject]], span: AuditSpan
    ) -> Iterator[Received]:
        objects = (item for found in sources for item in found)
        merged = merge_overlapping(objects, self._reader.received_of)
        return (event for event in merged if span.holds(event.source, event.arrived))

    def _entries(self, objects: Iterable[ShardObject], span: AuditSpan) -> Iterator[LedgerEntry]:
        merged = merge_overlapping(objects, self._reader.entries_of)
        return (entry for entry in merged if span.holds(entry.source, entry.arrived))


T = TypeVar("T", Received, LedgerEntry)


def merge_overlapping(
    objects: Iterable[ShardObject],
    read: Callable[[Iterable[ShardObject]], Iterator[Iterator[T]]],
) -> Iterator[T]:
    """Return the lines of objects in the order of their sequence numbers.

    Objects of one shard can overlap: a mapping with a parallelization factor works on several
    batches of a shard at once. An object is opened when its first line is due, so only those that
    overlap are open at the same time.

    Parameters
    ----------
    read : Callable[[Iterable[ShardObject]], Iterator[Iterator[T]]]
        Opens objects one after the other, as they are asked for.
    """
    waiting = sorted(objects, reverse=True)
    objects_in_order = read(reversed(waiting.copy()))
    heap: list[tuple[int, int, T, Iterator[T]]] = []
    opened = 0
    while waiting or heap:
        while waiting and (not heap or waiting[-1].sequence <= heap[0][0]):
            waiting.pop()
            lines = next(objects_in_order)
            opened += 1
            first = next(lines, None)
            if first is not None:
                heapq.heappush(heap, (first.sequence, opened, first, lines))
        if heap:
            _, number, line, lines = heapq.heappop(heap)
            yield line
            following = next(lines, None)
            if following is not None:
                heapq.heappush(heap, (following.sequence, number, following, lines))
