"""Lines of `ledger/`: what became of each event, and no more of it than that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from pipeline.archive.line_fields import LineError, arrived_of, number_of, sequence_of, text_of
from pipeline.event.outcomes import OutcomeKind
from pipeline.event.times import iso_milliseconds

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.event.events import Outcome

_MOST_ELEMENTS = 10**8
_SETTLED = {
    OutcomeKind.DELIVERED,
    OutcomeKind.DUPLICATE,
    OutcomeKind.REJECTED,
    OutcomeKind.IGNORED,
}


class LedgerEntry(NamedTuple):
    """A line of the ledger.

    Parameters
    ----------
    arrived : float
        In epoch seconds.
    elements : int
        How many lines its request has, where it carries many events; else 0.
    partial : bool
        Whether a replay wanted some of these events only.
    """

    sequence: int
    id: str
    source: str
    outcome: str
    reason: str | None
    arrived: float
    elements: int = 0
    partial: bool = False


def describe_outcome(outcome: Outcome) -> dict[str, Any]:
    """Return the ledger's line of an event."""
    event = outcome.event
    line: dict[str, Any] = {
        "id": event.id,
        "source": event.source_name,
        "outcome": outcome.kind,
        "reason": outcome.reason,
        "shard_id": event.shard_id,
        "sequence_number": event.sequence_number,
        "arrived": iso_milliseconds(event.arrived),
    }
    if event.elements:
        line["elements"] = event.elements
        if event.envelope is not None and event.envelope.only:
            line["partial"] = True
    return line


def read_entry(line: Mapping[str, Any]) -> LedgerEntry:
    """Read a parsed line.

    Raises
    ------
    LineError
        When it is no line of the ledger.
    """
    outcome = text_of(line, "outcome")
    if outcome not in _SETTLED:
        raise LineError(f"outcome {outcome[:20]!r} is unknown")
    reason = line.get("reason")
    return LedgerEntry(
        sequence_of(line),
        text_of(line, "id"),
        text_of(line, "source"),
        outcome,
        reason if isinstance(reason, str) else None,
        arrived_of(line),
        number_of(line, "elements", _MOST_ELEMENTS, default=0),
        line.get("partial") is True,
    )
