"""All mappings of a stack together."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from local.mapping.event_source import EventSourceMapping


class Mappings:
    """The running mappings of a stack."""

    def __init__(self) -> None:
        self._running: list[EventSourceMapping] = []

    def start(self, mapping: EventSourceMapping) -> None:
        """Start one more."""
        self._running.append(mapping)
        mapping.start()

    def stop(self) -> None:
        """Stop all of them after the invocations in progress."""
        for mapping in self._running:
            mapping.signal_stop()
        for mapping in self._running:
            mapping.stop()
        self._running = []

    def check(self) -> None:
        """Make sure that they work; MappingFailedError otherwise."""
        for mapping in self._running:
            mapping.check()

    def status(self) -> dict[str, Any]:
        """Return how far they are.

        `idle` with `as_of` T says: what was put on the streams before T is settled.
        """
        progress = {each.settings.logical_id: each.progress() for each in self._running}
        return {
            "idle": all(each.idle for each in progress.values()),
            "as_of": min((each.as_of for each in progress.values()), default=time.time()),
            "mappings": {
                name: {
                    "idle": each.idle,
                    "as_of": each.as_of,
                    "millis_behind": each.millis_behind,
                    "in_flight": each.in_flight,
                    "held": [asdict(one) for one in each.held],
                    **each.counters,
                }
                for name, each in progress.items()
            },
        }
