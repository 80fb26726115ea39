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

#: So many batches with events that could not be verified make tickets: of one source and hour, in
#: one process. What comes after them lies in `quarantine/`, of which no ticket is made.
UNVERIFIED_TICKETS = 10
_FOLDERS_IN_MIND = 1_000


class RejectionFolders:
    """Tells in which folder a rejected event lies."""

    def __init__(self) -> None:
        self._batches: dict[str, set[int]] = {}

    def of(self, outcomes: Sequence[Outcome]) -> Callable[[Outcome], str]:
        """Return what names the folder of each of these outcomes, which are one batch's.

        A batch that is tried again begins at the same place, counts once, and lies where it lay.
        """
        first: dict[str, int] = {}
        for outcome in outcomes:
            if outcome.reason in UNVERIFIED:
                folder = _folder(REJECTED_PREFIX, outcome.event)
                place = int(outcome.event.sequence_number)
                first[folder] = min(first.get(folder, place), place)
        full = {folder for folder, place in first.items() if not self._takes(folder, place)}

        def folder_of(outcome: Outcome) -> str:
            folder = _folder(REJECTED_PREFIX, outcome.event)
            beyond = outcome.reason in UNVERIFIED and folder in full
            if beyond or outcome.reason in QUARANTINED:
                return _folder(QUARANTINE_PREFIX, outcome.event)
            return folder

        return folder_of

    def _takes(self, folder: str, place: int) -> bool:
        known = self._batches.setdefault(folder, set())
        if place not in known and len(known) >= UNVERIFIED_TICKETS:
            return False
        known.add(place)
        for old in list(self._batches)[:-_FOLDERS_IN_MIND]:
            del self._batches[old]
        return True


def _folder(prefix: str, event: Record | Event) -> str:
    return f"{prefix}{source_folder(event.source_name)}{hour_folder(event.arrived)}"
