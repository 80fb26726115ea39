"""The audit as a page that stands by itself: no script, no font, nothing that is fetched."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from toolbox.audit.conclusion import conclude
from toolbox.audit.join import OUTCOMES
from toolbox.terminal.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from toolbox.audit.conclusion import AuditConclusion
    from toolbox.audit.join import AuditReport
    from toolbox.audit.run import AuditSpan

#: Of what is missing or unreadable, so many are named; the counts are of all.
FAULTS_NAMED = 100
_STYLE = (
    # Fonts by name first: where few are, what system-ui stands for may have serifs.
    ":root{color-scheme:light dark}body{font:1rem/1.5 -apple-system,'Segoe UI',Roboto,'Noto Sans',"
    "Cantarell,Ubuntu,'DejaVu Sans','Liberation Sans',Arial,sans-serif;max-width:70rem;"
    "margin:2rem auto;padding:0 1rem}table{border-collapse:collapse;margin:1rem 0}"
    "caption{text-align:left;font-weight:bold}th,td{border:1px solid;padding:.2rem .6rem;"
    "text-align:left;overflow-wrap:anywhere}"
)
#: A browser that opens the page fetches and runs nothing, whatever got into it.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def audit_page(report: AuditReport, span: AuditSpan) -> str:
    """Return the page."""
    found = conclude(report)
    title = f"Audit, {span.start:%Y-%m-%d %H:%M} to {span.end:%Y-%m-%d %H:%M} UTC"
    rows = [*sorted(report.counts.items()), ("all", report.totals)]
    faults = [(what, f"{id_} {where}".strip()) for what, id_, where in named_faults(report)]
    parts = [
        _table("Verdict", ("what became of them", "number"), ways_of(found)),
        _table("Open, by cause", ("cause", "number"), found.left_open.items()),
        _table("In quarantine", ("reason", "number"), found.quarantined.items()),
        _table("Sources", ("source", *OUTCOMES), ((name, *(c[o] for o in OUTCOMES))
                                                  for name, c in rows)),
        _table("Faults", ("what", "where"), faults),
    ]  # fmt: skip
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{_text(title)}</title><style>{_STYLE}</style></head><body><main>"
        f"<h1>{_text(title)}</h1><p><strong>{_text(found.headline)}</strong></p>"
        f"{''.join(parts)}</main></body></html>\n"
    )


def ways_of(found: AuditConclusion) -> list[tuple[str, int]]:
    """Return what became of the events, and of how many."""
    return [
        ("delivered", found.delivered),
        ("copies, not sent again", found.duplicate),
        ("ignored", found.ignored),
        ("on their way", found.pending),
        ("recovered by a replay", found.recovered),
        ("dismissed", found.dismissed),
    ]


def named_faults(report: AuditReport) -> list[tuple[str, str, str]]:
    """Return what is wrong, the id of the event where it is one, and where; the first of each."""
    kept = FAULTS_NAMED
    return [
        *(("missing", one.id, f"{one.source}, in {one.key}") for one in report.missing[:kept]),
        *(("not in raw/", one.id, one.source) for one in report.unmatched[:kept]),
        *(("not audited", "", one) for one in report.unaudited[:kept]),
        *(("unreadable", "", one) for one in report.unreadable[:kept]),
    ]


def _table(caption: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [
        f'<tr><th scope="row">{_text(first)}</th>'
        + "".join(f"<td>{_text(cell)}</td>" for cell in cells)
        + "</tr>"
        for first, *cells in rows
    ]
    if not lines:
        return ""
    head = "".join(f'<th scope="col">{_text(one)}</th>' for one in columns)
    return f"<table><caption>{_text(caption)}</caption><tr>{head}</tr>{''.join(lines)}</table>"


def _text(value: object) -> str:
    return escape(printable(f"{value:,}" if isinstance(value, int) else str(value)))
