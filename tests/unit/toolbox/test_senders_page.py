"""`docs/senders.md` and what the sources say of their senders."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from settings.source.loader import available_sources, read_source_settings
from toolbox.sources.senders_page import PAGE, page_of

if TYPE_CHECKING:
    from settings.source.loader import LoadedSource


def test_the_page_is_what_the_sources_say(sources: dict[str, LoadedSource]) -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page_of(page, sources) == page, "run make catalog-table"


@pytest.mark.parametrize("name", sorted(available_sources()))
def test_each_source_says_what_is_done_at_its_sender(name: str) -> None:
    settings = read_source_settings(available_sources()[name])
    steps = "\n".join(settings.setup)
    assert settings.kind
    assert len(settings.setup) >= 2
    assert settings.documentation or name in {"generic", "generic-hmac"}
    assert ("{url}" in steps) == (settings.poll is None)
    assert ("{secret}" in steps) == bool(settings.parameter)
