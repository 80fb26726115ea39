"""A bill: the lines of a design, each with what is billed and the dollars of a month."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from toolbox.costs.prices import MILLION

if TYPE_CHECKING:
    from collections.abc import Sequence

    from toolbox.costs.prices import PriceList
    from toolbox.costs.workload import Workload

HOURS = 730
DAYS_A_MONTH = HOURS / 24


@dataclass(frozen=True)
class BillLine:
    """One thing that is billed: what, how much of it in a month, and the dollars."""

    part: str
    amount: float
    unit: str
    dollars: float


@dataclass(frozen=True)
class Bill:
    """The lines of one design."""

    design: str
    lines: Sequence[BillLine]

    @property
    def dollars(self) -> float:
        """Dollars a month."""
        return sum(line.dollars for line in self.lines)

    def per_million(self, workload: Workload) -> float:
        """Dollars for a million events."""
        return self.dollars / workload.events * MILLION


def priced(
    part: str, amount: float, unit: str, *, prices: PriceList, price: str, each: float = 1.0
) -> BillLine:
    """Return the line of what one price is for.

    Parameters
    ----------
    each : float
        How many of the amount one unit of the price is.
    """
    return BillLine(part, amount, unit, prices.bill(price, amount / each))


def function_lines(
    name: str, calls: float, milliseconds: float, size: float, prices: PriceList
) -> list[BillLine]:
    """Return what a function's calls cost, and its time.

    Parameters
    ----------
    size : float
        Its memory, in GB.
    """
    gb_seconds = calls * milliseconds / 1_000 * size
    return [
        priced(
            f"{name}: calls",
            calls,
            "calls",
            prices=prices,
            price="lambda_million_requests",
            each=MILLION,
        ),
        priced(f"{name}: time", gb_seconds, "GB-s", prices=prices, price="lambda_gb_second"),
    ]


def log_line(part: str, size: float, prices: PriceList, price: str = "logs_gb") -> BillLine:
    """Return what it costs to write a log, and to keep it for its retention.

    Parameters
    ----------
    size : float
        Bytes a month.
    """
    gb = size / 1e9
    kept = gb * prices.assume("log_ratio") * prices.assume("log_days") / DAYS_A_MONTH
    return BillLine(part, gb, "GB", prices.bill(price, gb) + prices.bill("logs_gb_month", kept))
