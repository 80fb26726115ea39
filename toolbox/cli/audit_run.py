"""Runs an audit from the command line, on this machine or with Athena."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from toolbox.audit.athena import AthenaWorkgroup
from toolbox.audit.dismissed import add_dismissed
from toolbox.audit.distributed import DistributedAudit, check_sources
from toolbox.audit.forecast import duration, forecast
from toolbox.audit.join import AuditReport
from toolbox.audit.plan import audit_here
from toolbox.audit.reading import ArchiveReader
from toolbox.deployments import RunningDeploymentError
from toolbox.terminal.output import errors, progress_bar

if TYPE_CHECKING:
    from toolbox.audit.plan import AuditPlan


def audit_with_progress(plan: AuditPlan, *, quiet: bool) -> AuditReport:
    """Audit on this machine.

    Parameters
    ----------
    quiet : bool
        Whether nothing is said of how long it takes.

    Raises
    ------
    PipelineError
        When the archive is out of reach.
    """
    begun = time.monotonic()
    with errors.status("listing some hours"):
        expected = forecast(plan.listing, plan.span)
    _say(f"audit of {expected}", quiet=quiet)
    with progress_bar() as progress:
        task = progress.add_task("audit, hours", total=None, rate="")
        report = audit_here(
            plan, lambda done, total: progress.update(task, completed=done, total=total)
        )
    _say(f"took {duration(time.monotonic() - begun)}", quiet=quiet)
    return report


def _say(text: str, *, quiet: bool) -> None:
    if not quiet:
        errors.print(text)


def audit_with_athena(plan: AuditPlan, *, quiet: bool) -> AuditReport:
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
    _say(
        f"{expected.hours:,} hours, about {expected.objects:,} objects: Athena reads about "
        f"{expected.size / 1e9:,.2f} GB; docs/athena.md says what that costs",
        quiet=quiet,
    )
    reader = ArchiveReader(plan.objects, report.add_unreadable)
    workgroup = AthenaWorkgroup(
        where.client("athena"),
        plan.objects,
        where.workgroup,
        where.database,
        where.archive_bucket,
    )
    with errors.status("reading the failure records, and how far the ledger is"):
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
    _say(f"took {took}; Athena read {audit.scanned / 1e9:,.2f} GB", quiet=quiet)
    return report
