"""What the commands on sources share: where sources are, and how names and texts are shown."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from settings.faults import Fault
from settings.source.loader import CATALOG, SourceError, available_sources, load_source
from toolbox.terminal.output import errors

if TYPE_CHECKING:
    from collections.abc import Iterable

    from settings.source.loader import LoadedSource

PRIVATE_SOURCES = Path("config/sources")
SourcesOption = Annotated[
    Path, typer.Option("--sources", help="Directory of private sources; they win by name.")
]
HostOption = Annotated[str, typer.Option(help="Of a capture with several hosts, the receiver's.")]
AskSecret = Annotated[
    bool, typer.Option("--ask-secret", help="The same, at a prompt that shows nothing.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def folders(directory: Path) -> dict[str, Path]:
    """Return the folder of every source there is.

    Raises
    ------
    SourceError
        When a directory other than the usual one was named, and is none.
    """
    if directory != PRIVATE_SOURCES and not directory.is_dir():
        raise SourceError(Fault(str(directory), "", "there is no such directory"))
    return available_sources(directory)


def load_one(name: str, directory: Path) -> LoadedSource:
    """Load one source by its name.

    Raises
    ------
    SourceError
        When there is no such source, or its folder is wrong.
    """
    found = folders(directory)
    if name not in found:
        known = ", ".join(sorted(found)) or "none"
        raise SourceError(Fault("", name, f"no such source; there are {known}"))
    return load_source(found[name])


def say_broken(lines: Iterable[str]) -> None:
    """Name the source folders that were left out, each in one line."""
    for line in lines:
        errors.print(f"mozdef-ef: {line}", style="yellow")


def origin(folder: Path) -> str:
    """Say where a source comes from."""
    return "catalogue" if folder.parent == CATALOG else "private"


def parse_headers(lines: list[str] | None) -> dict[str, str]:
    """Read headers as they are given on the command line: 'Name: value'.

    Raises
    ------
    SourceError
        When a line is no header.
    """
    headers = {}
    for line in lines or []:
        name, separator, value = line.partition(":")
        if not separator or not name.strip():
            raise SourceError(f"--header: {line!r} is not 'Name: value'")
        headers[name.strip()] = value.strip()
    return headers
