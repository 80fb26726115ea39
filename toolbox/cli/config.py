"""`mozdef-ef config`: check the settings of stages, of the delivery pipeline and of sources."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from toolbox.preflight.finding import Known
from toolbox.preflight.run import preflight
from toolbox.project.finding import find_project, stages
from toolbox.sessions import aws_session
from toolbox.terminal.nearest import unknown
from toolbox.terminal.output import DOES_NOT_HOLD, console, errors, print_json, print_table

if TYPE_CHECKING:
    from pathlib import Path

    from settings.config_check import Checked
    from settings.faults import Fault
    from toolbox.preflight.finding import Finding

NOT_KNOWN = 3
"""The exit status where nothing is known to be wrong, and not all is known."""


def check(
    *,
    aws: Annotated[
        bool, typer.Option("--aws", help="Ask the account, too: it reads, and changes nothing.")
    ] = False,
    stage: Annotated[
        list[str] | None,
        typer.Option("--stage", help="With --aws: this stage alone; may be repeated."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Load every stage's settings, the delivery pipeline's and every private source.

    The samples of private sources have to fit MozDef's index, together with those of the catalogue,
    and those of a stage's sources should have no more fields than it takes.
    One line a fault: file, key, what is expected. With --aws, once the settings are well, the
    account of the credentials is asked about quotas, secrets, connections and all else that a
    deployment needs; what it denies is not known, and is no pass.

    Exit status: 0 all is well, 1 something is wrong, 2 there is no configuration to check, or
    nobody to ask, 3 something is not known.
    """
    from settings.config_check import check_config
    from toolbox.sources.index_checking import crowded_stages, private_faults

    project = find_project()
    project.say()
    config = project.config
    checked = check_config(config)
    if odd := next((one for one in stage or () if one not in stages(config)), None):
        raise unknown(f"stage in {config}", odd, stages(config))
    checked.add(private_faults(checked.source_directories))
    checked.warnings += crowded_stages(checked.stages)
    found = list(ask_account(config, stage)) if aws and not checked.faults else []
    if as_json:
        _print_json(checked, found if aws else None)
    else:
        for warning in checked.warnings:
            errors.print(str(warning), style="bold red")
        _print(checked.files, checked.faults, found)
    known = {finding.known for finding in found}
    if checked.faults or Known.FAULT in known:
        raise typer.Exit(DOES_NOT_HOLD)
    if Known.UNKNOWN in known:
        raise typer.Exit(NOT_KNOWN)


def ask_account(config: Path, stages: list[str] | None) -> list[Finding]:
    """Ask AWS what stands in the way of a deployment; it reads, and changes nothing."""
    from botocore.config import Config

    patience = Config(connect_timeout=5, read_timeout=30, retries={"mode": "standard"})
    session = _session()

    def client(service: str, region: str) -> Any:
        return session.client(service, region_name=region, config=patience)

    return list(preflight(config, tuple(stages or ()), session.region_name, client))


def _session() -> Any:
    return aws_session()


def _print(files: list[str], faults: list[Fault], found: list[Finding]) -> None:
    for fault in faults:
        errors.print(str(fault))
    if found:
        columns = ["where", "what", "is", "said", "to do"]
        rows = [(one.where, one.what, one.known, one.said, one.do) for one in found]
        print_table("Asked of AWS", columns, rows)
        counted = ", ".join(f"{sum(one.known is each for one in found)} {each}" for each in Known)
        console.print(f"{len(found)} asked: {counted}")
    console.print(f"{len(files)} checked, {len(faults)} faults")


def _print_json(checked: Checked, found: list[Finding] | None) -> None:
    document: dict[str, Any] = {
        "checked": checked.files,
        "faults": [fault.document() for fault in checked.faults],
    }
    if checked.warnings:
        document["warnings"] = [warning.document() for warning in checked.warnings]
    if found is not None:
        document["asked"] = [asdict(one) for one in found]
    print_json(document)
