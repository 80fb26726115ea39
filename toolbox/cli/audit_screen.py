"""What `mozdef-ef audit` shows: the verdict first, then the sources, then what is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolbox.audit.conclusion import conclude, next_command
from toolbox.audit.document import audit_document
from toolbox.audit.join import DELIVERED, OUTCOMES
from toolbox.audit.page import ways_of
from toolbox.project.next_steps import next_step
from toolbox.terminal.output import console, print_json, print_screen
from toolbox.terminal.tables import FittingTable, styled

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator

    from rich.console import RenderableType

    from toolbox.audit.conclusion import AuditConclusion
    from toolbox.audit.join import AuditReport
    from toolbox.audit.run import AuditSpan

_SHOWN = 10


def print_audit(report: AuditReport, span: AuditSpan, *, as_json: bool) -> None:
    """Print what an audit found."""
    if as_json:
        print_json(audit_document(report, span))
        return
    conclusion = conclude(report)
    print_screen([*_verdict(conclusion, span), _sources(report, span)])
    _print_reasons(report)
    _print_faults(report)


def _verdict(found: AuditConclusion, span: AuditSpan) -> Iterator[RenderableType]:
    yield styled(found.headline, "bold" if found.accounted else "bold red")
    for name, number in ways_of(found):
        if number or name == "delivered":
            yield styled(f"  {number:,} {name}")
    start = f"{span.start:%Y-%m-%dT%H:%MZ}"
    for cause, number in found.left_open.items():
        yield styled(f"  {number:,} open: {cause}", "yellow")
        yield styled(f"      {next_step(next_command(cause, start))}")
    for cause, number in found.quarantined.items():
        yield styled(f"  {number:,} kept in quarantine: {cause}")
        yield styled(f"      {next_step(next_command(cause, start))}")


def _sources(report: AuditReport, span: AuditSpan) -> FittingTable:
    rows = [*sorted(report.counts.items()), ("all", report.totals)]
    title = f"{span.start:%Y-%m-%d %H:%M} to {span.end:%Y-%m-%d %H:%M} UTC"
    if not console.is_terminal:
        # A program finds the same columns each time.
        columns = ("source", "received", *OUTCOMES)
        return FittingTable(title, columns, [(name, _all(one), *_each(one)) for name, one in rows])
    return FittingTable(
        title,
        ("source", "received", DELIVERED, "otherwise"),
        [(name, _all(one), one[DELIVERED], _otherwise(one)) for name, one in rows],
    )


def _each(counter: Counter[str]) -> list[int]:
    return [counter[outcome] for outcome in OUTCOMES]


def _all(counter: Counter[str]) -> int:
    return sum(_each(counter))


def _otherwise(counter: Counter[str]) -> str:
    others = [one for one in OUTCOMES if one != DELIVERED and counter[one]]
    return ", ".join(f"{counter[one]:,} {one}" for one in others)


def _print_reasons(report: AuditReport) -> None:
    totals = report.totals
    for name, number in sorted(totals.items()):
        if name.startswith("rejected:"):
            console.print(f"  rejected, {name.removeprefix('rejected:')}: {number:,}")
    for what, number in report.reused.items():
        if number:
            console.print(f"  with the {what.partition('_')[0]} of another event: {number:,}")
    if totals["replays"]:
        console.print(f"  {totals['replays']:,} of them are replays")


def _print_faults(report: AuditReport) -> None:
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
