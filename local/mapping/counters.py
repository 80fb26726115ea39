"""What a mapping did, for whoever watches it."""

from __future__ import annotations

import threading
from dataclasses import dataclass

COUNTERS = (
    "records_read",
    "batches",
    "invocations",
    "invocation_ms",
    "function_errors",
    "settled",
    "checkpointed",
    "split",
    "retried",
    "gave_up",
    "records_settled",
    "records_failed",
)


class Counters:
    """Counts that threads share; see `COUNTERS`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values = dict.fromkeys(COUNTERS, 0)

    def add(self, **amounts: int) -> None:
        """Add to some of them."""
        with self._lock:
            for name, amount in amounts.items():
                self._values[name] += amount

    def values(self) -> dict[str, int]:
        """Return all of them."""
        with self._lock:
            return dict(self._values)


@dataclass(frozen=True)
class HeldUp:
    """Records of a shard that were tried and not settled: those behind them wait.

    Parameters
    ----------
    sequence_number : str
        Of the first of them.
    tries : int
        How often that was tried in vain.
    oldest : float
        When it reached the stream, in epoch seconds.
    error : str
        What the last try came to, where the function said it to its caller; else empty.
    """

    shard: str
    sequence_number: str
    tries: int
    oldest: float
    error: str


@dataclass(frozen=True)
class MappingProgress:
    """How far a mapping is at one moment.

    Parameters
    ----------
    idle : bool
        Whether its last look at each shard found nothing, and nothing is being worked on.
    as_of : float
        When the oldest of these looks began. What was put on the stream before is then settled.
    millis_behind : int
        The greatest distance from the newest record of a shard.
    in_flight : int
        How many records are read and not settled.
    held : tuple[HeldUp, ...]
        What is tried again and again.
    """

    idle: bool
    as_of: float
    millis_behind: int
    in_flight: int
    counters: dict[str, int]
    held: tuple[HeldUp, ...] = ()
