"""What the page "Events" shows: a page of the archive's requests that fit."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from pipeline.errors import PipelineError
from pipeline.event.outcomes import OutcomeKind, Reason
from pipeline.replay.times import parse_time
from toolbox.console.explained import explained
from toolbox.console.rendering import path_text
from toolbox.explaining.event_search import (
    MOST_SECONDS,
    OPEN,
    EventFilter,
    EventSearch,
    FoundEvent,
    FoundPage,
)
from toolbox.explaining.found import ReadingNotes
from toolbox.sources.type_rules import types_by

if TYPE_CHECKING:
    from collections.abc import Mapping

    from toolbox.console.scene import ConsoleScene

MOST_EVENTS = 50
DEFAULT_FROM, DEFAULT_TO = "24h", "0s"
_LONGEST_FIELD = 300
_LONGEST_SPAN = timedelta(days=92)
#: What an event's own page reads of the archive around its arrival.
_AROUND = timedelta(minutes=10)
FIELDS = ("id", "source", "type", "outcome", "reason", "text", "from", "to")
OUTCOMES = (
    OutcomeKind.DELIVERED,
    OutcomeKind.REJECTED,
    OutcomeKind.DUPLICATE,
    OutcomeKind.IGNORED,
    OPEN,
)
REASONS = tuple(sorted(Reason))


class SearchError(PipelineError):
    """What was asked for cannot be searched."""


@dataclass(frozen=True)
class EventsPage:
    """A page of the list.

    Parameters
    ----------
    asked : Mapping[str, str]
        The fields of the form, as they are in the address.
    read : tuple[str, ...]
        What was read of the archive, and how much of it.
    """

    asked: Mapping[str, str]
    found: FoundPage
    sources: tuple[str, ...]
    read: tuple[str, ...]
    not_known: tuple[str, ...]

    #: Of the form.
    outcomes = OUTCOMES
    reasons = REASONS

    @property
    def more(self) -> str:
        """The address of what follows; empty where nothing does."""
        return address({**self.asked, "after": self.found.after}) if self.found.after else ""

    def link(self, one: FoundEvent) -> str:
        """Return the address of an event's own page, with the time in which to look for it."""
        return event_address(one.id, one.source, one.arrived)

    def document(self) -> dict[str, Any]:
        """Return it for programs."""
        return {
            "asked": {name: value for name, value in self.asked.items() if value},
            "events": [one._asdict() for one in self.found.events],
            **{name: value for name, value in asdict(self.found).items() if name != "events"},
            "more": self.more.replace("/events?", "/events.json?", 1),
            "read": self.read,
            "not_known": self.not_known,
        }


def address(asked: Mapping[str, str]) -> str:
    """Return the address of a search."""
    given = {name: value for name, value in asked.items() if value}
    return f"/events?{urlencode(given)}" if given else "/events"


def event_address(identifier: str, source: str, arrived: str) -> str:
    """Return the address of an event's own page.

    Parameters
    ----------
    arrived : str
        When it reached the stream, an ISO 8601 time; so little of the archive is read for it.
    """
    at = datetime.fromisoformat(arrived)
    span = {"from": (at - _AROUND).isoformat(), "to": (at + _AROUND).isoformat()}
    return f"{path_text('events', identifier)}?{urlencode({'source': source, **span})}"


def read_events(
    scene: ConsoleScene,
    query: Mapping[str, str],
    *,
    most: int = MOST_EVENTS,
    seconds: float = MOST_SECONDS,
) -> EventsPage:
    """Search the archive.

    Parameters
    ----------
    most : int
        Events of the page.
    seconds : float
        The search pauses after that.

    Raises
    ------
    PipelineError
        When a field of the form has no sense.
    """
    asked = {name: query.get(name, "").strip() for name in FIELDS}
    asked["from"] = asked["from"] or DEFAULT_FROM
    if long := [name for name, value in asked.items() if len(value) > _LONGEST_FIELD]:
        raise SearchError(f"{long[0]}: at most {_LONGEST_FIELD} characters")
    now = datetime.now(UTC)
    start = parse_time(asked["from"], now)
    end = parse_time(asked["to"] or DEFAULT_TO, now)
    if not start < end <= start + _LONGEST_SPAN:
        raise SearchError(f"from must lie before to, by {_LONGEST_SPAN.days} days at most")
    wanted = EventFilter(
        start=start,
        end=end,
        sources=(asked["source"],) if asked["source"] else (),
        outcome=_one_of("outcome", asked["outcome"], OUTCOMES),
        reason=_one_of("reason", asked["reason"], REASONS),
        event_type=asked["type"],
        identifier=asked["id"],
        text=asked["text"],
    )
    notes, reading = ReadingNotes(), explained(scene)
    listing = reading.listing()
    search = EventSearch(listing, reading.objects(), notes, types_by(reading.folders))
    found = search.page(wanted, query.get("after", ""), most, seconds)
    sources = tuple(sorted({*reading.folders, *filter(None, [asked["source"]])}))
    return EventsPage(asked, found, sources, notes.told(), tuple(notes.not_known))


def _one_of(name: str, value: str, known: tuple[str, ...]) -> str:
    if value and value not in known:
        raise SearchError(f"{name}: {value[:40]!r} is none of {', '.join(known)}")
    return value
