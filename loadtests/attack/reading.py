"""Reads what an attacker made, in a process of its own that can be ended: `... WHAT PATH`.

Prints a JSON object: the name of each input to the fault that it was refused with, or to null.
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path

from pipeline.errors import PipelineError
from pipeline.polling.pages import read_page
from settings.source.loader import load_source
from toolbox.sources.rehearsal import Rehearsal, compiled, make_secret
from toolbox.sources.samples import load_samples
from toolbox.terminal.output import print_json

#: What a process of the poller has, less than the function's own limit (1 GB).
_MEMORY_BYTES = 768 << 20


def read_folders(path: Path) -> dict[str, str | None]:
    """Read each source folder below a path."""
    found: dict[str, str | None] = {}
    for folder in sorted(path.iterdir()):
        try:
            list(load_samples(load_source(folder)))
            found[folder.name] = None
        except PipelineError as error:
            found[folder.name] = str(error)
    return found


def run_schemas(path: Path) -> dict[str, str | None]:
    """Compile each source folder as the build does, and validate its samples with that."""
    found: dict[str, str | None] = {}
    for folder in sorted(path.iterdir()):
        try:
            source = load_source(folder)
            with compiled({source.name: source}) as catalog:
                rehearsal = Rehearsal({source.name: source}, catalog, (make_secret(),))
                endings = [rehearsal.play(sample) for sample in load_samples(source)]
            kinds = {outcome.kind.value for ending in endings for outcome in ending.outcomes}
            found[folder.name] = f"ran: {', '.join(sorted(kinds))}"
        except PipelineError as error:
            found[folder.name] = str(error)
    return found


def read_bomb(path: Path) -> dict[str, str | None]:
    """Read a page of an API within the memory of a poller."""
    body = path.read_bytes()
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    page = read_page(body, ())
    return {path.name: f"{len(page.events)} events, {page.copies} copies"}


if __name__ == "__main__":
    what, where = sys.argv[1], Path(sys.argv[2])
    print_json(
        {"folders": read_folders, "schemas": run_schemas, "bomb": read_bomb}[what](where),
        indent=False,
    )
