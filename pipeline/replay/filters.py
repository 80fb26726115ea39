"""Which archived events a job replays."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pipeline.archive.keys import ArchiveKind
from pipeline.errors import PipelineError
from pipeline.event.event_id import request_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.archive.lines import ArchivedEvent
    from pipeline.replay.event_types import EventTypes

MOST_IDS = 1_000_000
_LATEST = 1e11
_FIELDS = {"kinds", "sources", "event_types", "reasons", "from", "to", "ids"}


class FilterError(PipelineError):
    """A filter has no sense."""


@dataclass(frozen=True)
class Filter:
    """What an event must be like; what is empty asks for nothing.

    Parameters
    ----------
    kinds : frozenset[ArchiveKind]
        Where in the archive to look.
    sources, event_types, reasons : frozenset[str]
        One of these.
    start, end : float | None
        When the event reached the stream, in epoch seconds; the end is not included.
    ids : frozenset[str] | None
        Ids of envelopes, or of deliveries; None asks for nothing.
    ids_key : str
        The object of the archive that holds these ids: a job may go on on another machine.
    """

    kinds: frozenset[ArchiveKind]
    sources: frozenset[str] = frozenset()
    event_types: frozenset[str] = frozenset()
    reasons: frozenset[str] = frozenset()
    start: float | None = None
    end: float | None = None
    ids: frozenset[str] | None = field(default=None, repr=False)
    ids_key: str = ""

    def matches(self, event: ArchivedEvent, types: EventTypes) -> bool:
        """Tell whether an event is asked for; the cheap questions come first."""
        if self.start is not None and event.arrived < self.start:
            return False
        if self.end is not None and event.arrived >= self.end:
            return False
        if self.sources and not self.sources & {event.source, event.claimed_source}:
            return False
        if self.reasons and event.reason not in self.reasons:
            return False
        if self.ids is not None and not self._names(event, self.ids):
            return False
        return not self.event_types or not self.event_types.isdisjoint(types.of(event))

    @staticmethod
    def _names(event: ArchivedEvent, ids: frozenset[str]) -> bool:
        if event.id in ids or request_of(event.id) in ids:
            return True
        envelope = event.envelope
        return envelope is not None and (
            envelope.id in ids or (envelope.key in ids and bool(envelope.key))
        )

    def to_json(self) -> dict[str, Any]:
        """Return it for a job's record; the ids are an object of their own."""
        return {
            "kinds": sorted(self.kinds),
            "sources": sorted(self.sources),
            "event_types": sorted(self.event_types),
            "reasons": sorted(self.reasons),
            "from": self.start,
            "to": self.end,
            "ids": self.ids_key,
        }


def filter_from_json(document: Any, ids: frozenset[str] | None = None) -> Filter:
    """Read a filter from a job's record or a workflow's input; what is left out asks for nothing.

    Raises
    ------
    FilterError
        When it is no filter. A filter that is not understood must not match everything.
    """
    if not isinstance(document, dict):
        raise FilterError("the filter is no JSON object")
    unknown = sorted(set(document) - _FIELDS)
    if unknown:
        raise FilterError(f"filter: {unknown[0]!r} is unknown; known: {', '.join(sorted(_FIELDS))}")
    try:
        kinds = frozenset(ArchiveKind(name) for name in _texts(document, "kinds"))
    except ValueError as error:
        raise FilterError(f"filter: kinds: {error}") from None
    ids_key = document.get("ids", "")
    if not isinstance(ids_key, str) or (ids_key and ids is None):
        raise FilterError("filter: 'ids' is the key of an object that holds ids")
    return Filter(
        kinds=kinds or frozenset(ArchiveKind),
        sources=_texts(document, "sources"),
        event_types=_texts(document, "event_types"),
        reasons=_texts(document, "reasons"),
        start=_seconds(document, "from"),
        end=_seconds(document, "to"),
        ids=ids if ids_key else None,
        ids_key=ids_key,
    )


def _texts(document: Mapping[str, Any], name: str) -> frozenset[str]:
    value = document.get(name, [])
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise FilterError(f"filter: '{name}' is no list of text")
    return frozenset(value)


def _seconds(document: Mapping[str, Any], name: str) -> float | None:
    value = document.get(name)
    if value is None:
        return None
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 <= value < _LATEST:
        raise FilterError(f"filter: '{name}' is no time in epoch seconds")
    return float(value)
