"""What a poll did, for its metrics and its line in the log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.errors import PipelineError


@dataclass
class Report:
    """What a poll did.

    Parameters
    ----------
    outcome : str
        `drained`, `out of time`, `paused`, `skipped` (another poll holds the lock) or `failed`.
    pages, events : int
        How many were put on the stream and written down; `events` counts those that are too large.
    too_large : int
        How many went to the archive, under `rejected/`, because no record can hold them.
    lag_seconds : float | None
        How long ago the feed was known to be complete: 0 when it was drained, None when skipped.
    """

    source: str
    feed: str
    outcome: str = ""
    pages: int = 0
    events: int = 0
    too_large: int = 0
    lag_seconds: float | None = None
    error: PipelineError | None = None

    def drained(self) -> None:
        """Note that nothing is left to fetch for now."""
        self.outcome = "drained"
        self.lag_seconds = 0.0

    def behind(self, now_ms: int, complete_ms: int) -> None:
        """Note up to when the feed is known to be complete."""
        self.lag_seconds = max(now_ms - complete_ms, 0) / 1000

    @property
    def counts(self) -> dict[str, int]:
        """Its counters."""
        return {
            "PollEvents": self.events,
            "PollPages": self.pages,
            "PollErrors": int(self.error is not None),
            "PollSkipped": int(self.outcome == "skipped"),
        }

    @property
    def summary(self) -> dict[str, Any]:
        """What the log and the caller are told."""
        return {
            "source": self.source,
            "feed": self.feed,
            "outcome": self.outcome,
            "pages": self.pages,
            "events": self.events,
            "too_large": self.too_large,
            "lag_seconds": self.lag_seconds,
            "error": str(self.error) if self.error else "",
        }
