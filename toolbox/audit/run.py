"""Runs an audit over the archive of one deployment."""

from __future__ import annotations

import heapq
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeVar

from toolbox.audit.join import MISSING, PENDING, Entry, Received, Report, join_shard
from toolbox.audit.listing import ArchiveObject, Listing, hour_prefix, hours

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from toolbox.audit.known import KnownElsewhere


#: An event older than this is no longer on the stream, so nothing can be pending for it: the
#: longest record age that an event source mapping allows (AWS Lambda API reference).
LONGEST_PENDING_SECONDS = 604_800.0


class Reader(Protocol):
    """Reads objects of the archive."""

    def received(self, item: ArchiveObject) -> Iterator[Received]:
        """Give the events of an object of `raw/`."""
        ...

    def entries(self, item: ArchiveObject) -> Iterator[Entry]:
        """Give the outcomes of an object of `ledger/`."""
        ...


@dataclass(frozen=True)
class Span:
    """What an audit looks at; times of arrival on the stream, the end not included."""

    start: datetime
    end: datetime
    source: str | None = None

    def holds(self, source: str, arrived: float) -> bool:
        """Tell whether an event belongs to it."""
        inside = self.start.timestamp() <= arrived < self.end.timestamp()
        return inside and self.source in {None, source}


class Audit:
    """Joins `raw/` with the ledger and the failure records.

    Parameters
    ----------
    listing : Listing
        Lists the archive.
    reader : Reader
        Reads its objects.
    known : KnownElsewhere
        What is known of events that the ledger lacks.
    grace_seconds : float
        A younger event may still be on its way.
    clock : Callable[[], float]
        Epoch seconds.
    """

    def __init__(
        self,
        listing: Listing,
        reader: Reader,
        known: KnownElsewhere,
        *,
        grace_seconds: float = 900.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._listing = listing
        self._reader = reader
        self._known = known
        self._grace = grace_seconds
        self._clock = clock

    def run(self, span: Span, progress: Callable[[int, int], None]) -> Report:
        """Audit a span of time.

        Parameters
        ----------
        span : Span
            What to look at.
        progress : Callable[[int, int], None]
            Called with hours done and hours in all.
        """
        report = Report()
        all_hours = list(hours(span.start, span.end))
        names = [span.source] if span.source else self._listing.sources()
        newest = self._newest(span)
        for number, hour in enumerate(all_hours):
            progress(number, len(all_hours))
            raw = [
                self._listing.by_shard(f"raw/source={name}/{hour_prefix(hour)}") for name in names
            ]
            ledger = self._listing.by_shard(f"ledger/{hour_prefix(hour)}")
            for shard in sorted({shard for found in (*raw, ledger) for shard in found}):
                join_shard(
                    self._received([found.get(shard, []) for found in raw], span),
                    self._entries(ledger.get(shard, []), span),
                    report,
                    partial(self._decide, newest.get(shard, -1)),
                )
        progress(len(all_hours), len(all_hours))
        return report

    def _newest(self, span: Span) -> dict[str, int]:
        """Give, for each shard, how far the ledger has come by now."""
        now = datetime.fromtimestamp(self._clock(), UTC)
        days = {(now - timedelta(days=back)).date() for back in (0, 1)}
        days |= {span.start.astimezone(UTC).date(), span.end.astimezone(UTC).date()}
        latest: dict[str, ArchiveObject] = {}
        for day in sorted(days):
            for shard, objects in self._listing.by_shard(f"ledger/dt={day:%Y-%m-%d}/").items():
                latest[shard] = max(latest.get(shard, objects[-1]), objects[-1])
        return {
            shard: max((entry.sequence for entry in self._reader.entries(item)), default=-1)
            for shard, item in latest.items()
        }

    def _decide(self, newest: int, event: Received) -> str:
        elsewhere = self._known.outcome(event)
        if elsewhere is not None:
            return elsewhere
        age = self._clock() - event.arrived
        ahead = event.sequence > newest and age <= LONGEST_PENDING_SECONDS
        return PENDING if ahead or age <= self._grace else MISSING

    def _received(self, sources: Iterable[list[ArchiveObject]], span: Span) -> Iterator[Received]:
        objects = (item for found in sources for item in found)
        merged = merge_overlapping(objects, self._reader.received)
        return (event for event in merged if span.holds(event.source, event.arrived))

    def _entries(self, objects: Iterable[ArchiveObject], span: Span) -> Iterator[Entry]:
        merged = merge_overlapping(objects, self._reader.entries)
        return (entry for entry in merged if span.holds(entry.source, entry.arrived))


T = TypeVar("T", Received, Entry)


def merge_overlapping(
    objects: Iterable[ArchiveObject], read: Callable[[ArchiveObject], Iterator[T]]
) -> Iterator[T]:
    """Give the lines of objects in the order of their sequence numbers.

    Objects of one shard can overlap: a mapping with a parallelization factor works on several
    batches of a shard at once. An object is opened when its first line is due, so only those that
    overlap are open at the same time.
    """
    waiting = sorted(objects, reverse=True)
    heap: list[tuple[int, int, T, Iterator[T]]] = []
    opened = 0
    while waiting or heap:
        while waiting and (not heap or waiting[-1].sequence <= heap[0][0]):
            lines = read(waiting.pop())
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
