"""What each sample's events are for MozDef, as files: a change of their form shows in a review.

`python -m tests.support.golden` writes the files anew.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from settings.source.loader import available_sources, load_source
from toolbox.sources.checking import ARRIVAL
from toolbox.sources.rehearsal import Rehearsal, compiled, make_secret
from toolbox.sources.samples import load_samples

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.event.compiled_source import Catalog
    from settings.source.loader import LoadedSource

FOLDER = Path(__file__).parents[1] / "golden"


def golden_lines(
    source: LoadedSource, sources: Mapping[str, LoadedSource], catalog: Catalog
) -> str:
    """One line an event: the sample, and the message as it goes to SQS."""
    rehearsal = Rehearsal(sources, catalog, (make_secret(), make_secret()), now=ARRIVAL)
    return "".join(
        f"{sample.name} {event.message.decode()}\n"
        for sample in sorted(load_samples(source), key=lambda one: one.name)
        for event in rehearsal.play(sample).delivered
    )


def golden_file(name: str) -> Path:
    return FOLDER / f"{name}.txt"


def write_golden_files() -> None:
    sources = {name: load_source(folder) for name, folder in available_sources().items()}
    FOLDER.mkdir(exist_ok=True)
    with compiled(sources) as catalog:
        for name, source in sources.items():
            golden_file(name).write_text(golden_lines(source, sources, catalog), encoding="utf-8")


if __name__ == "__main__":
    write_golden_files()
