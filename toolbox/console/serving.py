"""Serves the console on this machine, until it is stopped."""

from __future__ import annotations

import logging
import socket
import webbrowser
from contextlib import closing, contextmanager
from threading import Lock
from typing import TYPE_CHECKING

import uvicorn

from pipeline.errors import PipelineError
from settings.source.loader import available_sources
from toolbox.console.access import ConsoleAccess
from toolbox.console.app import build_app
from toolbox.console.counted import CountedClients, PageCalls
from toolbox.console.scene import ConsoleScene
from toolbox.deployments import find_deployment, local_archive, running
from toolbox.terminal.output import console as terminal
from toolbox.terminal.output import errors
from toolbox.terminal.stopping import stopping
from toolbox.watching.local_watcher import LocalWatcher
from toolbox.watching.stack import StackWatcher

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOST = "127.0.0.1"
#: What still streams when Ctrl-C comes is cut off then.
_GRACE_SECONDS = 1
_MOST_CONNECTIONS = 64
#: Calls that the live page makes of a stack: enough for a day and a night, a look each minute.
_MOST_LOOKING = 50_000


class PortTakenError(PipelineError):
    """The console cannot listen."""


def serve(scene: ConsoleScene, port: int, *, browser: bool) -> None:
    """Answer until Ctrl-C; what a replay did until then is written down.

    Parameters
    ----------
    port : int
        0 for a free one.
    browser : bool
        Whether a browser is opened, where there is a terminal.

    Raises
    ------
    PortTakenError
        When it cannot listen.
    """
    with closing(listening(port)) as listener:
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
        server = uvicorn.Server(settings)
        with stopping(), _quiet_at_the_end(server):
            server.run(sockets=[listener])
            app.state.replays.close()
    errors.print("stopped")


@contextmanager
def _quiet_at_the_end(server: uvicorn.Server) -> Iterator[None]:
    """Keep uvicorn from telling of each stream that it cuts off, with its stack."""
    log = logging.getLogger("uvicorn.error")

    def speaks(_: logging.LogRecord) -> bool:
        return not server.should_exit

    log.addFilter(speaks)
    try:
        yield
    finally:
        log.removeFilter(speaks)


def open_scene(state: Path, stack: str | None, *, writable: bool, private: Path) -> ConsoleScene:
    """Return what the pages read, of the deployment that a command was told to work on."""
    where = find_deployment(state, stack)
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
        renewed=(lambda: None)
        if stack
        else Restarts(state, writable=writable, private=private).look,
    )


class Restarts:
    """Notices that `local up` started again, or took settings over: its endpoints are others then.

    Parameters
    ----------
    state, writable, private
        As of the scene that is opened anew.
    """

    def __init__(self, state: Path, *, writable: bool, private: Path) -> None:
        self._state, self._writable, self._private = state, writable, private
        self._where = running(state)
        self._lock = Lock()

    def look(self) -> ConsoleScene | None:
        """Return the scene anew, once; None while all is as it was, or nothing runs."""
        with self._lock:
            try:
                where = running(self._state)
                if where == self._where:
                    return None
                found = open_scene(
                    self._state, None, writable=self._writable, private=self._private
                )
            except PipelineError:  # it starts, or has ended; the page itself says what it lacks
                return None
            if where.aws_endpoint_url != self._where.aws_endpoint_url:
                terminal.print(f"{found.where.name} started again; the console goes on with it.")
            self._where = where
            return found


def listening(port: int) -> socket.socket:
    """Return a socket on this machine alone; PortTakenError where there is none."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        # A browser that is opened at once waits, and is not refused.
        listener.listen()
    except OSError as error:
        listener.close()
        raise PortTakenError(
            f"--port {port}: {error.strerror}; choose another one, or 0 for a free one"
        ) from None
    return listener
