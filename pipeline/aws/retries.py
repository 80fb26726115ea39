"""How often a call is made, and how long to wait in between: the one retry policy."""

from __future__ import annotations

import itertools
import random
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator


class RetryPolicy(NamedTuple):
    """Attempts with exponential backoff and jitter (AWS Architecture Blog, "Exponential Backoff").

    Parameters
    ----------
    attempts : int | None
        How often a call is made; None where only a deadline ends it.
    first_backoff, longest_backoff : float
        Seconds before the second attempt, and at most before any: it doubles with each.
    jitter : float
        The share of a backoff that is left to chance: 1 is full jitter, 0.5 waits half at least.
    """

    attempts: int | None = None
    first_backoff: float = 0.05
    longest_backoff: float = 2.0
    jitter: float = 1.0

    def backoffs(self) -> Iterator[float]:
        """Return the seconds to wait before each attempt but the first."""
        backoff = self.first_backoff
        retries = itertools.count() if self.attempts is None else range(self.attempts - 1)
        for _ in retries:
            yield random.uniform(backoff * (1 - self.jitter), backoff)  # noqa: S311 - no secret
            backoff = min(backoff * 2, self.longest_backoff)


#: Of the calls that a batch makes: what is throttled for a moment is tried until the deadline.
UNTIL_THE_DEADLINE = RetryPolicy()
