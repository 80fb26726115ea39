"""What an audit comes to: what is well, and what still waits for somebody, by its cause."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipeline.event.outcomes import QUARANTINED
from toolbox.audit.join import DELIVERED, DUPLICATE, FAILED, IGNORED, MISSING, PENDING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from toolbox.audit.join import AuditReport

#: Of these nobody is told: what was not proved to be its sender's is kept apart, without a ticket.
_KEPT_APART = frozenset(map(str, QUARANTINED))


@dataclass(frozen=True)
class AuditConclusion:
    """The verdict of an audit.

    Parameters
    ----------
    accounted : bool
        Whether nothing is missing, lost by the archiver or left out of the audit.
    delivered, duplicate, ignored, pending : int
        Events, replays included.
    recovered, dismissed : int
        Events that ended badly: delivered by a replay, or with a ticket that was dismissed.
    quarantined : Mapping[str, int]
        The others by reason, where the sender was not proved to be one. They have no tickets.
    left_open : Mapping[str, int]
        The others by cause: a reason, `failed` or `missing`.
    exact : bool
        Otherwise `quarantined` and `left_open` count events, recovered and dismissed ones too.
    """

    accounted: bool
    delivered: int
    duplicate: int
    ignored: int
    pending: int
    recovered: int
    dismissed: int
    quarantined: Mapping[str, int] = field(default_factory=dict)
    left_open: Mapping[str, int] = field(default_factory=dict)
    exact: bool = True

    @property
    def headline(self) -> str:
        """The verdict in one line."""
        if not self.accounted:
            return "NOT accounted for: something is missing, or could not be audited"
        waiting = sum(self.left_open.values())
        most = "" if self.exact else "at most "
        left = f"{most}{waiting:,} wait for somebody" if waiting else "nothing is open"
        return f"Every event is accounted for; {left}"


def conclude(report: AuditReport) -> AuditConclusion:
    """Return what an audit comes to."""
    totals = report.totals
    left = report.left_open if report.knows_each else report.ended_badly
    ordered = sorted(left.items(), key=lambda one: (-one[1], one[0]))
    return AuditConclusion(
        report.holds,
        totals[DELIVERED],
        totals[DUPLICATE],
        totals[IGNORED],
        totals[PENDING],
        report.recovered,
        report.dismissed,
        {name: number for name, number in ordered if name in _KEPT_APART},
        {name: number for name, number in ordered if name not in _KEPT_APART},
        report.knows_each,
    )


def next_command(cause: str, start: str) -> str:
    """Return what to type about a cause, without the program's name.

    Parameters
    ----------
    start : str
        The begin of the span, as `--from` has it.
    """
    if cause == MISSING:
        return f"audit --from {start} --missing-to missing.jsonl"
    if cause in _KEPT_APART:
        return f"replay --dry-run --kind quarantine --reason {cause}"
    if cause == FAILED:
        return "dead-letters list --kind failed"
    return f"dead-letters list --reason {cause}"
