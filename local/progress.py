"""How far a running pipeline is: what was fetched and what was put on the streams, together."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from local.schedules import describe

if TYPE_CHECKING:
    from local.changes import Changes
    from local.mapping.group import Mappings
    from local.schedules import Schedules


class Progress:
    """Looks at the parts of a stack that work by themselves."""

    def __init__(self, mappings: Mappings, schedules: Schedules, changes: Changes) -> None:
        self._changes = changes
        self._mappings = mappings
        self._schedules = schedules

    def check(self) -> None:
        """Make sure that all of them work; PipelineError otherwise."""
        self._mappings.check()
        self._schedules.check()

    def status(self) -> dict[str, Any]:
        """Return how far they are.

        `idle` with `as_of` T says: what was put on the streams before T is settled, each schedule
        has run, none runs now, and what they put on the streams lies before T.
        """
        # Schedules first: what a run has put on a stream, the mappings have then seen or not.
        scheduled = self._schedules.statuses()
        status = self._mappings.status()
        at_rest = all(each.idle for each in scheduled.values())
        ended = max((each.last_run or 0.0 for each in scheduled.values()), default=0.0)
        return {
            **status,
            "idle": bool(status["idle"] and at_rest and status["as_of"] > ended),
            "schedules": describe(scheduled),
        }

    def wait_until_idle(self, seconds: float) -> bool:
        """Wait until all that is on the streams by now is settled; False when it takes longer."""
        since = time.time()

        def idle() -> bool:
            self.check()
            status = self.status()
            return bool(status["idle"] and status["as_of"] > since)

        return self._changes.wait_for(idle, seconds)
