"""Runs an audit from the command line, on this machine or with Athena."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from pipeline.archive.listing import ArchiveListing
from pipeline.archive.objects import Objects
from toolbox.audit.athena import AthenaWorkgroup
from toolbox.audit.dismissed import add_dismissed
from toolbox.audit.distributed import DistributedAudit, check_sources
from toolbox.audit.forecast import duration, forecast
from toolbox.audit.join import AuditReport
from toolbox.audit.known import KnownElsewhere, TableCheck
from toolbox.audit.reading import ArchiveReader
from toolbox.audit.run import Audit
from toolbox.audit.verdicts import Verdicts, newest_entries
from toolbox.deployments import RunningDeploymentError
from toolbox.terminal.output import errors, progress_bar

if TYPE_CHECKING:
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
    quiet : bool
        Whether nothing is said of how long it takes.
    """

    where: RunningDeployment
    span: AuditSpan
    grace: int
    catalog: Catalog
    quiet: bool

    @property
    def listing(self) -> ArchiveListing:
        """The archive's keys."""
        return ArchiveListing(self.where.client("s3"), self.where.archive_bucket)

    @property
    def objects(self) -> Objects:
        """The archive's objects."""
        bucket = self.where.archive_bucket
        return Objects(self.where.client("s3"), bucket, objects_ahead=_OBJECTS_AHEAD)

    def say(self, text: str) -> None:
        """Say something beside the result."""
        if not self.quiet:
            errors.print(text)

    def judged(self, reader: ArchiveReader) -> Verdicts:
        """Read what both ways of an audit need of failure records and ledger."""
        where, listing = self.where, self.listing
        dynamodb = where.client("dynamodb")
        check = TableCheck(dynamodb, where.dedupe_table, self.catalog, reader.event)
        with errors.status("reading the failure records, and how far the ledger is"):
            known = KnownElsewhere(reader.failed(listing, self.span.start), check.delivered)
            start, end = self.span.start, self.span.end
            newest = newest_entries(listing, reader, start, end, time.time())
        return Verdicts(known, newest, grace_seconds=self.grace)


def audit_here(plan: AuditPlan) -> AuditReport:
    """Audit on this machine.

    Raises
    ------
    PipelineError
        When the archive is out of reach.
    """
    report, begun = AuditReport(), time.monotonic()
    with errors.status("listing some hours"):
        expected = forecast(plan.listing, plan.span)
    plan.say(f"audit of {expected}")
    reader = ArchiveReader(plan.objects, report.add_unreadable)
    audit = Audit(plan.listing, reader, plan.judged(reader))
    with progress_bar() as progress:
        task = progress.add_task("audit, hours", total=None, rate="")
        audit.run(
            plan.span,
            report,
            lambda done, total: progress.update(task, completed=done, total=total),
        )
    add_dismissed(plan.listing, plan.objects, plan.span, report)
    plan.say(f"took {duration(time.monotonic() - begun)}")
    return report


def audit_with_athena(plan: AuditPlan) -> AuditReport:
    """Audit whole hours with Athena.

    Raises
    ------
    PipelineError
        When the stack has no workgroup, or Athena or the archive is out of reach.
    """
    where, report, begun = plan.where, AuditReport(), time.monotonic()
    if not (where.workgroup and where.database):
        raise RunningDeploymentError(
            f"{where.name}: has no output AthenaWorkgroup or GlueDatabase; deploy this version"
        )
    check_sources(where.client("glue"), where.database, plan.listing, plan.span)
    with errors.status("listing some hours"):
        expected = forecast(plan.listing, plan.span)
    plan.say(
        f"{expected.hours:,} hours, about {expected.objects:,} objects: Athena reads about "
        f"{expected.size / 1e9:,.2f} GB; docs/athena.md says what that costs"
    )
    reader = ArchiveReader(plan.objects, report.add_unreadable)
    workgroup = AthenaWorkgroup(
        where.client("athena"),
        plan.objects,
        where.workgroup,
        where.database,
        where.archive_bucket,
    )
    audit = DistributedAudit(workgroup, plan.judged(reader))
    with progress_bar() as progress:
        task = progress.add_task("audit, hours", total=None, rate="")
        audit.run(
            plan.span,
            report,
            lambda done, total: progress.update(task, completed=done, total=total),
        )
    add_dismissed(plan.listing, plan.objects, plan.span, report)
    took = duration(time.monotonic() - begun)
    plan.say(f"took {took}; Athena read {audit.scanned / 1e9:,.2f} GB")
    return report
