"""Attempts at an AWS call within the time that an invocation has left."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass(frozen=True)
class Deadline:
    """How much time an invocation has left.

    Parameters
    ----------
    time_left : Callable[[], float]
        Seconds until Lambda ends the invocation.
    reserve : float
        Seconds that must stay for what comes after: a batch that reports its failure in time
        loses nothing, one that is cut off is delivered again in full.
    sleep : Callable[[float], None]
        Waits some seconds.
    """

    time_left: Callable[[], float]
    reserve: float = 5.0
    sleep: Callable[[float], None] = time.sleep

    def attempts(self, *, first_wait: float = 0.05, longest_wait: float = 2.0) -> Iterator[int]:
        """Give attempts, with exponential backoff and full jitter between them.

        There is at least one. They end when the next wait would reach into the reserve.
        """
        wait = first_wait
        attempt = 0
        while True:
            yield attempt
            attempt += 1
            pause = random.uniform(0, wait)  # noqa: S311 - jitter, no secret
            if self.time_left() - pause < self.reserve:
                return
            self.sleep(pause)
            wait = min(wait * 2, longest_wait)
