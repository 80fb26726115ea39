"""What an audit of one deployment is to look at, and the audit that this machine makes of it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from pipeline.archive.listing import ArchiveListing
from pipeline.archive.objects import Objects
from toolbox.audit.dismissed import add_dismissed
from toolbox.audit.join import AuditReport
from toolbox.audit.known import KnownElsewhere, TableCheck
from toolbox.audit.reading import ArchiveReader
from toolbox.audit.run import Audit
from toolbox.audit.verdicts import Verdicts, newest_entries

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.event.compiled_source import Catalog
    from toolbox.audit.run import AuditSpan
    from toolbox.deployments import RunningDeployment

#: As many as boto3 has connections (`toolbox/deployments.py`).
_OBJECTS_AHEAD = 32


class AuditPlan(NamedTuple):
    """What an audit needs to run.

    Parameters
    ----------
    grace : int
        In seconds.
    """

    where: RunningDeployment
    span: AuditSpan
    grace: int
    catalog: Catalog

    @property
    def listing(self) -> ArchiveListing:
        """The archive's keys."""
        return ArchiveListing(self.where.client("s3"), self.where.archive_bucket)

    @property
    def objects(self) -> Objects:
        """The archive's objects."""
        bucket = self.where.archive_bucket
        return Objects(self.where.client("s3"), bucket, objects_ahead=_OBJECTS_AHEAD)

    def judged(self, reader: ArchiveReader) -> Verdicts:
        """Read what both ways of an audit need of failure records and ledger."""
        where, listing = self.where, self.listing
        dynamodb = where.client("dynamodb")
        check = TableCheck(dynamodb, where.dedupe_table, self.catalog, reader.event)
        known = KnownElsewhere(reader.failed(listing, self.span.start), check.delivered)
        start, end = self.span.start, self.span.end
        newest = newest_entries(listing, reader, start, end, time.time())
        return Verdicts(known, newest, grace_seconds=self.grace)


def audit_here(plan: AuditPlan, progress: Callable[[int, int], None]) -> AuditReport:
    """Audit on this machine.

    Parameters
    ----------
    progress : Callable[[int, int], None]
        Called with hours done and hours in all.

    Raises
    ------
    PipelineError
        When the archive is out of reach.
    """
    report = AuditReport()
    reader = ArchiveReader(plan.objects, report.add_unreadable)
    Audit(plan.listing, reader, plan.judged(reader)).run(plan.span, report, progress)
    add_dismissed(plan.listing, plan.objects, plan.span, report)
    return report
