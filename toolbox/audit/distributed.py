"""The audit past one machine: Athena joins the archive, and what it finds is judged here.

The answers hold counts, and the events that one side lacks. Whether such an event failed, is
pending or is missing is said by the same code, and from the same failure records and deduplication
table, as for an audit on this machine.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import unquote_plus

from botocore.exceptions import BotoCoreError, ClientError

from pipeline.archive.keys import RAW_PREFIX, SOURCE, day_folder, source_folder
from pipeline.archive.ledger import LedgerEntry
from pipeline.archive.lines import Received
from pipeline.event.event_id import EventId
from toolbox.audit import sql
from toolbox.audit.athena import AuditQueryError
from toolbox.audit.join import DELIVERED, MISSING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pipeline.archive.listing import ArchiveListing
    from toolbox.audit.athena import AthenaWorkgroup
    from toolbox.audit.join import AuditReport
    from toolbox.audit.run import AuditSpan
    from toolbox.audit.verdicts import Verdicts
    from toolbox.seams import DescribedTables

_HOUR = timedelta(hours=1)
_REPLAYS = "replays"
#: Replays that only the deduplication table knows as delivered.
_MOST = 10_000


class DistributedAudit:
    """Audits whole hours with Athena."""

    def __init__(self, workgroup: AthenaWorkgroup, verdicts: Verdicts) -> None:
        self._workgroup = workgroup
        self._verdicts = verdicts
        #: Bytes that Athena read.
        self.scanned = 0
        self._delivered_replays: list[str] = []

    def run(
        self, span: AuditSpan, report: AuditReport, progress: Callable[[int, int], None]
    ) -> None:
        """Audit the hours of a span.

        Parameters
        ----------
        report : AuditReport
            Takes what is found; an hour whose query failed is named in it.
        progress : Callable[[int, int], None]
            Called with hours done and hours in all.

        Raises
        ------
        PipelineError
            When Athena or the archive is out of reach.
        """
        report.knows_each = False
        hours = list(hours_of(span))
        queries = [(f"{hour:%Y-%m-%dT%HZ}", sql.hour_query(hour, span.source)) for hour in hours]
        self._run(queries, report, partial(self._take, report), progress)
        # Most spans have no replay; then the ledger is not read a second time.
        if report.totals["replays"]:
            query = sql.replays_query(hours, span.source, self._delivered_replays)
            take = partial(_take_replayed, report)
            self._run([(_REPLAYS, query)], report, take, lambda *_: None)

    def _run(
        self,
        queries: list[tuple[str, str]],
        report: AuditReport,
        take: Callable[[Mapping[str, str]], None],
        progress: Callable[[int, int], None],
    ) -> None:
        progress(0, len(queries))
        for done, end in enumerate(self._workgroup.run(queries), 1):
            self.scanned += end.scanned
            if end.failure:
                report.unaudited.append(f"{end.name}: {end.failure}")
            else:
                columns = sql.REPLAYS_COLUMNS if end.name == _REPLAYS else sql.HOUR_COLUMNS
                for row in self._workgroup.rows(end):
                    if set(row) != columns or None in row.values():
                        raise AuditQueryError(f"{end.results}: rows have other columns")
                    take(row)
            progress(done, len(queries))

    def _take(self, report: AuditReport, row: Mapping[str, str]) -> None:
        what, number, source = row["what"], int(row["events"]), unquote_plus(row["source"])
        outcome, reason = row["outcome"], unquote_plus(row["reason"]) or None
        if what == sql.SETTLED:
            replayed = row["replayed"] == "true"
            report.add_events(source, outcome, reason, number, replayed=replayed)
            return
        identifier, key = unquote_plus(row["id"]), self._key(row["path"])
        if what == sql.UNREADABLE:
            report.add_unreadable(f"{key}: {number:,} lines that are none of the archive", number)
            return
        sequence, arrived = int(row["sequence_number"]), _arrived(row["arrived"])
        if arrived is None:  # Trino reads more forms than this program does
            report.add_unreadable(f"{key}: {row['arrived']!r:.60} is no time", number)
            return
        if what == sql.UNARCHIVED:
            entry = LedgerEntry(sequence, identifier, source, outcome, reason, arrived)
            report.add_unarchived(entry, lost=self._verdicts.lost_by_archiver(entry))
            report.add(source, outcome, identifier, reason)
            return
        event = Received(sequence, identifier, source, arrived, key)
        # Of a short one, the batch was settled: nothing of it is on its way any more.
        short = what == sql.SHORT
        verdict = (
            MISSING if short else self._verdicts.unaccounted(unquote_plus(row["shard"]), event)
        )
        for _ in range(number):
            report.add_unaccounted(event, verdict)
        if verdict == DELIVERED and "@" in identifier and len(self._delivered_replays) < _MOST:
            self._delivered_replays.append(identifier.partition("@")[0])

    def _key(self, path: str) -> str:
        return unquote_plus(path).removeprefix(f"s3://{self._workgroup.bucket}/")


def whole_hours(span: AuditSpan) -> AuditSpan:
    """Return the span of whole hours that holds a span."""
    start, end = (
        when.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        for when in (span.start, span.end - timedelta(microseconds=1))
    )
    return type(span)(start, end + _HOUR, span.source)


def hours_of(span: AuditSpan) -> Iterator[datetime]:
    """Return when the hours of a span begin."""
    hour = span.start
    while hour < span.end:
        yield hour
        hour += _HOUR


def check_sources(
    glue: DescribedTables, database: str, listing: ArchiveListing, span: AuditSpan
) -> None:
    """See that Athena looks for every source that the archive has in a span.

    A table's sources are those of its settings (partition projection), the archive's are folders.

    Raises
    ------
    AuditQueryError
        When it would overlook one.
    """
    try:
        table = glue.get_table(DatabaseName=database, Name=RAW_PREFIX.rstrip("/"))
    except (BotoCoreError, ClientError) as error:
        raise AuditQueryError(f"{database}: its tables cannot be described: {error}") from None
    known = set(table["Table"]["Parameters"][f"projection.{SOURCE}.values"].split(","))
    days = sorted({day_folder(hour) for hour in hours_of(span)})
    for source in listing.sources(RAW_PREFIX):
        if source in known or span.source not in {None, source}:
            continue
        prefix = RAW_PREFIX + source_folder(source)
        if any(next(listing.objects(prefix + day), None) for day in days):
            raise AuditQueryError(
                f"the archive has events of {source!r}, which is no source of this deployment, so "
                "its tables do not show them: name it in archive.former_sources and deploy, or "
                "audit without --distributed"
            )


def _take_replayed(report: AuditReport, row: Mapping[str, str]) -> None:
    event = EventId.parse(unquote_plus(row["event"]))
    if row["redelivered"] == "true":
        report.add_redelivered(event)
    if row["unresolved"] == "true":
        report.add_unresolved(event)


def _arrived(text: str) -> float | None:
    try:
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
