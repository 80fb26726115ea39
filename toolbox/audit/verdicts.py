"""What an audit says of an event that one side of the archive lacks."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from pipeline.archive.keys import LEDGER_PREFIX, day_folder
from pipeline.event.event_id import request_of
from toolbox.audit.join import MISSING, PENDING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pipeline.archive.ledger import LedgerEntry
    from pipeline.archive.lines import Received
    from pipeline.archive.listing import ArchiveListing, ShardObject
    from toolbox.audit.known import KnownElsewhere

#: An event older than this is no longer on the stream, so nothing can be pending for it: the
#: longest record age that an event source mapping allows (AWS Lambda API reference).
LONGEST_PENDING_SECONDS = 604_800.0


class LedgerReader(Protocol):
    """Reads an object of the ledger."""

    def entries(self, item: ShardObject) -> Iterator[LedgerEntry]:
        """Return its outcomes."""
        ...


class Verdicts:
    """Tells failed, pending and missing apart.

    Parameters
    ----------
    newest : Mapping[str, int]
        For each shard, the last sequence number that its ledger has by now.
    clock : Callable[[], float]
        Epoch seconds.
    """

    def __init__(
        self,
        known: KnownElsewhere,
        newest: Mapping[str, int],
        *,
        grace_seconds: float = 900.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._known = known
        self._newest = newest
        self._grace = grace_seconds
        self._clock = clock

    def unaccounted(self, shard: str, event: Received) -> str:
        """Return the outcome of an event that the ledger lacks."""
        elsewhere = self._known.outcome(event)
        if elsewhere is not None:
            return elsewhere
        age = self._clock() - event.arrived
        newest = self._newest.get(shard, -1)
        ahead = event.sequence > newest and age <= LONGEST_PENDING_SECONDS
        return PENDING if ahead or age <= self._grace else MISSING

    def lost_by_archiver(self, entry: LedgerEntry) -> bool:
        """Tell whether the archiver had the time for an event that `raw/` lacks."""
        if self._known.given_up(request_of(entry.id)):
            return False
        return self._clock() - entry.arrived > self._grace


def newest_entries(
    listing: ArchiveListing, reader: LedgerReader, start: datetime, end: datetime, now: float
) -> dict[str, int]:
    """Return, for each shard, how far the ledger has come.

    Parameters
    ----------
    start, end : datetime
        The span that is audited: a shard that was closed since wrote its last line in it.
    now : float
        In epoch seconds.

    Raises
    ------
    ArchiveReadError
        When the ledger cannot be listed or read.
    """
    today = datetime.fromtimestamp(now, UTC)
    if (today - end).total_seconds() > LONGEST_PENDING_SECONDS:
        return {}  # Nothing can be pending any more.
    days = {day_folder(when) for when in (today, today - timedelta(days=1), start, end)}
    latest: dict[str, ShardObject] = {}
    for day in sorted(days):
        for shard, item in listing.newest_by_shard(LEDGER_PREFIX + day).items():
            latest[shard] = max(latest.get(shard, item), item)
    return {
        shard: max((entry.sequence for entry in reader.entries(item)), default=-1)
        for shard, item in latest.items()
    }
