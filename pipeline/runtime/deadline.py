"""Attempts at an AWS call within the time that an invocation has left."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.aws.retries import UNTIL_THE_DEADLINE, RetryPolicy

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

    def attempts(self, policy: RetryPolicy = UNTIL_THE_DEADLINE) -> Iterator[int]:
        """Return attempts, with the policy's backoff between them.

        There is at least one. They end when the next backoff would reach into the reserve.
        """
        yield 0
        for attempt, backoff in enumerate(policy.backoffs(), 1):
            if self.time_left() - backoff < self.reserve:
                return
            self.sleep(backoff)
            yield attempt
