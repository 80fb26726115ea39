"""`mozdef-ef console`: pages in a browser that show the pipeline."""

from __future__ import annotations

from typing import Annotated

import typer

from toolbox.cli.source_options import private_sources
from toolbox.deployments import DEFAULT_STATE, Stack, State


def console(
    *,
    stack: Stack = None,
    state: State = DEFAULT_STATE,
    write: Annotated[
        bool,
        typer.Option("--write", help="With --stack: let it replay, dismiss, save and send."),
    ] = False,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="On this machine alone; 0: a free one.")
    ] = 0,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the address in a browser.")
    ] = True,
) -> None:
    """Show the pipeline in a browser, until Ctrl-C: live, each event's way, tickets, replays.

    It answers on this machine alone. The address that it prints has a token, which lets one browser
    in, once. Of a stack it reads with the credentials that are here, and writes with --write alone.

    Exit status: 0 after Ctrl-C.
    """
    from toolbox.console.serving import open_scene, serve

    private = private_sources()
    serve(
        open_scene(state, stack, writable=write or not stack, private=private),
        port,
        browser=browser,
    )
