"""What a job remembers of what it sent, in bounded memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable

MOST = 100_000


class Recent:
    """The requests that were sent lately.

    Several rejected lines can come from one request, and an event can be in `raw/` again because
    it was replayed. What is forgotten is sent twice, and is then a duplicate.

    Parameters
    ----------
    most : int
        How many are remembered at most.
    """

    def __init__(self, most: int = MOST) -> None:
        self._half = most // 2
        self._current: set[int] = set()
        self._previous: set[int] = set()

    def __contains__(self, request: Hashable) -> bool:
        value = hash(request)
        return value in self._current or value in self._previous

    def add(self, request: Hashable) -> None:
        """Remember one; the older half is forgotten when there are too many."""
        self._current.add(hash(request))
        if len(self._current) >= self._half:
            self._previous, self._current = self._current, set()
