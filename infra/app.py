"""Synthesizes the cloud assembly of a stage: `python -m infra.app --stage dev`."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from infra import inputs
from pipeline.deployment import load_deployment
from pipeline.errors import PipelineError
from pipeline.sources.loader import load_sources

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.deployment import Deployment
    from pipeline.sources.loader import LoadedSource

ROOT = Path(__file__).resolve().parent.parent


class SynthesisError(PipelineError):
    """The CDK, or a rule that it checks, refused the stack; what it said is on standard error."""


def synthesize(
    deployment: Deployment,
    sources: Mapping[str, LoadedSource],
    output: Path,
    *,
    layer: Path | None = None,
) -> Path:
    """Write the cloud assembly of one stage. It needs no AWS account.

    Parameters
    ----------
    deployment : Deployment
        The settings of the stage.
    sources : Mapping[str, LoadedSource]
        Its sources, by name.
    output : Path
        The folder of the assembly.
    layer : Path, optional
        The folder of the functions' layer; by default it is built from the lock.

    Returns
    -------
    Path
        The application stack's template, in `output`.

    Raises
    ------
    PipelineError
        When the settings do not fit together, a rule is broken or the layer cannot be built.
    """
    # The CDK starts a Node process when it is imported: not before there is something to do.
    from aws_cdk import App

    from infra.checks import add_checks
    from infra.code import write_code
    from infra.layer import build_layer
    from infra.stack import ApplicationStack, FunctionAssets

    output.mkdir(parents=True, exist_ok=True)
    (output / inputs.FILE).unlink(missing_ok=True)
    context = json.loads((ROOT / "cdk.json").read_text(encoding="utf-8"))["context"]
    with tempfile.TemporaryDirectory() as folder:
        code = Path(folder) / "code"
        write_code(ROOT, sources, code)
        app = App(outdir=str(output), context=context, analytics_reporting=False)
        ApplicationStack(
            app,
            deployment=deployment,
            sources=sources,
            assets=FunctionAssets(code=code, layer=layer or build_layer(ROOT, ROOT / "build")),
        )
        add_checks(app)
        try:
            app.synth()
        except RuntimeError as error:  # jsii's own class, for whatever the CDK throws
            raise SynthesisError(f"{deployment.stack_name}: {error}") from error
    return template_path(deployment, output)


def synthesize_if_needed(deployment: Deployment, output: Path) -> Path:
    """Write the cloud assembly unless the one that is there was made of the same inputs.

    Parameters
    ----------
    deployment : Deployment
        The settings of the stage.
    output : Path
        The folder of the assembly.

    Returns
    -------
    Path
        The application stack's template.
    """
    template = template_path(deployment, output)
    digest = inputs.inputs_hash(ROOT, deployment)
    if template.is_file() and inputs.is_current(output, digest):
        return template
    sources = load_sources(deployment.sources, deployment.source_directory)
    synthesize(deployment, sources, output)
    (output / inputs.FILE).write_text(f"{digest}\n", encoding="utf-8")
    return template


def template_path(deployment: Deployment, output: Path) -> Path:
    """Give where the application stack's template is in an assembly.

    Parameters
    ----------
    deployment : Deployment
        The settings of the stage.
    output : Path
        The folder of the assembly.
    """
    return output / f"{deployment.stack_name}.template.json"


def main() -> int:
    """Synthesize the stage that the command line names, as the `cdk` command does."""
    parser = argparse.ArgumentParser(description="Synthesize the cloud assembly of a stage.")
    parser.add_argument("--stage", default="dev", help="a file in the configuration folder")
    parser.add_argument("--config", type=Path, default=ROOT / "config", help="that folder")
    parser.add_argument(
        "--output", type=Path, default=Path(os.environ.get("CDK_OUTDIR", "cdk.out"))
    )
    arguments = parser.parse_args()
    try:
        deployment = load_deployment(arguments.config / f"{arguments.stage}.yaml")
        print(synthesize_if_needed(deployment, arguments.output))
    except PipelineError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
