"""`mozdef-ef source upgrade`: writes a source in the newest version of `source.yaml`."""

from __future__ import annotations

from typing import Annotated

import typer

from settings.bounded import OUTSIDE, leads_out, parse_yaml
from settings.faults import Fault
from settings.source.loader import SourceError, read_source_settings
from settings.source.upgrading import NEWEST, upgraded, upgraded_text
from toolbox.cli.source_options import SourceName, SourcesOption, load_one
from toolbox.terminal.output import console


def upgrade(
    name: SourceName,
    *,
    write: Annotated[
        bool, typer.Option("--write", help="Write it in the place of the old one.")
    ] = False,
    sources: SourcesOption = None,
) -> None:
    """Print a source's settings in the newest version; what they mean stays.

    Comments stay, but for those within a handshake. An older version loads as before, so nothing
    has to be done.
    """
    source = load_one(name, sources)
    path = source.folder / "source.yaml"
    text = path.read_text(encoding="utf-8")
    new, wanted = upgraded_text(text), upgraded(parse_yaml(text.encode()))
    if parse_yaml(new.encode()) != wanted:
        expected = "a key at the left margin, without quotation marks; write version 2 by hand"
        raise SourceError(Fault(str(path), "version", expected))
    if new == text:
        console.print(f"{path}: is of version {NEWEST}")
        return
    if not write:
        console.lines(new.rstrip())
        return
    if leads_out(source.folder, path):
        raise SourceError(Fault(str(path), "", f"{OUTSIDE}; nothing is written there"))
    path.write_text(new, encoding="utf-8")
    try:
        read_source_settings(source.folder)
    except SourceError:
        path.write_text(text, encoding="utf-8")
        raise
    console.print(f"{path}: is of version {NEWEST} now")
