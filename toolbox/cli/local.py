"""`mozdef-ef local`: the pipeline on this machine."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from local.hooks import Hooks
from local.iam.mode import IamMode
from local.supervisor import LocalRuntime
from toolbox.cli.synth import Stage  # noqa: TC001 - typer reads it at run time
from toolbox.synthesis import synthesize
from toolbox.terminal.output import console
from toolbox.watching.live import LiveEvents

if TYPE_CHECKING:
    from local.endpoints import Endpoints


def up(
    *,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Of the front door; default: a free one.")
    ] = None,
    state: Annotated[
        Path, typer.Option(help="Where endpoints.json, logs and checkpoints go.")
    ] = Path(".local"),
    stage: Stage = "dev",
    assembly: Annotated[
        Path, typer.Option(help="Where the cloud assembly goes, or lies already.")
    ] = Path("cdk.out"),
    synth: Annotated[
        bool, typer.Option(help="Synthesize first; --no-synth runs the assembly as it is.")
    ] = True,
    enforce_iam: Annotated[
        bool,
        typer.Option(
            "--enforce-iam",
            help="Refuse each call that the template's policies do not allow, as AWS does.",
        ),
    ] = False,
    record_calls: Annotated[
        bool,
        typer.Option(
            "--record-calls", help="Write what AWS would ask its policies about to STATE."
        ),
    ] = False,
    events: Annotated[
        bool | None,
        typer.Option(
            "--events/--quiet",
            help="Print a line for each event and each call that fails; default: on a terminal.",
        ),
    ] = None,
) -> None:
    """Run the synthesized stack on this machine until Ctrl-C.

    Once everything answers, STATE/endpoints.json says where: the front door, the emulated AWS
    services, the queues and the secrets. Send webhooks with 'mozdef-ef send', see what comes out
    with 'mozdef-ef tail'.
    """
    if synth:
        with console.status(f"synthesizing config/{stage}.yaml"):
            synthesize(stage, assembly.resolve())
    iam = IamMode.ENFORCE if enforce_iam else IamMode.RECORD if record_calls else IamMode.OFF
    shown = console.is_terminal if events is None else events
    hooks = Hooks(watch=LiveEvents(state.resolve() / "logs", _tell)) if shown else None
    runtime = LocalRuntime(
        assembly.resolve(), state=state.resolve(), port=port, iam=iam, hooks=hooks
    )
    runtime.run_until_stopped(lambda endpoints: _announce(endpoints, state))


def _tell(line: str, style: str) -> None:
    console.print(f"{time.strftime('%H:%M:%S')} {line}", style=style or None)


def _announce(endpoints: Endpoints, state: Path) -> None:
    console.print("MozDef Event Framework, local. Ctrl-C stops it.")
    for source in sorted(endpoints.queues):
        polled = "api_credential" in endpoints.parameters.get(source, {})
        how = f"polled: {source}" if polled else f"POST {endpoints.api}/{source}"
        console.print(f"  {how}")
    console.print(f"  AWS services    {endpoints.aws_endpoint_url}")
    console.print(f"  all addresses   {state}/endpoints.json")
    console.print(f"  logs            {state}/logs/")
