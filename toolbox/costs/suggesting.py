"""The cheapest settings of a stage for a rate: every combination is reckoned."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from toolbox.costs.choices import LEVERS, Lever, StageChoices, nested
from toolbox.costs.designs import this_design
from toolbox.costs.workload import SECONDS_A_MONTH, CostCase

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from toolbox.costs.bills import Bill

#: How much more than the average a table may scale to.
BURST = 4
_MOST_UNITS = 40_000


@dataclass(frozen=True)
class SettingChange:
    """A setting that is not at its default.

    Parameters
    ----------
    saves : float
        Dollars a month: what more the suggestion would cost with this one at its default.
    """

    lever: Lever
    value: Any
    saves: float


@dataclass(frozen=True)
class Suggestion:
    """The cheapest settings.

    Parameters
    ----------
    bill, usual : Bill
        With these settings, and with every default.
    changes : Sequence[SettingChange]
        What saves most first.
    """

    case: CostCase
    bill: Bill
    usual: Bill
    changes: Sequence[SettingChange]

    def settings(self) -> dict[str, Any]:
        """Return what `config/<stage>.yaml` has to say."""
        found = {change.lever.key: change.value for change in self.changes}
        if self.case.choices.stream == "provisioned":
            found["stream.shards"] = self.case.needed_shards
        if self.case.choices.table == "provisioned":
            prices = self.case.prices
            items = self.case.workload.events / SECONDS_A_MONTH * prices.assume("items_per_event")
            least = min(max(round(items / prices.assume("table_use")), 1), _MOST_UNITS)
            found["table.least_units"] = least
            found["table.most_units"] = min(least * BURST, _MOST_UNITS)
        return nested(found)


def suggest(case: CostCase, kept: Collection[str] = ()) -> Suggestion:
    """Find the cheapest settings; of equal ones those that change least.

    Parameters
    ----------
    kept : Collection[str]
        Keys of settings that stay as they are.
    """
    bill, best = _cheapest(case, tuple(kept))
    changes = [
        SettingChange(
            lever, value, this_design(_with(best, lever, lever.default)).dollars - bill.dollars
        )
        for lever in LEVERS
        if (value := getattr(best.choices, lever.field)) != lever.default
    ]
    changes.sort(key=lambda change: -change.saves)
    usual = "the default settings" if case.choices == StageChoices() else "as the stage is set"
    return Suggestion(best, bill, this_design(case, usual), changes)


@lru_cache(maxsize=64)
def _cheapest(case: CostCase, kept: tuple[str, ...]) -> tuple[Bill, CostCase]:
    bills = [(this_design(one, "the cheapest settings"), one) for one in _cases(case, kept)]
    return min(bills, key=lambda found: (round(found[0].dollars, 2), _departures(found[1])))


def _cases(case: CostCase, kept: Collection[str]) -> Iterator[CostCase]:
    moved = [lever for lever in LEVERS if lever.key not in kept]
    for values in itertools.product(*(lever.values for lever in moved)):
        fields = {lever.field: value for lever, value in zip(moved, values, strict=True)}
        yield replace(case, choices=replace(case.choices, **fields))


def _with(case: CostCase, lever: Lever, value: object) -> CostCase:
    fields: dict[str, Any] = {lever.field: value}
    return replace(case, choices=replace(case.choices, **fields))


def _departures(case: CostCase) -> int:
    return sum(getattr(case.choices, lever.field) != lever.default for lever in LEVERS)
