"""A check of a deployment, and how it is told: a table, and whether all of its rows hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.errors import PipelineError
from toolbox.terminal.output import console, print_table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path


@dataclass(frozen=True)
class CheckRow:
    """What was found of one thing: a cell for each column of its check.

    Parameters
    ----------
    faults : Sequence[str]
        What does not hold, a line each.
    """

    cells: Sequence[object]
    faults: Sequence[str] = ()


@dataclass(frozen=True)
class DeployCheck:
    """One table of `make deploy-check`.

    Parameters
    ----------
    run : Callable[[Path], Iterable[CheckRow]]
        Gets a folder of its own, which is there and empty. A PipelineError is a fault of the check.
    """

    name: str
    title: str
    columns: Sequence[str]
    run: Callable[[Path], Iterable[CheckRow]]


def tell(checks: Iterable[DeployCheck], folder: Path) -> list[str]:
    """Run checks one after another, and print the table of each; return all faults."""
    faults: list[str] = []
    for check in checks:
        place = folder / check.name
        place.mkdir(parents=True)
        try:
            rows = list(check.run(place))
        except PipelineError as error:
            rows = [CheckRow(("",) * len(check.columns), tuple(error.lines))]
        print_table(check.title, check.columns, [row.cells for row in rows])
        found = [f"{check.name}: {fault}" for row in rows for fault in row.faults]
        for fault in found:
            console.print(fault, style="red")
        faults += found
    return faults
