"""The rules by which the sources of this machine tell the types of their events."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from pipeline.event.fields import compile_path
from pipeline.replay.event_types import EventTypes, TypeRule
from settings.source.compiler import body_form_of
from settings.source.loader import SourceError, read_source_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from pipeline.archive.lines import ArchivedEvent
    from settings.source.model import Source


def type_rule(settings: Source) -> TypeRule:
    """Return the rule that a source's settings are."""
    locator, parts = settings.event_type, settings.split
    return TypeRule(
        locator.header.lower() if locator and locator.header else None,
        compile_path(locator.path) if locator else None,
        settings.form_field,
        compile_path(parts.path) if parts else None,
        body_form_of(settings),
    )


def types_by(folders: Mapping[str, Path]) -> Callable[[ArchivedEvent], set[str]]:
    """Return what tells the types of archived events: none where a source cannot be read.

    A source is read when the first event of it is seen, and again when its settings changed.

    Parameters
    ----------
    folders : Mapping[str, Path]
        The folder of each source.
    """
    rules: dict[str, EventTypes] = {}

    def types(event: ArchivedEvent) -> set[str]:
        source = event.claimed_source
        if source not in rules:
            rules[source] = _types_of(source, folders.get(source))
        return rules[source].of(event)

    return types


def _types_of(source: str, folder: Path | None) -> EventTypes:
    if folder is None:
        return EventTypes()
    try:
        changed = (folder / "source.yaml").stat().st_mtime_ns
        return EventTypes({source: _rule(folder, changed)})
    except (OSError, SourceError):
        return EventTypes()


@lru_cache(maxsize=200)
def _rule(folder: Path, _changed: int) -> TypeRule:
    return type_rule(read_source_settings(folder))
