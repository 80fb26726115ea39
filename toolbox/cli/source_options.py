"""What the commands on sources share: where sources are, and how names and texts are shown."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from toolbox.cli import completing
from toolbox.project.finding import find_project
from toolbox.project.next_steps import next_step
from toolbox.project.options import completed
from toolbox.terminal.nearest import unknown
from toolbox.terminal.output import errors

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from settings.source.loader import LoadedSource

# The settings' models take a tenth of a second to load: whoever only asks for help needs none.
SourcesOption = Annotated[
    Path | None,
    typer.Option(
        "--sources",
        help="Directory of private sources, in the place of the configuration's; they win by name.",
    ),
]
SourceName = Annotated[
    str,
    typer.Argument(
        metavar="SOURCE",
        help="A source, such as github.",
        autocompletion=completed(completing.sources),
    ),
]
HostOption = Annotated[str, typer.Option(help="Of a capture with several hosts, the receiver's.")]
AskSecret = Annotated[
    bool, typer.Option("--ask-secret", help="The same, at a prompt that shows nothing.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def private_sources(directory: Path | None = None) -> Path:
    """Return where private sources are: what was named, else the directory of the configuration.

    Raises
    ------
    SourceError
        When the directory that was named is none.
    """
    if directory is None:
        project = find_project()
        project.say()
        return project.sources
    if not directory.is_dir():
        from settings.faults import Fault
        from settings.source.loader import SourceError

        raise SourceError(Fault(str(directory), "", "there is no such directory"))
    return directory


def folders(directory: Path | None = None) -> dict[str, Path]:
    """Return the folder of every source there is."""
    from settings.source.loader import available_sources

    return available_sources(private_sources(directory))


def folder_of(name: str, found: Mapping[str, Path]) -> Path:
    """Return the folder of a source.

    Raises
    ------
    NotFoundError
        When there is no such source.
    """
    if name not in found:
        raise unknown("source", name, found, next_step("source list"))
    return found[name]


def load_one(name: str, directory: Path | None = None) -> LoadedSource:
    """Load one source by its name."""
    from settings.source.loader import load_source

    return load_source(folder_of(name, folders(directory)))


def say_broken(lines: Iterable[str]) -> None:
    """Name the source folders that were left out, each in one line."""
    for line in lines:
        errors.print(f"mozdef-ef: {line}", style="yellow")


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
            from settings.source.loader import SourceError

            raise SourceError(f"--header: {line!r} is not 'Name: value'")
        headers[name.strip()] = value.strip()
    return headers
