"""`mozdef-ef synth`: write the cloud assembly of a stage."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads it at run time
from typing import Annotated

import typer

from toolbox.project.finding import DEFAULT_ASSEMBLY, at_home, find_project, require_folder
from toolbox.synthesis import synthesize
from toolbox.terminal.output import console, errors


def synth(
    *,
    output: Annotated[
        Path, typer.Option(callback=at_home, help="Where the cloud assembly goes.")
    ] = DEFAULT_ASSEMBLY,
) -> None:
    """Write the cloud assembly of a stage; needs no AWS account."""
    require_folder(output, "--output")
    project = find_project()
    project.say()
    project.require_stage()
    with errors.status(f"synthesizing {project.stage}"):
        synthesize(project.stage, output.resolve(), project.config.resolve())
    console.print(f"{output}: cloud assembly of stage {project.stage}")
