"""An audit for a program to read: what `audit --json` prints."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from toolbox.audit.conclusion import conclude
from toolbox.audit.join import OUTCOMES

if TYPE_CHECKING:
    from toolbox.audit.join import AuditReport
    from toolbox.audit.run import AuditSpan


def audit_document(report: AuditReport, span: AuditSpan) -> dict[str, Any]:
    """Return what an audit found."""
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
        "verdict": asdict(conclude(report)),
    }
