"""Tells who waits that something has changed, so that nobody looks again and again."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Changes:
    """Counts changes. Threads share it; what is notified of may hold any lock of its own."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._count = 0

    @property
    def count(self) -> int:
        """How many changes there were so far."""
        return self._count

    def notify(self) -> None:
        """Take note of a change."""
        with self._condition:
            self._count += 1
            self._condition.notify_all()

    def wait(self, seen: int, seconds: float) -> None:
        """Wait until there were more changes than `seen`, but not for longer than this."""
        with self._condition:
            self._condition.wait_for(lambda: self._count != seen, seconds)

    def wait_for(self, reached: Callable[[], bool], seconds: float) -> bool:
        """Wait until something is so; False when that takes longer.

        `reached` is asked at the beginning and after each change, and no lock is held meanwhile.
        """
        deadline = time.monotonic() + seconds
        while True:
            seen = self._count
            if reached():
                return True
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            self.wait(seen, left)
