"""How fast a job sends: never above the asked rate, below it while the stream throttles."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

#: How much is sent in one go: a shard's second must not be used up by one call.
QUANTUM_SECONDS = 0.25
MOST_BYTES_AT_ONCE = 4 * 1024 * 1024
LEAST_BYTES_AT_ONCE = 64 * 1024
MOST_EVENTS_AT_ONCE = 50_000
LOWEST = 0.001
_SLICE_SECONDS = 0.2


class Pace:
    """Spreads sending over time: additive increase, multiplicative decrease.

    Parameters
    ----------
    events : float
        Events a second at most; infinite for no limit.
    size : float
        Bytes a second at most; infinite for no limit.
    clock : Callable[[], float]
        Seconds, from any start.
    sleep : Callable[[float], None]
        Waits some seconds.
    """

    def __init__(
        self,
        events: float = math.inf,
        size: float = math.inf,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        tick: Callable[[], None] = lambda: None,
    ) -> None:
        self.events = events
        self.size = size
        self.tick = tick
        #: Whether someone wants to stop: what was gathered is sent without further waiting.
        self.stop_requested: Callable[[], bool] = lambda: False
        #: The share of the asked rate that is used now.
        self.factor = 1.0
        self._clock = clock
        self._sleep = sleep
        self._free = clock()
        self._peak = 0.0
        self._changed = self._window = clock()
        self._used = 0.0

    @property
    def events_at_once(self) -> int:
        """How many events are sent in one go."""
        return int(min(max(self.events * self.factor * QUANTUM_SECONDS, 1), MOST_EVENTS_AT_ONCE))

    @property
    def bytes_at_once(self) -> int:
        """How many bytes are sent in one go."""
        quantum = self.size * self.factor * QUANTUM_SECONDS
        return int(min(max(quantum, LEAST_BYTES_AT_ONCE), MOST_BYTES_AT_ONCE))

    def wait(self, events: int, size: int) -> None:
        """Wait until so much may be sent."""
        now = self._clock()
        self._free = max(self._free, now)
        self.pause(self._free - now, until=self.stop_requested)
        cost = max(events / self.events, size / self.size)
        self._used += cost
        self._free += cost / self.factor

    def pause(self, seconds: float, until: Callable[[], bool] = lambda: False) -> None:
        """Wait, in slices so that the job stays awake."""
        while seconds > 0 and not until():
            self.tick()
            self._sleep(min(seconds, _SLICE_SECONDS))
            seconds -= _SLICE_SECONDS

    def throttled(self) -> None:
        """Halve the rate, once a second at most: one burst is refused in many records."""
        now = self._clock()
        if now - self._changed < 1.0 and self.factor < 1.0:
            return
        # Where the asked rate is far above what the stream takes, half of it would change
        # nothing: what counts is what was really sent.
        elapsed = now - self._window
        real = self._used / elapsed if elapsed > 0.5 and self._used else self.factor
        before = min(self.factor, max(real, LOWEST))
        self._peak = max(self._peak, before)
        self.factor = max(before / 2, LOWEST)
        self._restart(now)

    def succeeded(self) -> None:
        """Raise the rate a little, once a second, up to what was asked."""
        now = self._clock()
        if now - self._changed >= 1.0:
            # Twenty seconds to the fastest that it ever was when it was throttled.
            self.factor = min(self.factor + self._peak / 20, 1.0)
            self._restart(now)

    def _restart(self, now: float) -> None:
        self._changed = self._window = now
        self._used = 0.0
