"""Synthesizes a cloud assembly: of a stage (`--stage dev`), or of the delivery pipeline.

`cdk` calls it with neither, unless `STAGE` is set: it is then the pipeline where the configuration
has a `delivery.yaml`, else the stage `dev`.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

if __name__ == "__main__":
    # Ctrl-C while all this is imported, which takes seconds, ends it without a stack trace.
    signal.signal(signal.SIGINT, signal.SIG_DFL)

from infra.assembly import findings, inputs, quotas
from infra.assembly.bytecode import MISSING, PYTHON_VERSION, runtime_python
from pipeline.errors import PipelineError
from settings.delivery_stages import FILE, load_delivery, plan_stages
from settings.deployment import load_deployment
from settings.door import at_the_door
from settings.source.loader import load_sources

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aws_cdk import App

    from settings.delivery_pipeline import DeliverySettings
    from settings.delivery_stages import StagePlan
    from settings.deployment import Deployment
    from settings.source.loader import LoadedSource

ROOT = Path(__file__).resolve().parents[2]


class SynthesisError(PipelineError):
    """The CDK, or a rule that it checks, refused the stack; what it said is on standard error."""


def synthesize(
    deployment: Deployment,
    sources: Mapping[str, LoadedSource],
    output: Path,
    *,
    layer: Path | None = None,
    python: Path | None = None,
) -> Path:
    """Write the cloud assembly of one stage. It needs no AWS account.

    Parameters
    ----------
    sources : Mapping[str, LoadedSource]
        Its sources, by name.
    output : Path
        The folder of the assembly.
    layer : Path, optional
        A folder in the place of the functions' layers; by default they are built from their locks.
    python : Path, optional
        The interpreter whose bytecode is put beside the modules that ship; none without it.

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
    from infra.application.packages import FunctionAssets
    from infra.application.stack import ApplicationStack
    from infra.assembly.bills_of_materials import write_bills
    from infra.assembly.code import write_code

    sources = at_the_door(deployment, sources)
    with tempfile.TemporaryDirectory() as folder:
        code, bills = Path(folder) / "code", Path(folder) / "bills"
        base, proofs = _layers(sources, layer, python)
        write_code(ROOT, sources, code, python)
        write_bills(ROOT, code, [one for one in (base, proofs) if one], bills)
        app = _new_app(output)
        ApplicationStack(
            app,
            deployment=deployment,
            sources=sources,
            assets=FunctionAssets(code=code, layer=base, proofs=proofs, bills=bills),
        )
        _write(app, deployment.stack_name)
    return template_path(deployment, output)


def _layers(
    sources: Mapping[str, LoadedSource], given: Path | None, python: Path | None
) -> tuple[Path, Path | None]:
    """Return the layer of all functions, and that of those that check proofs where one does."""
    from infra.assembly.layer import PROOFS, build_layer

    build = partial(build_layer, ROOT, ROOT / "build", python)
    needed = any(source.settings.needs_proofs_layer for source in sources.values())
    return given or build(), (given or build(part=PROOFS)) if needed else None


def synthesize_delivery(
    delivery: DeliverySettings,
    plans: Sequence[StagePlan],
    output: Path,
    *,
    layer: Path | None = None,
    python: Path | None = None,
) -> Path:
    """Write the cloud assembly of the delivery pipeline, and in it those of its stages.

    Parameters
    ----------
    output : Path
        The folder of the assembly.
    layer : Path, optional
        A folder in the place of the functions' layers; by default they are built from their locks.
    python : Path, optional
        The interpreter whose bytecode is put beside the modules that ship; none without it.

    Returns
    -------
    Path
        The pipeline's own template, in `output`.

    Raises
    ------
    PipelineError
        As `synthesize` does.
    """
    from infra.application.packages import FunctionAssets
    from infra.assembly.bills_of_materials import write_bills
    from infra.assembly.code import write_code
    from infra.delivery_pipeline.stack import DeliveryStack, StackParts

    with tempfile.TemporaryDirectory() as folder:
        stages = []
        for plan in plans:
            parts = []
            for planned in plan.stacks:
                deployment = planned.deployment
                loaded = load_sources(deployment.sources, deployment.source_directory)
                sources = at_the_door(deployment, loaded)
                code = Path(folder) / f"{plan.stage.name}-{deployment.stack_name}"
                bills = code.with_name(f"{code.name}-bills")
                write_code(ROOT, sources, code, python)
                base, proofs = _layers(sources, layer, python)
                write_bills(ROOT, code, [one for one in (base, proofs) if one], bills)
                assets = FunctionAssets(code=code, layer=base, proofs=proofs, bills=bills)
                parts.append(StackParts(planned, sources, assets))
            stages.append((plan, parts))
        app = _new_app(output)
        packages = json.loads((ROOT / "package.json").read_text(encoding="utf-8"))
        cli_version = packages["devDependencies"]["aws-cdk"]
        DeliveryStack(app, delivery=delivery, stages=stages, cli_version=cli_version)
        _write(app, delivery.stack_name)
    return output / f"{delivery.stack_name}.template.json"


