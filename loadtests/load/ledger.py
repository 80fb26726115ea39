"""Reads how events ended: the ledger, and the failure records of batches that were given up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from loadtests.load.proof import Ends
from pipeline.archive.keys import LEDGER_PREFIX, hour_folders, name_of
from pipeline.archive.listing import ArchiveListing, ShardObject
from pipeline.archive.objects import Objects
from pipeline.event.event_id import request_of
from toolbox.audit.join import FAILED
from toolbox.audit.reading import ArchiveReader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from loadtests.load.standstill import Standstill
    from loadtests.target import TargetUnderTest

#: How far the clocks of this machine and of AWS may be apart.
_CLOCKS = timedelta(minutes=5)
_LOOK_SECONDS = 2.0


class Ledger:
    """What the archive says of the events since a time.

    Parameters
    ----------
    start : float
        When the first request was sent, in epoch seconds.
    ids : Mapping[str, int] | None
        The ids of the requests that are asked for, with how many events each has; None for all.
    """

    def __init__(
        self, target: TargetUnderTest, start: float, ids: Mapping[str, int] | None
    ) -> None:
        s3 = target.client("s3")
        self.ends = Ends()
        self._ids = ids
        self._open = sum(ids.values()) if ids else 0
        self._start = datetime.fromtimestamp(start, UTC) - _CLOCKS
        self._listing = ArchiveListing(s3, target.archive_bucket)
        objects = Objects(s3, target.archive_bucket)
        self._reader = ArchiveReader(objects, self.ends.unreadable.append)
        self._seen: set[tuple[str, int]] = set()

    def read(self) -> Ends:
        """Read what is new."""
        for hour in hour_folders(self._start, datetime.now(UTC) + _CLOCKS):
            for item, written in self._new(LEDGER_PREFIX + hour):
                for entry in self._reader.entries(item):
                    if self._take(entry.id, _word(entry.outcome, entry.reason)):
                        self.ends.written.append(written - entry.arrived)
        for event_id in self._reader.failed(self._listing, self._start):
            # A batch that was given up may have been settled in part by an earlier try.
            if event_id not in self.ends.by_event:
                self._take(event_id, FAILED)
        return self.ends

    def wait(self, still: Standstill, told: Callable[[str], None]) -> Ends:
        """Read until each event that is asked for has its outcome, or none comes any more.

        Parameters
        ----------
        still : Standstill
            Says when none has come for too long.
        told : Callable[[str], None]
            Is told how many are still open.
        """

        def complete() -> bool:
            self.read()
            if self._open > 0:
                told(f"{self._open:,} events have no outcome yet")
            return self._open <= 0

        if not still.wait(complete, lambda: self._open, _LOOK_SECONDS):
            told(f"No event has had its outcome for {still.seconds:.0f} seconds: given up.")
        return self.ends

    def _take(self, event_id: str, outcome: str) -> bool:
        if self._ids is not None and request_of(event_id) not in self._ids:
            return False
        if new := event_id not in self.ends.by_event:
            self._open -= 1
        self.ends.add(event_id, outcome)
        return new

    def _new(self, prefix: str) -> Iterator[tuple[ShardObject, float]]:
        for ref, written in self._listing.written(prefix):
            name = name_of(ref.key)
            # A batch that was tried again may have written its object again, longer.
            if name is not None and (ref.key, ref.size) not in self._seen:
                self._seen.add((ref.key, ref.size))
                yield ShardObject(name.sequence, ref.key, ref.size), written.timestamp()


def _word(outcome: str, reason: str | None) -> str:
    return f"{outcome}:{reason}" if reason else outcome
