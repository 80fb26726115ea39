"""All mappings of a stack together."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import threading
    from collections.abc import Collection

    from local.mapping.event_source import EventSourceMapping
    from local.mapping.settings import MappingSettings


class Mappings:
    """The running mappings of a stack."""

    def __init__(self) -> None:
        self._running: list[EventSourceMapping] = []

    def start(self, mapping: EventSourceMapping) -> None:
        """Start one, in the place of the one that was left under its name."""
        name = mapping.settings.logical_id
        mapping.start()
        others = [each for each in self._running if each.settings.logical_id != name]
        self._running = [*others, mapping]

    def leave(
        self, wanted: Collection[MappingSettings], hurry: threading.Event
    ) -> list[MappingSettings]:
        """Stop all that do not have these settings, after the invocations in progress.

        Parameters
        ----------
        hurry : threading.Event
            Set when they are not to be waited for any longer than at the end.

        Returns
        -------
        list[MappingSettings]
            Those that are to be started. One that was left is listed until then, not idle.
        """
        goes_on = [each.settings for each in self._running if each.settings in wanted]
        left = [each for each in self._running if each.settings not in goes_on]
        for mapping in left:
            mapping.signal_stop()
        for mapping in left:
            while not mapping.stop() and not hurry.is_set():
                pass
        names = {each.logical_id for each in wanted}
        self._running = [each for each in self._running if each.settings.logical_id in names]
        return [each for each in wanted if each not in goes_on]

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