def _new_app(output: Path) -> App:
    from aws_cdk import App

    output.mkdir(parents=True, exist_ok=True)
    for left in (inputs.FILE, findings.REPORT):
        (output / left).unlink(missing_ok=True)
    context = json.loads((ROOT / "cdk.json").read_text(encoding="utf-8"))["context"]
    return App(outdir=str(output), context=context, analytics_reporting=False)


def _write(app: App, name: str) -> None:
    from infra.application.checks import add_checks

    add_checks(app)
    try:
        assembly = app.synth()
    except RuntimeError as error:  # jsii's own class, for whatever the CDK throws
        raise SynthesisError(f"{name}: {error}") from error
    findings.check(Path(assembly.directory))
    # Of this run alone: the folder can hold templates of stacks that were.
    for stack in assembly.stacks_recursively:
        content = json.loads(Path(stack.template_full_path).read_text(encoding="utf-8"))
        quotas.check(content, stack.stack_name)


def synthesize_if_needed(deployment: Deployment, output: Path, python: Path | None = None) -> Path:
    """Write the cloud assembly unless the one that is there was made of the same inputs.

    Parameters
    ----------
    output : Path
        The folder of the assembly.

    Returns
    -------
    Path
        The application stack's template.
    """
    template = template_path(deployment, output)
    digest = inputs.inputs_hash(ROOT, deployment, python)
    if template.is_file() and inputs.is_current(output, digest):
        return template
    sources = load_sources(deployment.sources, deployment.source_directory)
    synthesize(deployment, sources, output, python=python)
    (output / inputs.FILE).write_text(f"{digest}\n", encoding="utf-8")
    return template


def template_path(deployment: Deployment, output: Path) -> Path:
    """Return where the application stack's template is in an assembly.

    Parameters
    ----------
    output : Path
        The folder of the assembly.
    """
    return output / f"{deployment.stack_name}.template.json"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Synthesize a cloud assembly.")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--stage", help="a stage alone: a file in the configuration folder")
    what.add_argument(
        "--delivery", action="store_true", help=f"the delivery pipeline: {FILE} in that folder"
    )
    parser.add_argument("--config", type=Path, default=ROOT / "config", help="that folder")
    parser.add_argument(
        "--output", type=Path, default=Path(os.environ.get("CDK_OUTDIR", "cdk.out"))
    )
    parser.add_argument(
        "--bytecode",
        action="store_true",
        help=f"put bytecode beside what ships; wants Python {PYTHON_VERSION} on this machine",
    )
    parser.add_argument(
        "--standby",
        action="store_true",
        help="stay, and write into each folder that a line of standard input names",
    )
    return parser


def main() -> int:
    """Synthesize what the command line names, as the `cdk` command does."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    arguments = _parser().parse_args()
    if arguments.standby:
        from infra.assembly.standby import stand_by

        stand_by(ROOT, lambda output: _run(arguments, output))
        return 0
    try:
        print(_run(arguments, arguments.output))
    except PipelineError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        os._exit(130)  # at once: what jsii does at exit fails where its Node was stopped, too
    return 0


def _run(arguments: argparse.Namespace, output: Path) -> Path:
    python = runtime_python() if arguments.bytecode else None
    if arguments.bytecode and python is None:
        print(MISSING, file=sys.stderr)
    settings = arguments.config / FILE
    if arguments.delivery or (arguments.stage is None and settings.is_file()):
        delivery = load_delivery(settings)
        plans = plan_stages(delivery, settings)
        return synthesize_delivery(delivery, plans, output, python=python)
    deployment = load_deployment(arguments.config / f"{arguments.stage or 'dev'}.yaml")
    return synthesize_if_needed(deployment, output, python)


if __name__ == "__main__":
    sys.exit(main())
