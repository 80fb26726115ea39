"""What a batch came to: which outcomes stand, and from where the mapping must deliver again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.event.events import Event, Outcome, delivered, duplicate, unsettled
from pipeline.event.outcomes import OutcomeKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pipeline.archive.writer import ArchiveWriter
    from pipeline.runtime.deadline import Deadline


@dataclass(frozen=True)
class Settlement:
    """The outcomes of a batch.

    Parameters
    ----------
    outcomes : tuple[Outcome, ...]
        One for each event.
    checkpoint : str | None
        The lowest outer sequence number that is not settled. Lambda delivers again everything
        from it on, so what came after it does not count yet.
    """

    outcomes: tuple[Outcome, ...]
    checkpoint: str | None

    @classmethod
    def of(cls, outcomes: Sequence[Outcome]) -> Settlement:
        """Find the checkpoint of these outcomes, one for each event."""
        open_ends = [
            outcome.event.sequence_number
            for outcome in outcomes
            if outcome.kind is OutcomeKind.UNSETTLED
        ]
        return cls(tuple(outcomes), min(open_ends, key=int) if open_ends else None)

    @property
    def settled(self) -> list[Outcome]:
        """The outcomes that stand: those before the checkpoint."""
        if self.checkpoint is None:
            return list(self.outcomes)
        end = int(self.checkpoint)
        return [outcome for outcome in self.outcomes if int(outcome.event.sequence_number) < end]

    def archived(self, archive: ArchiveWriter, deadline: Deadline) -> Settlement:
        """Write the rejected events that stand; one that cannot be written does not stand."""
        rejections = [outcome for outcome in self.settled if outcome.kind is OutcomeKind.REJECTED]
        failed = archive.write_rejected(rejections, deadline) if rejections else []
        if not failed:
            return self
        again = {id(outcome.event): outcome for outcome in failed}
        settled = [again.get(id(old.event), old) for old in self.outcomes]
        return Settlement.of(settled)

    def recorded(self, archive: ArchiveWriter, deadline: Deadline) -> Settlement:
        """Write the outcomes that stand into the ledger; without that, none of them stands.

        The batch is then delivered again. What it sent is known by its own id, and not sent again.
        """
        standing = self.settled
        if not standing or archive.write_ledger(standing, deadline):
            return self
        again = [
            unsettled(outcome.event, "the ledger could not be written") for outcome in self.outcomes
        ]
        return Settlement.of(again)

    def response(self) -> dict[str, Any]:
        """Return the handler's answer to the event source mapping.

        An answer of None would acknowledge the batch (recorded), so there always is an object.
        """
        if self.checkpoint is None:
            return {"batchItemFailures": []}
        return {"batchItemFailures": [{"itemIdentifier": self.checkpoint}]}

    def explanations(self, kind: OutcomeKind, most: int = 5) -> list[str]:
        """Return some distinct explanations of outcomes of a kind, for a log line."""
        found = {outcome.explanation for outcome in self.outcomes if outcome.kind is kind}
        return sorted(found)[:most]


def share_fate(copies: Iterable[tuple[Event, Event]], outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Return for each copy within a batch the outcome of the event that it copies.

    A copy of a delivered event is a duplicate. A copy of a rejected one is rejected as well: to
    call it a duplicate would claim that something was delivered.
    """
    fates = {id(outcome.event): outcome for outcome in outcomes}
    shared = []
    for copy, original in copies:
        fate = fates[id(original)]
        if fate.kind is OutcomeKind.DELIVERED:
            explanation = copy.remark_explanation or f"a copy of {original.id} in the same batch"
            shared.append(duplicate(copy, explanation, copy.remark))
        else:
            shared.append(Outcome(copy, fate.kind, fate.reason, fate.explanation))
    return shared


def remembered_outcomes(sent: Iterable[Event], unwritten: set[str]) -> list[Outcome]:
    """Say of what was sent whether it is settled: not before the table remembers it."""
    explanation = "sent, but the deduplication table could not be written"
    return [
        delivered(event)
        if not unwritten or unwritten.isdisjoint(event.keys)
        else unsettled(event, explanation)
        for event in sent
    ]
