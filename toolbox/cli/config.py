"""`mozdef-ef config`: check the settings of stages, of the delivery pipeline and of sources."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from settings.config_check import check_config
from toolbox.sources.index_checking import private_faults
from toolbox.terminal.output import DOES_NOT_HOLD, console, errors, print_json


def check(
    config: Annotated[Path, typer.Option(help="The configuration folder.")] = Path("config"),
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Load every stage's settings, the delivery pipeline's and every private source.

    The samples of private sources have to fit MozDef's index, together with those of the catalogue.
    One line a fault: file, key, what is expected.

    Exit status: 0 all is well, 1 something is wrong, 2 there is no configuration to check.
    """
    checked = check_config(config)
    checked.add(private_faults(checked.source_directories))
    if as_json:
        faults = [fault.document() for fault in checked.faults]
        print_json({"checked": checked.files, "faults": faults})
    else:
        for fault in checked.faults:
            errors.print(str(fault))
        console.print(f"{len(checked.files)} checked, {len(checked.faults)} faults")
    if checked.faults:
        raise typer.Exit(DOES_NOT_HOLD)
