"""`mozdef-ef console`: pages in a browser that show the pipeline."""

from __future__ import annotations

import socket
import webbrowser
from contextlib import closing
from typing import TYPE_CHECKING, Annotated

import typer
import uvicorn

from pipeline.errors import PipelineError
from settings.source.loader import available_sources
from toolbox.cli.source_options import private_sources
from toolbox.console.access import ConsoleAccess
from toolbox.console.app import build_app
from toolbox.console.counted import CountedClients, PageCalls
from toolbox.console.scene import ConsoleScene
from toolbox.deployments import DEFAULT_STATE, Stack, State, find_deployment, local_archive, running
from toolbox.terminal.output import console as terminal
from toolbox.terminal.output import errors
from toolbox.terminal.stopping import stopping
from toolbox.watching.local_watcher import LocalWatcher
from toolbox.watching.stack import StackWatcher

if TYPE_CHECKING:
    from pathlib import Path

HOST = "127.0.0.1"
#: What still streams when Ctrl-C comes is cut off then.
_GRACE_SECONDS = 1
_MOST_CONNECTIONS = 64
#: Calls that the live page makes of a stack: enough for a day and a night, a look each minute.
_MOST_LOOKING = 50_000


class PortTakenError(PipelineError):
    """The console cannot listen."""


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
    scene = open_scene(state, stack, writable=write or not stack)
    with closing(_listening(port)) as listener:
        access = ConsoleAccess(listener.getsockname()[1])
        app = build_app(scene, access)
        settings = uvicorn.Config(
            app,
            loop="asyncio",
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=_MOST_CONNECTIONS,
            timeout_graceful_shutdown=_GRACE_SECONDS,
        )
        terminal.print(f"The console of {scene.where.name}. Ctrl-C stops it.")
        terminal.print(f"  {access.entry}")
        if browser and terminal.is_terminal:
            webbrowser.open(access.entry)
        with stopping():
            uvicorn.Server(settings).run(sockets=[listener])
            app.state.replays.close()
    errors.print("stopped")


def open_scene(state: Path, stack: str | None, *, writable: bool) -> ConsoleScene:
    """Return what the pages read, of the deployment that a command was told to work on."""
    where = find_deployment(state, stack)
    private = private_sources()
    looking = CountedClients(where.client, PageCalls(_MOST_LOOKING))
    return ConsoleScene(
        where=where,
        stack=stack or "",
        state=state,
        writable=writable,
        watcher=StackWatcher(looking, stack) if stack else LocalWatcher(state),
        folders=lambda: available_sources(private),
        private=private,
        archive=None if stack else local_archive(running(state)),
    )


def _listening(port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError as error:
        listener.close()
        raise PortTakenError(
            f"--port {port}: {error.strerror}; choose another one, or 0 for a free one"
        ) from None
    return listener
