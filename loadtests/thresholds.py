"""The thresholds of a load test, which decide its exit status."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class Measured:
    """What a load test measured.

    Parameters
    ----------
    requests : int
        How many requests were answered, or failed.
    errors : int
        How many of them were not answered as they should be.
    p95_ms, p99_ms, p50_ms : float
        What 95, 99 and 50 of 100 answers took at the most, in milliseconds.
    """

    requests: int
    errors: int
    p95_ms: float
    p99_ms: float
    p50_ms: float = 0.0

    def figures(self) -> dict[str, float]:
        """Return them by name."""
        return asdict(self)

    @property
    def error_rate(self) -> float:
        """The share of errors."""
        return self.errors / self.requests if self.requests else 0.0


@dataclass(frozen=True)
class Thresholds:
    """The most that each figure may be."""

    error_rate: float
    p95_ms: float
    p99_ms: float

    def exceeded(self, measured: Measured) -> Iterator[str]:
        """Say which figures are above their threshold.

        A test that sent nothing has shown nothing, and is a fault, too.
        """
        if not measured.requests:
            yield "no request was sent"
        figures = (
            ("error rate", measured.error_rate, self.error_rate, "{:.3%}"),
            ("95th percentile", measured.p95_ms, self.p95_ms, "{:,.0f} ms"),
            ("99th percentile", measured.p99_ms, self.p99_ms, "{:,.0f} ms"),
        )
        for name, value, most, form in figures:
            if value > most:
                yield f"{name}: {form.format(value)}, at most {form.format(most)}"
