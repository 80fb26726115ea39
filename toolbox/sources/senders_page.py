"""`docs/senders.md`: what is done at each sender of the catalogue, from the sources' settings."""

from __future__ import annotations

import re
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from toolbox.sources.verification import verification_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from settings.source.loader import LoadedSource

PAGE = Path(__file__).parents[2] / "docs" / "senders.md"
KINDS = {
    "any": "Any sender",
    "business": "Business",
    "ci": "Builds and deployments",
    "cloud": "Clouds",
    "code": "Code and artifacts",
    "collaboration": "Collaboration",
    "identity": "Identity",
    "messaging": "Messages",
    "monitoring": "Monitoring and incidents",
    "security": "Security",
}
_MARK = "<!-- made by `make catalog-table` -->"


def page_of(page: str, sources: Mapping[str, LoadedSource]) -> str:
    """Return the page with each sender below its introduction.

    Raises
    ------
    SourceError
        When a sample cannot be read.
    """
    lines = [page.partition(_MARK)[0] + _MARK]
    for kind, named in _by_kind(sources):
        lines.append(f"\n## {KINDS[kind]}\n")
        for name in named:
            lines += _entry(sources[name])
    return "\n".join(lines).rstrip() + "\n"


def _by_kind(sources: Mapping[str, LoadedSource]) -> Iterable[tuple[str, list[str]]]:
    kinds = {name: source.settings.kind or "any" for name, source in sources.items()}
    names = sorted(kinds, key=lambda name: (KINDS[kinds[name]], name))
    return [(kind, list(named)) for kind, named in groupby(names, kinds.__getitem__)]


def _entry(source: LoadedSource) -> list[str]:
    settings, verified = source.settings, verification_of(source)
    page = f" [The sender's page]({settings.documentation})." if settings.documentation else ""
    extends = f", extends `{settings.extends}`" if settings.extends else ""
    lines = [
        f"### `{source.name}`\n",
        f"{settings.title}. `{settings.ingest}`, {settings.proof}, {verified}{extends}.{page}\n",
    ]
    steps = (_filled(step) for step in settings.setup)
    lines += [f"{number}. {step}" for number, step in enumerate(steps, 1)]
    return [*lines, ""]


def _filled(step: str) -> str:
    """Put what the reader has in the place of what the settings name."""
    return re.sub(r"\{(url|secret)\}", lambda found: f"`<{found[1].upper()}>`", step)
