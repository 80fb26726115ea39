"""`mozdef-ef source list`: which sources there are, by the kind of their senders."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from toolbox.cli.source_options import Json, SourcesOption, folders, say_broken
from toolbox.terminal.output import console, errors, print_json

if TYPE_CHECKING:
    from collections.abc import Sequence

_NO_KIND = "other"


def list_sources(*, sources: SourcesOption = None, as_json: Json = False) -> None:
    """List every source by the kind of its sender: the catalogue's, and private ones (*).

    'verified': a request that the sender's own library, documentation or service signed is among
    its samples. 'unverified': nothing but our own signature was checked. 'unsigned': the sender
    shows a token, or events are fetched. What is broken is named.
    """
    from settings.source.loader import load_source
    from toolbox.sources.sound import read_sound
    from toolbox.sources.told import listed_source

    with errors.status("reading the sources"):
        listed, broken = read_sound(
            folders(sources), lambda folder: listed_source(load_source(folder))
        )
    say_broken(broken)
    documents = list(listed.values())
    if as_json:
        print_json(documents)
        return
    counts = Counter(one["verification"] for one in documents)
    said = ", ".join(f"{counts[word]} {word}" for word in sorted(counts, reverse=True))
    console.print(f"{len(documents)} sources: {said}" if documents else "0 sources")
    for line in _lines(documents):
        console.print(line)


def _lines(documents: Sequence[dict[str, Any]]) -> list[str]:
    names = {one["name"]: one["name"] + "*" * (one["from"] == "private") for one in documents}
    width = max(map(len, names.values()), default=0)
    proofs = max((len(one["authentication"]) for one in documents), default=0)
    kinds = sorted({one["kind"] for one in documents}, key=lambda kind: (not kind, kind))
    lines = []
    for kind in kinds:
        lines.append(kind or _NO_KIND)
        for one in documents:
            if one["kind"] == kind:
                line = f"  {names[one['name']]:<{width}}  {one['ingest']:<8}  "
                line += f"{one['authentication']:<{proofs}}  {one['verification']:<10}  "
                lines.append(_cut(line + one["title"]))
    if any(one["from"] == "private" for one in documents):
        lines.append("* private")
    return lines


def _cut(line: str) -> str:
    """Return what fits the terminal; what goes elsewhere is left whole."""
    fits = not console.is_terminal or len(line) <= console.width
    return line if fits else f"{line[: console.width - 1]}…"
