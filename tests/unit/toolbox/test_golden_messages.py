"""Each sample's message is what it was; where it is to be another, the files say how."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from settings.source.loader import available_sources
from tests.support.golden import FOLDER, golden_file, golden_lines

if TYPE_CHECKING:
    from pipeline.event.compiled_source import Catalog
    from settings.source.loader import LoadedSource

NAMES = sorted(available_sources())


@pytest.mark.parametrize("name", NAMES)
def test_the_messages_of_each_sample_are_those_of_the_file(
    sources: dict[str, LoadedSource], catalog: Catalog, name: str
) -> None:
    kept = golden_file(name).read_text(encoding="utf-8")
    lines = golden_lines(sources[name], sources, catalog)
    assert lines.splitlines() == kept.splitlines(), "make golden writes the files anew"


def test_no_file_is_of_a_source_that_is_gone() -> None:
    assert sorted(path.stem for path in FOLDER.glob("*.txt")) == NAMES
