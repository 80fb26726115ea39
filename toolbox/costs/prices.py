"""Reads the data file of prices and assumptions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, field_validator, model_validator

from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FILE = Path(__file__).parent / "prices.yaml"
MILLION = 1_000_000


class PriceError(PipelineError):
    """The data file of prices is wrong."""


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PricePage(_Entry):
    """A page of AWS that lists prices."""

    title: str
    url: str


class Price(_Entry):
    """What one unit costs.

    Parameters
    ----------
    dollars : Sequence[tuple[float | None, float]]
        By tiers: up to so many of the unit in a month (None: all further ones), dollars of one.
    per : str
        The unit.
    page : str
        Where AWS says so: a key of the file's pages.
    seen : str | None
        Where it was found again: a key of the file's references; None where it was not.
    """

    dollars: tuple[tuple[float | None, float], ...]
    per: str
    page: str
    seen: str | None = None

    @field_validator("dollars", mode="before")
    @classmethod
    def _as_tiers(cls, dollars: Any) -> Any:
        return dollars if isinstance(dollars, list) else [(None, dollars)]

    @field_validator("dollars")
    @classmethod
    def _without_an_end(
        cls, dollars: tuple[tuple[float | None, float], ...]
    ) -> tuple[tuple[float | None, float], ...]:
        if not dollars or dollars[-1][0] is not None:
            raise ValueError("a list whose last tier has no end")
        return dollars

    def of(self, amount: float) -> float:
        """Return the dollars of so many units in a month, tier by tier."""
        dollars, below = 0.0, 0.0
        for end, price in self.dollars:
            top = amount if end is None else min(amount, end)
            dollars += max(top - below, 0.0) * price
            below = max(below, top)
        return dollars


class _File(_Entry):
    date: date
    region: str
    pages: dict[str, PricePage]
    references: dict[str, str]
    prices: dict[str, Price]
    assumptions: dict[str, float]

    @model_validator(mode="after")
    def _names_what_there_is(self) -> _File:
        for name, price in self.prices.items():
            if price.page not in self.pages:
                raise ValueError(f"prices.{name}: no page is called {price.page}")
            if price.seen is not None and price.seen not in self.references:
                raise ValueError(f"prices.{name}: no reference is called {price.seen}")
        return self


@dataclass(frozen=True, eq=False)
class PriceList:
    """Prices in dollars and assumptions, by the names of the data file."""

    date: date
    region: str
    pages: Mapping[str, PricePage]
    references: Mapping[str, str]
    prices: Mapping[str, Price]
    assumptions: Mapping[str, float]

    def bill(self, name: str, amount: float) -> float:
        """Return the dollars of a month's amount, in the price's unit."""
        return self.prices[name].of(amount)

    def assume(self, name: str) -> float:
        """Return an assumption in its unit."""
        return self.assumptions[name]

    @property
    def unseen(self) -> Sequence[str]:
        """The names of the prices that were found nowhere else."""
        return [name for name, price in self.prices.items() if price.seen is None]


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
    return PriceList(
        found.date,
        found.region,
        found.pages,
        found.references,
        found.prices,
        found.assumptions,
    )
