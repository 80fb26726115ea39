"""Synthesizes a stage in the tests' own process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.assembly.app import synthesize_if_needed
from settings.deployment import load_deployment

if TYPE_CHECKING:
    from pathlib import Path


def synthesize_here(stage: str, output: Path, config: Path) -> None:
    """Do what `toolbox.synthesis.synthesize` does; a process of its own would load the CDK anew."""
    synthesize_if_needed(load_deployment(config / f"{stage}.yaml"), output)
