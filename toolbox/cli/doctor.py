"""`mozdef-ef doctor`: what of this machine, the settings and the account stands in the way."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import sys
from contextlib import suppress
from dataclasses import asdict
from importlib import metadata
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.errors import PipelineError
from toolbox.cli.cdk import PROGRAM, node
from toolbox.cli.local import DEFAULT_PORT
from toolbox.deployments import DEFAULT_STATE, State
from toolbox.preflight.finding import Finding, Known
from toolbox.project.finding import Project, find_project
from toolbox.synthesis import REPOSITORY
from toolbox.terminal.output import DOES_NOT_HOLD, console, errors, print_json, print_table

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_OLDEST = (3, 11)
_LOCKED = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;]+)", re.MULTILINE)
_TOOL_SECONDS = 60
_SETUP = "run 'make setup'"


def doctor(
    *,
    state: State = DEFAULT_STATE,
    port: Annotated[
        int, typer.Option(min=1, max=65535, help="The front door's, for 'local up'.")
    ] = DEFAULT_PORT,
    aws: Annotated[bool, typer.Option(help="Ask the account, where there are credentials.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Look at tools, versions, ports, settings, credentials and the account; change nothing.

    With credentials, the account is asked what 'config check --aws' asks: bootstrap, connections,
    parameters, quotas. Without, nothing on AWS is looked at, and nothing is wrong: the local
    pipeline needs no account.

    Exit status: 0 nothing stands in the way, 1 something does.
    """
    project = find_project()
    project.say()
    found = [*tools(), *packages(REPOSITORY / "requirements.lock"), *running(state, port)]
    found += settings(project)
    with errors.status("asking the account"):
        found += account(project, asked=aws and all(one.known is not Known.FAULT for one in found))
    if as_json:
        print_json([asdict(one) for one in found])
    else:
        _print(found)
    if any(one.known is Known.FAULT for one in found):
        raise typer.Exit(DOES_NOT_HOLD)


def _print(found: list[Finding]) -> None:
    wrong = [one for one in found if one.known is Known.FAULT]
    wrong += [one for one in found if one.known not in {Known.FAULT, Known.GOOD}]
    for one in wrong:
        colour = "red" if one.known is Known.FAULT else "yellow"
        console.print(f"{one.known}: {one.where}, {one.what}: {one.said}", style=colour)
        if one.do:
            console.print(f"  {one.do}")
    good = [(one.where, one.what, one.said) for one in found if one.known is Known.GOOD]
    print_table(f"{len(good)} well", ("where", "what", "is"), good)


def _good(what: str, said: str, where: str = "machine") -> Finding:
    return Finding(where, what, Known.GOOD, said)


def _fault(what: str, said: str, do: str, where: str = "machine") -> Finding:
    return Finding(where, what, Known.FAULT, said, do)


def tools() -> Iterator[Finding]:
    """Say which programs there are."""
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < _OLDEST:
        yield _fault("Python", version, f"install {'.'.join(map(str, _OLDEST))} or later")
    else:
        yield _good("Python", version)
    for name, why in (("git", "a clone's history, and the CDK"), ("make", "the Makefile")):
        path = shutil.which(name)
        yield _good(name, path) if path else _fault(name, "not found", f"install it, for {why}")
    try:
        done = subprocess.run(
            [node(), "--version"], capture_output=True, text=True, check=True, timeout=_TOOL_SECONDS
        )
        cdk = json.loads((PROGRAM.parents[1] / "package.json").read_text(encoding="utf-8"))
        yield _good("Node", done.stdout.strip()[:20])
        yield _good("CDK", str(cdk["version"]))
    except (PipelineError, OSError, subprocess.SubprocessError, ValueError, KeyError) as error:
        yield _fault("the CDK's command line", str(error), _SETUP)


def packages(lock: Path) -> Iterator[Finding]:
    """Compare what is installed with the lock; what the lock has for other machines is not here."""
    try:
        found = _LOCKED.findall(lock.read_text(encoding="utf-8"))
    except OSError:
        return  # A wheel has no lock beside it.
    # One package can have several versions: each for some Pythons or systems.
    wanted: dict[str, list[str]] = {}
    for name, version in found:
        wanted.setdefault(name, []).append(version)
    other = []
    for name, versions in wanted.items():
        with suppress(metadata.PackageNotFoundError):
            installed = metadata.version(name)
            if installed not in versions:
                other.append(f"{name} {installed} in the place of {' or '.join(versions)}")
    if other:
        yield _fault("packages", ", ".join(other[:5]), _SETUP)
    else:
        yield _good("packages", f"as {lock.name} has them")


def running(state: Path, port: int) -> Iterator[Finding]:
    """Say whether a local pipeline runs, and whether one can be started."""
    from local import endpoints

    try:
        found = endpoints.read(state)
    except endpoints.NotRunningError:
        found = None
    if found is not None:
        yield _good("local pipeline", f"runs at {found.api}")
        return
    if state.exists() and not state.is_dir():
        yield _fault("state", f"{state} is a file", "name a folder with --state")
    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind(("127.0.0.1", port))
        except OSError as error:
            do = "end the program that has it, or choose another with 'local up --port'"
            yield _fault(f"port {port}", f"is not free: {error.strerror}", do)
        else:
            yield _good(f"port {port}", "free, for 'local up'")


def settings(project: Project) -> Iterator[Finding]:
    """Check every settings file, and whether they contradict each other."""
    from settings.config_check import ConfigCheckError, check_config

    try:
        checked = check_config(project.config)
    except ConfigCheckError as error:
        yield _fault(
            "settings", str(error), "write one, or name the folder with --config", "settings"
        )
        return
    for fault in checked.faults:
        where = fault.file or str(project.config)
        said = f"{fault.expected}, not {fault.found}" if fault.found else fault.expected
        yield _fault(fault.key or "file", said, "mend it; 'config check' looks again", where)
    if not checked.faults:
        yield _good("settings", f"{len(checked.files)} files checked", str(project.config))
    if not project.stage_file.is_file():
        do = "choose one with --stage or STAGE"
        yield _fault("stage", f"{project.stage}: has no file", do, str(project.config))


def account(project: Project, *, asked: bool) -> Iterator[Finding]:
    """Ask the account of the credentials, where there are any."""
    from settings.delivery_stages import FILE
    from toolbox.cli.config import ask_account
    from toolbox.sessions import aws_session

    try:
        session = aws_session()
        if session.get_credentials() is None:
            said = "none: nothing on AWS was looked at; the local pipeline needs none"
            yield Finding("account", "credentials", Known.UNKNOWN, said)
            return
        yield _good("credentials", "there are some", "account")
        if not session.region_name:
            do = "set AWS_REGION, or the region of the profile"
            yield _fault("region", "none is chosen", do, "account")
        elif asked:
            stages = None if (project.config / FILE).is_file() else [project.stage]
            yield from ask_account(project.config, stages)
    except PipelineError as error:
        yield _fault("credentials", str(error), "see 'aws sts get-caller-identity'", "account")
