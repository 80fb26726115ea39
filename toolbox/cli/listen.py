"""`mozdef-ef listen`: catches what a sender really sends, for `source new --captured`."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import shlex
import signal
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer
from pydantic import TypeAdapter, ValidationError

from settings.source.base import SourceName
from settings.source.loader import load_source
from toolbox.cli.captured_options import secrets_given
from toolbox.cli.source_options import AskSecret, SourcesOption, folders
from toolbox.project import find_project, next_step
from toolbox.sources.captured.answering import Answering
from toolbox.sources.captured.keeping import CaptureFolder, Keeper, KeptRequest
from toolbox.sources.captured.listening import ListenError, RequestServer
from toolbox.sources.captured.request import MOST_REQUESTS
from toolbox.terminal.output import DOES_NOT_HOLD, console, errors

#: Whoever scans a tunnel's address is shown so often, and counted after that.
_MOST_SHOWN = 20


def listen(
    name: Annotated[str, typer.Argument(help="The source: one that there is, or a new one.")],
    *,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Stays the same, for a tunnel; 0: a free one.")
    ] = 8899,
    address: Annotated[
        str, typer.Option(help="Of this machine; default: what only this machine reaches.")
    ] = "127.0.0.1",
    directory: Annotated[
        Path | None, typer.Option(help="Where the captures go; default: captured/NAME.")
    ] = None,
    count: Annotated[
        int, typer.Option(min=1, max=MOST_REQUESTS, help="End after so many requests.")
    ] = MOST_REQUESTS,
    minutes: Annotated[
        float, typer.Option(min=0.001, max=1440, help="End after so many minutes.")
    ] = 60.0,
    secret_file: Annotated[
        Path | None,
        typer.Option(help="The sender's secret, where its handshake takes one; a line each."),
    ] = None,
    ask_secret: AskSecret = False,
    sources: SourcesOption = None,
) -> None:
    """Catch a sender's requests as they are sent, and answer what it asks before it sends events.

    The address is http://127.0.0.1:PORT/NAME. Open a tunnel to the port, and give the sender the
    tunnel's address and /NAME. Each request is kept in a file of its own, with headers in their
    order and its bytes, for `source new NAME --captured`. Nothing is on the stream.

    Handshakes are answered as the source NAME would, or, of a new one, where they can be told:
    challenges in a body or a query. Events are answered with 200.

    Exit status: 0 something was caught, 1 nothing was.
    """
    _check_name(name)
    known = folders(sources).get(name)
    secrets = secrets_given(secret_file, ask=ask_secret)
    loaded = load_source(known) if known else None
    folder = CaptureFolder(directory or _captures(name), count)
    answering = Answering(name, loaded, secrets, folder.folder)
    screen = _Screen()
    with suppress(KeyboardInterrupt):
        asyncio.run(_serve(folder, answering, screen, (address, port), minutes * 60))
    if screen.unshown:
        errors.print(f"{screen.unshown:,} more requests were not kept", style="yellow")
    if not screen.kept:
        errors.print("mozdef-ef: nothing was caught", style="red")
        raise typer.Exit(DOES_NOT_HOLD)
    _print_next(name, folder.folder, exists=known is not None)


def _captures(name: str) -> Path:
    """Return where captures of a source go: beside the configuration, as all that commands make."""
    return Path(os.path.normpath(find_project().home / "captured" / name))


def _check_name(name: str) -> None:
    try:
        TypeAdapter(SourceName).validate_python(name)
    except ValidationError:
        raise ListenError(
            f"{name!r}: the name is the route; use a-z, 0-9 and '-', a letter first, 40 at most"
        ) from None


class _Screen:
    """Shows each request as it comes."""

    def __init__(self) -> None:
        self.kept = 0
        self.unshown = 0
        self._refused = 0

    def show(self, one: KeptRequest) -> None:
        self.kept += 1
        request = one.request
        said = f" ({one.said})" if one.said else ""
        console.print(
            f"{one.file.name}  {request.method} {one.kind}, {len(request.body):,} bytes"
            f": {one.status}{said}"
        )

    def refused(self, what: str) -> None:
        self._refused += 1
        if self._refused > _MOST_SHOWN:
            self.unshown += 1
        else:
            errors.print(f"not kept: {what}", style="yellow")


async def _serve(
    folder: CaptureFolder,
    answering: Answering,
    screen: _Screen,
    place: tuple[str, int],
    seconds: float,
) -> None:
    done, loop = asyncio.Event(), asyncio.get_running_loop()

    def show(one: KeptRequest) -> None:
        screen.show(one)
        if folder.is_full:
            done.set()

    server = RequestServer(Keeper(folder, answering, show), screen.refused)
    listener = await server.start(*place)
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, done.set)
    async with listener:
        host, port = listener.sockets[0].getsockname()[:2]
        _announce(answering.name, host, port, folder.folder)
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await done.wait()
        listener.close()
        await server.finish()


def _announce(name: str, host: str, port: int, folder: Path) -> None:
    shown = f"[{host}]" if ":" in host else host
    console.print(f"Listening on http://{shown}:{port}/{name}. Ctrl-C ends it.")
    console.print(f"  tunnel      to port {port}; the sender gets the tunnel's address and /{name}")
    console.print(f"  captures    {folder}/")
    if not ipaddress.ip_address(host).is_loopback:
        errors.print("Other machines reach this address, without encryption.", style="yellow")


def _print_next(name: str, folder: Path, *, exists: bool) -> None:
    where = shlex.quote(str(folder))
    console.print("Captures hold what was sent, secrets too: delete them when they have served.")
    console.print("Then:")
    verb = "try" if exists else "new"
    step = next_step(f"source {verb} {name}")
    console.print(f"  {step} --captured {where} --secret-file FILE")
