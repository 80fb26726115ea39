"""Reads the data file of prices and assumptions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from collections.abc import Sequence

FILE = Path(__file__).parent / "prices.yaml"
MILLION = 1_000_000


class PriceError(PipelineError):
    """The data file of prices is wrong."""


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    date: date
    region: str
    sources: tuple[str, ...]
    prices: dict[str, float | list[tuple[float | None, float]]]
    assumptions: dict[str, float]


@dataclass(frozen=True)
class PriceList:
    """Prices in dollars and assumptions, by the names of the data file."""

    date: date
    region: str
    sources: tuple[str, ...]
    tiers: Sequence[tuple[float | None, float]]
    prices: dict[str, float]
    assumptions: dict[str, float]

    def price(self, name: str) -> float:
        """Return a price in dollars."""
        return self.prices[name]

    def assume(self, name: str) -> float:
        """Return an assumption in its unit."""
        return self.assumptions[name]

    def api_gateway(self, requests: float) -> float:
        """Return the dollars for a month's requests, tier by tier."""
        dollars, below = 0.0, 0.0
        for end, price in self.tiers:
            top = requests if end is None else min(requests, end * MILLION)
            dollars += max(top - below, 0.0) / MILLION * price
            below = max(below, top)
        return dollars


@cache
def load_prices(file: Path = FILE) -> PriceList:
    """Read the data file.

    Raises
    ------
    PriceError
        When it is missing or lacks something.
    """
    try:
        found = _File.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, ValidationError) as error:
        raise PriceError(f"{file}: {' '.join(str(error).split())}") from None
    prices = {name: value for name, value in found.prices.items() if isinstance(value, float)}
    tiers = found.prices.get("api_gateway_tiers")
    if not isinstance(tiers, list) or not tiers or tiers[-1][0] is not None:
        raise PriceError(f"{file}: prices.api_gateway_tiers: a list whose last tier has no end")
    return PriceList(found.date, found.region, found.sources, tiers, prices, found.assumptions)
