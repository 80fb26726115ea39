"""Token buckets, as the stage's method settings ask for."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from local.gateway.errors import GatewayError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from local.gateway.model import RateLimit, Route


class TokenBucket:
    """Lets a burst through, then so many requests a second.

    Parameters
    ----------
    clock : Callable[[], float]
        Seconds.
    """

    def __init__(self, throttle: RateLimit, clock: Callable[[], float] = time.monotonic) -> None:
        self._throttle = throttle
        self._clock = clock
        self._tokens = float(throttle.burst)
        self._last = clock()

    def take(self) -> bool:
        """Take a token if there is one."""
        now = self._clock()
        # No product with an infinite rate: infinity times no time is not a number.
        gained = (now - self._last) * self._throttle.rate if now > self._last else 0.0
        self._tokens = min(float(self._throttle.burst), self._tokens + gained)
        self._last = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class Throttling:
    """The buckets of an API: one for each method that has a limit."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._buckets = {
            route.logical_id: TokenBucket(route.throttle) for route in routes if route.throttle
        }

    def admit(self, route: Route) -> None:
        """Let a request pass.

        Raises
        ------
        GatewayError
            When its bucket is empty.
        """
        bucket = self._buckets.get(route.logical_id)
        if bucket and not bucket.take():
            raise GatewayError("THROTTLED")
