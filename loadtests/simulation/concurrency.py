"""Lambda's concurrency: an account's invocations at once, and what is reserved of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class Concurrency:
    """Counts invocations.

    Parameters
    ----------
    account : int
        The most at once over all functions.
    reserved : Mapping[str, int | None]
        By function, what is kept for it and is its limit; None where it shares the rest.
    """

    def __init__(self, account: int, reserved: Mapping[str, int | None]) -> None:
        self._reserved = reserved
        self._shared = account - sum(kept or 0 for kept in reserved.values())
        self.running = dict.fromkeys(reserved, 0)
        self._in_shared = self._in_all = 0
        self.most = 0
        self.throttles = 0

    def enter(self, function: str) -> bool:
        """Begin an invocation; False where it is throttled."""
        own = self._reserved[function]
        free = self._in_shared < self._shared if own is None else self.running[function] < own
        if not free:
            self.throttles += 1
            return False
        self._count(function, 1)
        self.most = max(self.most, self._in_all)
        return True

    def leave(self, function: str) -> None:
        """End an invocation."""
        self._count(function, -1)

    def _count(self, function: str, more: int) -> None:
        self.running[function] += more
        self._in_all += more
        if self._reserved[function] is None:
            self._in_shared += more
