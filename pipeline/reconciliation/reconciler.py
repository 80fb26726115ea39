"""Reconciles an hour of the archive: `raw/`, `ledger/` and failure records, shard by shard."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from pipeline.archive.failures import read_given_up
from pipeline.archive.keys import (
    FAILED_PREFIX,
    LEDGER_PREFIX,
    RAW_PREFIX,
    hour_folder,
    source_folder,
)
from pipeline.archive.line_fields import LineError, sequence_of, text_of
from pipeline.archive.objects import ObjectRef, ObjectUnreadableError
from pipeline.archive.reading import Unreadable, read_documents
from pipeline.event.event_id import request_of
from pipeline.reconciliation.comparison import ShardComparison, StreamReader, UserRecord
from pipeline.reconciliation.report import Reconciliation

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pipeline.archive.listing import ArchiveListing
    from pipeline.archive.objects import Objects
    from pipeline.runtime.deadline import Deadline

DELAY: Final = timedelta(hours=1)
"""From the end of an hour to its comparison. The fan-out gives a batch up after some minutes, the
archiver's window is one, and the alarms on their iterator age are on after 5 and 15 minutes:
whoever lacks a record by then has lost it, or is known to be behind."""

RESERVE_SECONDS: Final = 30.0
"""What must be left to begin with another object: its reading, tries included, and the report."""


class Written(NamedTuple):
    """An object of a shard and its writer; in the order of the shard."""

    sequence: int
    reader: StreamReader
    key: str
    size: int


class Reconciler:
    """Compares what the fan-out and the archiver account for.

    A reader accounts for a record by its line in `ledger/` or `raw/`, or by a failure record of
    its own mapping, which keeps the batch and has an alarm of its own. Both file a record by its
    arrival on the stream, so that an hour's folders hold the same records.

    Parameters
    ----------
    functions : Mapping[str, StreamReader]
        By the names of their functions, as failure records have them.
    """

    def __init__(
        self, listing: ArchiveListing, objects: Objects, functions: Mapping[str, StreamReader]
    ) -> None:
        self._listing = listing
        self._objects = objects
        self._functions = functions

    def reconcile(self, hour: datetime, deadline: Deadline) -> Reconciliation:
        """Compare one hour, shard by shard, until the deadline.

        Raises
        ------
        ArchiveReadError
            When the archive is out of reach.
        """
        report = Reconciliation(hour)
        given_up = self._given_up(report, deadline)
        written = self._written(hour)
        for shard in sorted(written.keys() | given_up.keys()):
            if deadline.time_left() < RESERVE_SECONDS:
                report.not_compared.add(shard)
                continue
            comparison = ShardComparison(partial(report.add_unmatched, shard))
            for reader, record in given_up.get(shard, ()):
                comparison.add(reader, (record,))
            if self._read(sorted(written.get(shard, ())), comparison, report, deadline):
                comparison.finish()
            else:
                report.not_compared.add(shard)
            report.compared += comparison.compared
        return report

    def _read(
        self,
        items: list[Written],
        comparison: ShardComparison,
        report: Reconciliation,
        deadline: Deadline,
    ) -> bool:
        """Take objects one after the other; tell whether the time sufficed."""
        refs = (ObjectRef(item.key, item.size) for item in items)
        with closing(self._objects.ahead(refs)) as opened:
            for number, item in enumerate(items, 1):
                if deadline.time_left() < RESERVE_SECONDS:
                    return False
                ref, chunks = next(opened)
                comparison.add(item.reader, _user_records(ref.key, chunks, report))
                if number < len(items):
                    comparison.settle(items[number].sequence)
        return True

    def _written(self, hour: datetime) -> dict[str, list[Written]]:
        folder = hour_folder(hour.timestamp())
        prefixes = {LEDGER_PREFIX + folder: StreamReader.FAN_OUT}
        for source in self._listing.sources(RAW_PREFIX):
            prefixes[RAW_PREFIX + source_folder(source) + folder] = StreamReader.ARCHIVER
        found: dict[str, list[Written]] = {}
        for prefix, reader in prefixes.items():
            for shard, objects in self._listing.by_shard(prefix).items():
                found.setdefault(shard, []).extend(
                    Written(one.sequence, reader, one.key, one.size) for one in objects
                )
        return found

    def _given_up(
        self, report: Reconciliation, deadline: Deadline
    ) -> dict[str, list[tuple[StreamReader, UserRecord]]]:
        """Read the failure records of the hour. There are few, or there is an incident."""
        found: dict[str, list[tuple[StreamReader, UserRecord]]] = {}
        for ref, written in self._listing.written(FAILED_PREFIX):
            if written < report.hour:
                continue
            if deadline.time_left() < RESERVE_SECONDS:
                break  # No shard is compared then.
            try:
                for one in read_given_up(self._objects.chunks(ref.key)):
                    if isinstance(one, LineError):
                        report.unreadable.add(f"{ref.key}: {one}")
                        continue
                    reader = self._functions.get(one.function)
                    if reader and hour_of(one.arrived) == report.hour:
                        record = (one.sequence, request_of(one.id))
                        found.setdefault(one.shard, []).append((reader, record))
            except (LineError, ObjectUnreadableError) as error:
                report.unreadable.add(f"{ref.key}: {error}")
        report.given_up = sum(map(len, found.values()))
        return found


def due_hour(now: float) -> datetime:
    """Return the hour to be compared at a time in epoch seconds: one that is over for `DELAY`."""
    return hour_of((datetime.fromtimestamp(now, UTC) - DELAY).timestamp()) - timedelta(hours=1)


def hour_of(seconds: float) -> datetime:
    """Return the beginning of the hour of a time in epoch seconds."""
    return datetime.fromtimestamp(seconds, UTC).replace(minute=0, second=0, microsecond=0)


def _user_records(
    key: str, chunks: Iterable[bytes], report: Reconciliation
) -> Iterator[UserRecord]:
    for line in read_documents(chunks):
        if isinstance(line, Unreadable):
            report.unreadable.add(f"{key}: {line.explanation}")
            continue
        try:
            yield sequence_of(line), request_of(text_of(line, "id"))
        except LineError as error:
            report.unreadable.add(f"{key}: {error}")
