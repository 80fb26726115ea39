"""`mozdef-ef audit`: say whether every event is accounted for."""

from __future__ import annotations

import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer

from pipeline.event.compiled_source import Catalog, load_catalog
from pipeline.replay.times import parse_time
from settings.source.compiler import check_validators, write_compiled_catalog
from settings.source.loader import LoadedSource, load_source
from toolbox.audit.distributed import whole_hours
from toolbox.audit.join import MISSING, OUTCOMES, AuditReport
from toolbox.audit.run import AuditSpan
from toolbox.cli.audit_run import AuditPlan, audit_here, audit_with_athena
from toolbox.cli.source_options import folders, origin, say_broken
from toolbox.deployments import DEFAULT_STATE, Stack, State, find_deployment
from toolbox.project import require_folder
from toolbox.sources.sound import read_sound
from toolbox.terminal.output import (
    DOES_NOT_HOLD,
    console,
    errors,
    print_json,
    print_table,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

_SHOWN = 10


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
    state: State = DEFAULT_STATE,
    stack: Stack = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Join what came in with what became of it, and say what nothing accounts for.

    Exit status: 0 every event is accounted for or still on its way, 1 something is missing, or is
    in the ledger and not in raw/, or an hour could not be audited.
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
        require_folder(missing_to.absolute().parent, "--missing-to")
    deployed = find_deployment(state, stack)
    span = whole_hours(span) if distributed else span
    with tempfile.TemporaryDirectory(prefix="mozdef-ef-audit-") as folder:
        catalog = compiled_catalog(Path(folder), deployed.parameters)
        wanted = AuditPlan(deployed, span, grace, catalog, quiet=as_json)
        report = audit_with_athena(wanted) if distributed else audit_here(wanted)
    if missing_to is not None:
        _write_missing(report, missing_to)
    _print(report, span, as_json=as_json)
    if not report.holds:
        raise typer.Exit(DOES_NOT_HOLD)


def compiled_catalog(folder: Path, needed: Collection[str]) -> Catalog:
    """Compile every source that this machine knows, and load it.

    Parameters
    ----------
    needed : Collection[str]
        The deployment's sources. Any other that is broken is named and left out.

    Raises
    ------
    SourceError
        When one of the deployment's is broken.
    """
    sources, broken = read_sound(folders(), _fit_to_compile, needed)
    say_broken(broken)
    package = f"compiled_catalog_{folder.name.replace('-', '_').replace('.', '_')}"
    write_compiled_catalog(sources, folder, package, check=False)  # each was, where it has to be
    sys.path.insert(0, str(folder))
    try:
        return load_catalog(package)
    finally:
        sys.path.remove(str(folder))


def _fit_to_compile(folder: Path) -> LoadedSource:
    source = load_source(folder)
    # Those of the catalogue are checked by its tests.
    if origin(folder) == "private":
        check_validators(source)
    return source


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


def _document(report: AuditReport, span: AuditSpan) -> dict[str, Any]:
    totals = report.totals
    return {
        "from": span.start.isoformat(),
        "to": span.end.isoformat(),
        "received": report.received,
        **{outcome: totals[outcome] for outcome in OUTCOMES},
        "rejected_by_reason": {
            name.removeprefix("rejected:"): number
            for name, number in sorted(totals.items())
            if name.startswith("rejected:")
        },
        **report.reused,
        "replays": totals["replays"],
        "recovered": report.recovered,
        "unarchived": report.unarchived,
        "lost_by_archiver": report.lost_by_archiver,
        "unreadable": report.unreadable,
        "faults": report.faults,
        "unaudited": report.unaudited,
        "sources": {name: dict(counter) for name, counter in sorted(report.counts.items())},
    }


def _print_reasons(rejected: dict[str, int], report: AuditReport) -> None:
    for reason, number in rejected.items():
        console.print(f"  rejected, {reason}: {number:,}")
    for what, number in report.reused.items():
        if number:
            console.print(f"  with the {what.partition('_')[0]} of another event: {number:,}")


def _print(report: AuditReport, span: AuditSpan, *, as_json: bool) -> None:
    document = _document(report, span)
    if as_json:
        print_json(document)
        return
    columns = ("source", "received", *OUTCOMES)

    def row(name: str, number: Callable[[str], int]) -> tuple[object, ...]:
        values = [number(outcome) for outcome in OUTCOMES]
        return (name, sum(values), *values)

    rows = [row(name, lambda o, c=c: c[o]) for name, c in sorted(report.counts.items())]  # type: ignore[misc]
    totals = report.totals
    print_table(
        f"{span.start:%Y-%m-%d %H:%M} to {span.end:%Y-%m-%d %H:%M} UTC",
        columns,
        [*rows, row("all", lambda outcome: totals[outcome])],
    )
    _print_reasons(document["rejected_by_reason"], report)
    if totals["replays"]:
        console.print(
            f"  {totals['replays']:,} of them are replays; {report.recovered:,} events that ended "
            "badly were delivered by one"
        )
    if report.unarchived:
        console.print(f"  {report.unarchived:,} are not in raw/: the archiver is behind, or failed")
    for event in report.missing[:_SHOWN]:
        console.print(f"  missing: {event.source} {event.id} in {event.key}")
    for entry in report.unmatched[:_SHOWN]:
        place = f"sequence number {entry.sequence}"
        console.print(f"  not in raw/: {entry.source} {entry.id}, {place}")
    for what in report.unreadable[:_SHOWN]:
        console.print(f"  unreadable: {what}", style="yellow")
    for what in report.unaudited:
        console.print(f"  not audited: {what}", style="red")
    if report.faults > _SHOWN:
        console.print(f"  unreadable: {report.faults - _SHOWN:,} more", style="yellow")
