"""Which objects of the archive a job reads, in an order in which it can go on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from pipeline.archive.keys import (
    ArchiveKind,
    day_written,
    hour_folder,
    kind_of,
    partition_of,
    source_folder,
)
from pipeline.event.events import UNKNOWN_SOURCE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.archive.listing import ArchiveListing
    from pipeline.archive.objects import ObjectRef
    from pipeline.replay.filters import Filter

_HOUR = len(hour_folder(0.0))


def select(listing: ArchiveListing, wanted: Filter, after: str = "") -> Iterator[ObjectRef]:
    """Return the objects that can hold what is wanted, in the order of their keys.

    Parameters
    ----------
    after : str
        Only objects whose keys come after this one.

    Raises
    ------
    ArchiveReadError
        When the archive cannot be listed.
    """
    for kind in sorted(wanted.kinds, key=lambda kind: kind.prefix):
        if kind is ArchiveKind.FAILED:
            yield from _failed(listing, wanted, after)
        else:
            for source in _sources(listing, kind, wanted):
                yield from _hours(listing, kind.prefix + source_folder(source), wanted, after)


def measure(listing: ArchiveListing, wanted: Filter) -> tuple[int, int]:
    """Return how many objects there are, and their size in bytes."""
    count = size = 0
    for ref in select(listing, wanted):
        count += 1
        size += ref.size
    return count, size


def may_hold(key: str, wanted: Filter) -> bool:
    """Tell by an object's key alone whether it can hold what is wanted."""
    kind = kind_of(key)
    if kind not in wanted.kinds:
        return False
    place = partition_of(key)
    if kind is ArchiveKind.FAILED or place is None:
        return True
    early = wanted.start is not None and place.hour < hour_folder(wanted.start)
    late = wanted.end is not None and place.hour > hour_folder(wanted.end)
    named = not wanted.sources or place.source in _with_unknown(wanted)
    return named and not early and not late


def _sources(listing: ArchiveListing, kind: ArchiveKind, wanted: Filter) -> list[str]:
    names = _with_unknown(wanted) if wanted.sources else listing.sources(kind.prefix)
    # In the order of the keys: `a-b/` comes before `a/`.
    return sorted(names, key=source_folder)


def _with_unknown(wanted: Filter) -> set[str]:
    # Events of a source that was not deployed at the time are under `_unknown`.
    return {*wanted.sources, UNKNOWN_SOURCE}


def _hours(listing: ArchiveListing, prefix: str, wanted: Filter, after: str) -> Iterator[ObjectRef]:
    first = prefix + hour_folder(wanted.start) if wanted.start is not None else ""
    last = hour_folder(wanted.end) if wanted.end is not None else ""
    for ref in listing.objects(prefix, after=max(first, after)):
        if last and ref.key[len(prefix) :][:_HOUR] > last:
            return
        yield ref


def _failed(listing: ArchiveListing, wanted: Filter, after: str) -> Iterator[ObjectRef]:
    # A failure record is written after its events arrived: only too old ones can be left out.
    first = datetime.fromtimestamp(wanted.start or 0.0, UTC) - timedelta(days=1)
    for ref in listing.objects(ArchiveKind.FAILED.prefix, after=after):
        day = day_written(ref.key)
        if day is None or day >= (first.year, first.month, first.day):
            yield ref
