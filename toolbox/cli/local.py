"""`mozdef-ef local`: the pipeline on this machine."""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack
from pathlib import Path  # noqa: TC003 - typer reads it at run time
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.errors import PipelineError
from toolbox.deployments import DEFAULT_STATE
from toolbox.project.finding import (
    DEFAULT_ASSEMBLY,
    Assembly,
    at_home,
    find_project,
    require_folder,
)
from toolbox.project.next_steps import next_step
from toolbox.synthesis import Synthesizer, synthesize
from toolbox.terminal.output import console, errors

if TYPE_CHECKING:
    from local.data_changes import DataWouldBeLostError
    from local.endpoints import Endpoints


class KeptDataError(PipelineError):
    """What a former run left does not fit the settings, and nobody said that it may go."""


#: Of the front door: a sender, a tunnel or a bookmark finds it again after each start.
DEFAULT_PORT = 8787


def up(
    *,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Of the front door; 0: a free one.")
    ] = DEFAULT_PORT,
    state: Annotated[
        Path,
        typer.Option(callback=at_home, help="Where endpoints.json, logs and checkpoints go."),
    ] = DEFAULT_STATE,
    assembly: Assembly = DEFAULT_ASSEMBLY,
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
    reload: Annotated[
        bool,
        typer.Option(
            help="Take changed settings, schemas and sources over while it runs; not --no-synth."
        ),
    ] = True,
    discard: Annotated[
        bool,
        typer.Option(
            "--discard", help="Begin with nothing where what is kept does not fit the settings."
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

    What a former run left is gone on with, also with other settings: queues, archive, tickets,
    secrets and the place on the stream.

    Once everything answers, STATE/endpoints.json says where: the front door, the emulated AWS
    services, the queues and the secrets. Send webhooks with 'mozdef-ef send', see what comes out
    with 'mozdef-ef tail'.
    """
    from local.hooks import Hooks
    from local.iam.mode import IamMode
    from local.supervisor import LocalRuntime
    from toolbox.watching.live import LiveEvents

    require_folder(state, "--state")
    require_folder(assembly, "--assembly")
    iam = IamMode.ENFORCE if enforce_iam else IamMode.RECORD if record_calls else IamMode.OFF
    shown = console.is_terminal if events is None else events
    hooks = Hooks(watch=LiveEvents(state.resolve() / "logs", _tell)) if shown else None
    with ExitStack() as parts, ExitStack() as words:
        project = find_project()
        output, config = assembly.resolve(), project.config.resolve()
        synthesizer = Synthesizer(project.stage, config)
        if synth:
            project.say()
            project.require_stage()
            if reload:
                parts.enter_context(synthesizer)
            with errors.status(f"synthesizing {project.stage_file}"):
                if reload:
                    synthesizer.synthesize(output)
                else:
                    synthesize(project.stage, output, config)
        runtime = LocalRuntime(
            output,
            state=state.resolve(),
            port=port or None,
            iam=iam,
            hooks=hooks,
            may_discard=lambda error: discard or _is_agreed(error, words),
        )
        words.enter_context(errors.status("starting"))

        def ready(endpoints: Endpoints) -> None:
            words.close()
            _announce(endpoints, state)
            if synth and reload:
                from toolbox.cli.local_reload import Reloader

                reloader = Reloader(runtime, synthesizer, project, output, _way_in)
                parts.callback(reloader.stop)
                reloader.start()

        runtime.run_until_stopped(ready, lambda: errors.print("stopping"))


def _is_agreed(error: DataWouldBeLostError, words: ExitStack) -> bool:
    """Ask whether to begin with nothing.

    Raises
    ------
    KeptDataError
        When there is nobody to ask, or the answer is no.
    """
    words.close()
    lost = "queues, archive, tickets, secrets and what is on the stream"
    if sys.stdin.isatty() and errors.is_terminal:
        errors.print(str(error))
        if typer.confirm(f"Begin with nothing, and lose {lost}?", err=True):
            return True
    command = next_step("local up")
    raise KeptDataError(
        f"{error}\nto go on with it, take the change back, or run this with another --state;\n"
        f"to begin with nothing, and lose {lost}: {command} --discard"
    )


def _tell(line: str, style: str) -> None:
    console.print(f"{time.strftime('%H:%M:%S')} {line}", style=style or None)


def _announce(endpoints: Endpoints, state: Path) -> None:
    console.print("MozDef Event Framework, local. Ctrl-C stops it.")
    for source in sorted(endpoints.queues):
        console.print(f"  {_way_in(endpoints, source)}")
    console.print(f"  AWS services    {endpoints.aws_endpoint_url}")
    console.print(f"  all addresses   {state}/endpoints.json")
    console.print(f"  logs            {state}/logs/")


def _way_in(where: Endpoints, source: str) -> str:
    """Return how events of a source come in."""
    polled = "api_credential" in where.parameters.get(source, {})
    return f"polled: {source}" if polled else f"POST {where.api}/{source}"
