"""A clock that a test moves."""

from __future__ import annotations


class FakeClock:
    """Seconds; called as the code calls `time.time` or `time.monotonic`.

    A test that never moves it cannot tell what is valid for a while from what is valid for ever.
    """

    def __init__(self, now: float = 1_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        assert seconds > 0, "time does not go back"
        self.now += seconds
