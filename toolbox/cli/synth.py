"""`mozdef-ef synth`: write the cloud assembly of a stage."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from toolbox.synthesis import synthesize
from toolbox.terminal.output import console

Stage = Annotated[str, typer.Option(help="Settings: config/<stage>.yaml.")]


def synth(
    stage: Stage = "dev",
    output: Annotated[Path, typer.Option(help="Where the cloud assembly goes.")] = Path("cdk.out"),
) -> None:
    """Write the cloud assembly of config/<stage>.yaml; needs no AWS account."""
    synthesize(stage, output.resolve())
    console.print(f"{output}: cloud assembly of stage {stage}")
