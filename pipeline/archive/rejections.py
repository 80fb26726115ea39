"""Where rejected events lie: what a stranger can cause makes no ticket, or few."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.archive.keys import (
    QUARANTINE_PREFIX,
    REJECTED_PREFIX,
    hour_folder,
    source_folder,
)
from pipeline.event.outcomes import QUARANTINED, UNVERIFIED

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pipeline.event.events import Event, Outcome, Record

#: So many batches with events that could not be verified make tickets: of one source and day, in
#: one process. What comes after them lies in `quarantine/`, of which no ticket is made.
UNVERIFIED_TICKETS = 5
_DAYS_IN_MIND = 1_000
_DAY_SECONDS = 86_400


class RejectionFolders:
    """Tells in which folder a rejected event lies."""

    def __init__(self) -> None:
        self._batches: dict[tuple[str, int], set[int]] = {}

    def of(self, outcomes: Sequence[Outcome]) -> Callable[[Outcome], str]:
        """Return what names the folder of each of these outcomes, which are one batch's.

        A batch that is tried again begins at the same place, counts once, and lies where it lay.
        """
        first: dict[tuple[str, int], int] = {}
        for outcome in outcomes:
            if outcome.reason in UNVERIFIED:
                day, place = _day(outcome.event), int(outcome.event.sequence_number)
                first[day] = min(first.get(day, place), place)
        full = {day for day, place in first.items() if not self._takes(day, place)}

        def folder_of(outcome: Outcome) -> str:
            beyond = outcome.reason in UNVERIFIED and _day(outcome.event) in full
            kept_apart = beyond or outcome.reason in QUARANTINED
            return _folder(QUARANTINE_PREFIX if kept_apart else REJECTED_PREFIX, outcome.event)

        return folder_of

    def _takes(self, day: tuple[str, int], place: int) -> bool:
        known = self._batches.setdefault(day, set())
        if place not in known and len(known) >= UNVERIFIED_TICKETS:
            return False
        known.add(place)
        for old in list(self._batches)[:-_DAYS_IN_MIND]:
            del self._batches[old]
        return True


def _day(event: Record | Event) -> tuple[str, int]:
    return event.source_name, int(event.arrived // _DAY_SECONDS)


def _folder(prefix: str, event: Record | Event) -> str:
    return f"{prefix}{source_folder(event.source_name)}{hour_folder(event.arrived)}"
