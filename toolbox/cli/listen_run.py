"""What `mozdef-ef listen` does: it catches requests, shows each, and says what to type next."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import shlex
import signal
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from pydantic import TypeAdapter, ValidationError

from settings.source.base import SourceName
from settings.source.loader import load_source
from toolbox.project.finding import find_project
from toolbox.project.next_steps import next_step
from toolbox.sources.captured.answering import Answering
from toolbox.sources.captured.keeping import CaptureFolder, Keeper, KeptRequest
from toolbox.sources.captured.listening import ListenError, RequestServer
from toolbox.terminal.output import DOES_NOT_HOLD, console, errors

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Whoever scans a tunnel's address is shown so often, and counted after that.
_MOST_SHOWN = 20


def catch(
    name: str,
    folders: Mapping[str, Path],
    secrets: list[str],
    directory: Path | None,
    *,
    place: tuple[str, int],
    count: int,
    seconds: float,
) -> None:
    """Catch requests until there are so many, the time is over or somebody stops it.

    Parameters
    ----------
    folders : Mapping[str, Path]
        Of the sources there are.
    place : tuple[str, int]
        Address and port.

    Raises
    ------
    ListenError
        When the name is none, or the port is in use.
    """
    known = folders.get(name)
    loaded = load_source(known) if known else None
    folder = CaptureFolder(directory or _captures(name), count)
    answering = Answering(name, loaded, secrets, folder.folder)
    screen = _Screen()
    with suppress(KeyboardInterrupt):
        asyncio.run(_serve(folder, answering, screen, place, seconds))
    if screen.unshown:
        errors.print(f"{screen.unshown:,} more requests were not kept", style="yellow")
    if not screen.kept:
        errors.print("mozdef-ef: nothing was caught", style="red")
        raise typer.Exit(DOES_NOT_HOLD)
    _print_next(name, folder.folder, exists=known is not None)


def _captures(name: str) -> Path:
    """Return where captures of a source go: beside the configuration, as all that commands make."""
    return Path(os.path.normpath(find_project().home / "captured" / name))


def check_name(name: str) -> None:
    """See that a source could have the name; ListenError otherwise."""
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
    console.print(f"  {step} --captured {where} --ask-secret")
