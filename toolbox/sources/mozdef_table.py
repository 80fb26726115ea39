"""The table of the catalogue's README: which fields each source fills, for which alerts.

It is made of the samples, as MozDef's worker would write them into its index.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from settings.source.detail_fields import DOCUMENTED
from settings.source.loader import available_sources, load_sources
from toolbox.mozdef.alerts import alerts
from toolbox.mozdef.worker import handled
from toolbox.sources.checking import ARRIVAL
from toolbox.sources.rehearsal import Rehearsal, compiled, make_secret
from toolbox.sources.samples import load_samples
from toolbox.sources.senders_page import PAGE, page_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pipeline.event.compiled_source import Catalog
    from settings.source.loader import LoadedSource

BEGIN, END = "<!-- fields: made by `make catalog-table` -->", "<!-- /fields -->"
README = Path(__file__).parents[2] / "catalog" / "README.md"


@dataclass(frozen=True)
class SearchableSample:
    """An event of a sample, as it is in MozDef's index.

    Parameters
    ----------
    body : Any
        What the sender sent, parsed.
    document : dict[str, Any]
        What MozDef's worker gives to its index; its plugins have worked on it.
    """

    source: str
    sample: str
    event_type: str
    body: Any
    document: dict[str, Any]


def searchable_samples(
    sources: Mapping[str, LoadedSource], catalog: Catalog
) -> list[SearchableSample]:
    """Return every event of every delivered sample that MozDef keeps.

    Raises
    ------
    SourceError
        When a sample cannot be read.
    """
    rehearsal = Rehearsal(sources, catalog, (make_secret(), make_secret()), now=ARRIVAL)
    found = []
    for name, source in sorted(sources.items()):
        for sample in load_samples(source):
            for event in rehearsal.play(sample).delivered:
                document = handled(json.loads(event.message)).document
                if document is not None:
                    kind = event.event_type
                    found.append(SearchableSample(name, sample.name, kind, event.body, document))
    return found


def table_of(samples: Iterable[SearchableSample]) -> str:
    """Return the table as Markdown, a line for each source."""
    documents: dict[str, list[dict[str, Any]]] = {}
    for one in samples:
        documents.setdefault(one.source, []).append(one.document)
    lines = [
        "| source | fills | MozDef's alerts that can match | once their query names the source |",
        "|---|---|---|---|",
    ]
    lines += [_line(name, found) for name, found in sorted(documents.items())]
    return "\n".join(lines)


def _line(source: str, documents: list[dict[str, Any]]) -> str:
    filled = {name for one in documents for name in one["details"] if name in DOCUMENTED}
    by_itself = [one for one in alerts() if any(map(one.matches, documents)) and one.fields]
    by_setting = [
        one for one in alerts() if one not in by_itself and any(map(one.could_match, documents))
    ]
    cells = (
        f"`{source}`",
        _names(filled),
        _names(one.name for one in by_itself),
        _names(one.name for one in by_setting),
    )
    return f"| {' | '.join(cells)} |"


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(names))


def with_table(page: str, table: str) -> str:
    """Return a page with the table between its two marks."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{table}\n\n{END}{after}"


def main() -> None:
    """Write the table into the catalogue's README, and the page of the senders."""
    sources = load_sources(sorted(available_sources()))
    with compiled(sources) as catalog:
        table = table_of(searchable_samples(sources, catalog))
    README.write_text(with_table(README.read_text(encoding="utf-8"), table), encoding="utf-8")
    PAGE.write_text(page_of(PAGE.read_text(encoding="utf-8"), sources), encoding="utf-8")


if __name__ == "__main__":
    main()
