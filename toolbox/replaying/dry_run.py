"""Takes the events of a dry run: counts them, keeps a sample, sends nothing."""

from __future__ import annotations

import random
from collections import Counter
from typing import TYPE_CHECKING

from pipeline.replay.times import iso

if TYPE_CHECKING:
    from pipeline.archive.lines import ArchivedEvent

SAMPLE = 5
MOST_GROUPS = 10_000


class DryRun:
    """Stands in the place of the stream."""

    def __init__(self) -> None:
        self.groups: Counter[tuple[str, str, str, str]] = Counter()
        self.sample: list[ArchivedEvent] = []
        self.size = 0
        self._seen = 0

    def add(self, _key: str, data: bytes, event: ArchivedEvent, /) -> bool:
        """Count an event by kind, source, reason and hour."""
        hour = iso(event.arrived)[:13]
        group = (str(event.kind), event.source, event.reason or "-", hour)
        if group not in self.groups and len(self.groups) >= MOST_GROUPS:
            group = ("others", "-", "-", "-")
        self.groups[group] += len(event.numbers) or 1
        self.size += len(data)
        self._seen += 1
        # Each event has the same chance to be in the sample, however many there are.
        if len(self.sample) < SAMPLE:
            self.sample.append(event)
        elif (place := random.randrange(self._seen)) < SAMPLE:  # noqa: S311 - no secret
            self.sample[place] = event
        return True

    def flush(self) -> None:
        """Do nothing: nothing waits."""
