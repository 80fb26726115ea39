"""`mozdef-ef audit`: say whether every event is accounted for."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path  # noqa: TC003 - Typer reads it at run time
from typing import TYPE_CHECKING, Annotated

import orjson
import typer

from pipeline.replay.times import parse_time
from toolbox.audit.distributed import whole_hours
from toolbox.audit.join import MISSING
from toolbox.audit.page import audit_page
from toolbox.audit.plan import AuditPlan
from toolbox.audit.run import AuditSpan
from toolbox.cli.audit_run import audit_with_athena, audit_with_progress
from toolbox.cli.audit_screen import print_audit
from toolbox.cli.source_filter import check_sources
from toolbox.cli.source_options import folders, say_broken
from toolbox.deployments import DEFAULT_STATE, Stack, State, find_deployment
from toolbox.project.finding import require_file
from toolbox.terminal.output import DOES_NOT_HOLD, errors

if TYPE_CHECKING:
    from toolbox.audit.join import AuditReport


def audit(
    start: Annotated[
        str, typer.Option("--from", help="Arrived since: 2026-11-23T20:00Z, or 2h, 3d for 'ago'.")
    ] = "24h",
    end: Annotated[
        str, typer.Option("--to", help="Arrived before, in the same forms; 0s is now.")
    ] = "0s",
    *,
    source: Annotated[str | None, typer.Option(help="Only this source.")] = None,
    grace: Annotated[
        int, typer.Option(min=0, help="Seconds for which an event may still be on its way.")
    ] = 900,
    distributed: Annotated[
        bool, typer.Option(help="With Athena, by whole hours; needs --stack.")
    ] = False,
    missing_to: Annotated[
        Path | None, typer.Option(help="Write what is missing here, for 'replay --missing'.")
    ] = None,
    page: Annotated[
        Path | None, typer.Option("--html", help="Write a page that stands by itself here.")
    ] = None,
    state: State = DEFAULT_STATE,
    stack: Stack = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Join what came in with what became of it, and say what nothing accounts for.

    Exit status: 0 every event is accounted for or still on its way, 1 something is missing, or is
    in the ledger and not in raw/, or an hour could not be audited, or there is no such source.
    """
    now = datetime.now(UTC)
    span = AuditSpan(parse_time(start, now), parse_time(end, now), source)
    if span.start >= span.end:
        raise typer.BadParameter("must lie before --to", param_hint="--from")
    if distributed and not stack:
        fault = "name the stack with --stack; the local pipeline has no Athena, and needs none"
        raise typer.BadParameter(fault, param_hint="--distributed")
    if missing_to is not None:
        # An audit can take hours; that its end has nowhere to go is said before it.
        require_file(missing_to, "--missing-to")
    if page is not None:
        require_file(page, "--html")
    deployed = find_deployment(state, stack)
    check_sources([source] if source else [], deployed)
    span = whole_hours(span) if distributed else span
    # Whoever only asks for help needs no reader of sources.
    from toolbox.sources.on_demand import catalog_on_demand

    run = audit_with_athena if distributed else audit_with_progress
    with catalog_on_demand(folders(), deployed.parameters) as (catalog, broken):
        say_broken(broken)
        report = run(AuditPlan(deployed, span, grace, catalog), quiet=as_json)
    if missing_to is not None:
        _write_missing(report, missing_to)
    if page is not None:
        page.write_text(audit_page(report, span), encoding="utf-8")
    print_audit(report, span, as_json=as_json)
    if not report.holds:
        raise typer.Exit(DOES_NOT_HOLD)


def _write_missing(report: AuditReport, path: Path) -> None:
    lines = [
        orjson.dumps(
            {
                "id": event.id,
                "source": event.source,
                "arrived": datetime.fromtimestamp(event.arrived, UTC).isoformat(),
                "key": event.key,
            }
        )
        for event in report.missing
    ]
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    further = report.totals[MISSING] - len(lines)
    if further:
        errors.print(
            f"{path} has the first {len(lines):,}; {further:,} more are missing: replay these, and "
            "audit again",
            style="yellow",
        )
