"""What the page "Now" shows: the status that `mozdef-ef status` prints."""

from __future__ import annotations

import time
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any

from settings.deployment_alarms import AlarmSettings
from toolbox.watching.document import status_document

if TYPE_CHECKING:
    from collections.abc import Mapping

    from toolbox.console.scene import ConsoleScene
    from toolbox.watching.status import Risk, Status

MINUTES, HISTORY_MINUTES = 5, 60
#: Between two looks, in seconds: CloudWatch has a point a minute, and each look costs calls.
EVERY_SECONDS, EVERY_SECONDS_OF_STACK = 2.0, 60.0


@dataclass(frozen=True)
class NowPage:
    """A deployment at one moment."""

    status: Status
    risks: list[Risk]
    every: float
    history: Mapping[str, list[float]]

    def per_minute(self, counter: str) -> float:
        """Return the sum of a counter over all sources, a minute."""
        return sum(one.per_minute.get(counter, 0.0) for one in self.status.sources)

    def age(self, consumer: str) -> float | None:
        """Return how many seconds a consumer is behind; None where it is idle."""
        ages = (one.age_seconds for one in self.status.consumers if one.name == consumer)
        return next(ages, None)

    @property
    def waiting(self) -> int:
        """How many messages wait for MozDef."""
        return sum(one.messages for one in self.status.queues)

    def document(self) -> dict[str, Any]:
        """Return what `mozdef-ef status --json` prints."""
        return status_document(self.status, self.risks)


class SharedLook:
    """Looks at a deployment for all pages at once, and no more often than it should."""

    def __init__(self, scene: ConsoleScene) -> None:
        self._scene = scene
        self._lock = Lock()
        self._last: tuple[float, NowPage] | None = None
        self.every = EVERY_SECONDS if scene.where.local else EVERY_SECONDS_OF_STACK

    def page(self) -> NowPage:
        """Return the last look, or a new one where that is old."""
        with self._lock:
            if self._last is None or time.monotonic() - self._last[0] >= self.every:
                found = self._scene.watcher.look(time.time(), MINUTES)
                history = self._scene.watcher.history(found.as_of, HISTORY_MINUTES)
                page = NowPage(found, found.risks(AlarmSettings()), self.every, history)
                self._last = time.monotonic(), page
            return self._last[1]
