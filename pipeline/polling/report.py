"""What a poll did, for its metrics and its line in the log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.polling.errors import PollError
from pipeline.polling.standing import LONGEST_REASON, FeedStanding

if TYPE_CHECKING:
    from pipeline.errors import PipelineError
    from pipeline.polling.pages import Page

NOTED_MS = 7 * 86_400_000


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
    copies : int
        How many times an answer listed the same bytes again.
    too_many : int
        How many lists of events went to the archive, because their answer had too many.
    note : str
        What is passed over because the sender no longer keeps it.
    refusals : int
        How many requests in a row were refused for their rate.
    lag_seconds : float | None
        How long ago the feed was known to be complete: 0 when it was drained, None when skipped.
    """

    source: str
    feed: str
    outcome: str = ""
    pages: int = 0
    events: int = 0
    too_large: int = 0
    copies: int = 0
    too_many: int = 0
    note: str = ""
    refusals: int = 0
    lag_seconds: float | None = None
    error: PipelineError | None = None

    def took(self, page: Page) -> None:
        """Note a page that is on the stream, and written down."""
        self.pages += 1
        self.events += len(page.events)
        self.copies += page.copies
        self.too_many += len(page.beyond)

    def drained(self) -> None:
        """Note that nothing is left to fetch for now."""
        self.outcome = "drained"
        self.lag_seconds = 0.0

    def behind(self, now_ms: int, complete_ms: int) -> None:
        """Note up to when the feed is known to be complete."""
        self.lag_seconds = max(now_ms - complete_ms, 0) / 1000

    def failed(self, error: PipelineError) -> None:
        """Note why the poll could not go on."""
        self.outcome, self.error = "failed", error

    @property
    def answer(self) -> str:
        """How the answer begins that the poll failed at."""
        return self.error.answer if isinstance(self.error, PollError) else ""

    def standing(self, before: FeedStanding, now_ms: int) -> FeedStanding:
        """Return how the feed stands now.

        Parameters
        ----------
        before : FeedStanding
            How it stood: what was passed over is told for a week.
        """
        why = str(self.error or "")
        if self.answer:
            why += f"; it answered: {self.answer}"
        note, noted = (self.note, now_ms) if self.note else (before.note, before.noted)
        if now_ms - noted > NOTED_MS:
            note, noted = "", 0
        return FeedStanding(self.outcome, why[:LONGEST_REASON], self.refusals, note, noted)

    @property
    def counts(self) -> dict[str, int]:
        """Its counters."""
        return {
            "PollEvents": self.events,
            "PollPages": self.pages,
            "PollErrors": int(self.error is not None),
            "PollSkipped": int(self.outcome == "skipped"),
            **({"PollGaps": 1} if self.note else {}),
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
            "too_many": self.too_many,
            "copies": self.copies,
            "note": self.note,
            "lag_seconds": self.lag_seconds,
            "error": str(self.error or ""),
            "answer": self.answer,
        }
