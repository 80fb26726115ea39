"""Waits for as long as something gets on: how long that takes is up to the machine."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_LOOK_SECONDS = 0.1
_NEVER_LOOKED = object()


class Standstill:
    """Tells when something has made no progress for too long.

    Parameters
    ----------
    clock : Callable[[], float]
        Gives seconds that only grow.
    sleep : Callable[[float], object]
        Waits for some seconds.
    """

    def __init__(
        self,
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self.seconds = seconds
        self._clock = clock
        self._sleep = sleep
        self._seen: object = _NEVER_LOOKED
        self._since = 0.0

    def reached(self, progress: object) -> bool:
        """Look at it, and tell whether it has shown the same for too long.

        Parameters
        ----------
        progress : object
            Anything that compares unequal to what it was before, once there is progress.
        """
        now = self._clock()
        if progress != self._seen:
            self._seen, self._since = progress, now
        return now - self._since >= self.seconds

    def wait(
        self,
        done: Callable[[], bool],
        progress: Callable[[], object],
        every: float = _LOOK_SECONDS,
    ) -> bool:
        """Wait until it is done; False when it stood still before that.

        Parameters
        ----------
        done : Callable[[], bool]
            Whether it is; may raise, and ends the wait then.
        progress : Callable[[], object]
            As for `reached`.
        every : float
            Seconds between two looks.
        """
        while not done():
            if self.reached(progress()):
                return False
            self._sleep(every)
        return True
