"""Puts together what is known of a request: who explains an id begins here."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from pipeline.event.event_id import EventId
from pipeline.event.events import Event
from pipeline.event.times import iso_milliseconds
from toolbox.explaining.archive_search import RawLine, Wanted, as_json
from toolbox.explaining.found import DoorFacts, Explanation
from toolbox.explaining.meaning import same_message
from toolbox.explaining.passages import Meanings, PassageReader

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from toolbox.explaining.archive_search import ArchiveSearch
    from toolbox.explaining.found import ReadingNotes
    from toolbox.explaining.meaning import Judged, SourceMeaning
    from toolbox.explaining.passages import Sights

#: Requests with one delivery id that are shown.
MOST_REQUESTS = 20
_NEEDLE = re.compile(r"[A-Za-z0-9_-]{4,60}")


@dataclass(frozen=True)
class Asked:
    """What is to be explained.

    Parameters
    ----------
    id : str
        The id that the door answered, a delivery id, or the id of a message; empty for a message.
    message : Any
        What a message of MozDef's says, in the place of an id.
    sources : tuple[str, ...]
        Only these; all for none.
    start, end : datetime
        When it came.
    """

    id: str
    message: Any
    sources: tuple[str, ...]
    start: datetime
    end: datetime


class Sighting(NamedTuple):
    """A request that was found: as it came, as each event of it is judged now, and its way."""

    line: RawLine
    judged: dict[str, Judged]
    explanation: Explanation


class Explainer:
    """Explains ids of one deployment. A context manager: what it compiles goes at its end."""

    def __init__(self, search: ArchiveSearch, sights: Sights, notes: ReadingNotes) -> None:
        self._search = search
        self._sights = sights
        self._notes = notes
        self._meanings = Meanings(sights.load, notes)
        self._passages = PassageReader(search, sights, self._meanings, notes)

    def __enter__(self) -> Explainer:
        return self

    def __exit__(self, *_: object) -> None:
        self._meanings.__exit__()

    def explain(self, asked: Asked) -> list[Explanation]:
        """Return what is known of each request that an id can mean, the first that came first.

        None where nothing was found: then `notes` says what was read.
        """
        return [one.explanation for one in self.look(asked)]

    def look(self, asked: Asked) -> list[Sighting]:
        """Return the same, with each request as it came and as it is judged here."""
        message = asked.message
        if message is None and (body := self._sights.queues.body_of(asked.id)) is not None:
            message = _read_json(body)
        wanted = self._of_id(asked.id) if message is None else self._of_message(message)
        sources = asked.sources or self._search.sources()
        found: dict[str, RawLine] = {}
        for line in self._search.requests(wanted, sources, asked.start, asked.end):
            found.setdefault(EventId.parse(line.event.id).envelope, line)
            exact = message is None and EventId.parse(asked.id).envelope in found
            if exact or len(found) >= MOST_REQUESTS:
                break
        ordered = sorted(found.values(), key=lambda line: line.event.arrived)
        return [self._explained(asked, line, message) for line in ordered]

    def meaning_of(self, source: str) -> SourceMeaning | None:
        """Return what judges a source's requests; it serves until this is closed."""
        return self._meanings.of(source)

    def _of_id(self, asked: str) -> Wanted:
        made_of = EventId.parse(asked)

        def fits(event: Any) -> bool:
            envelope = event.envelope
            if EventId.parse(event.id).envelope == made_of.envelope:
                return True
            if envelope is None:
                return False
            if envelope.key == asked:
                return True
            return any(
                isinstance(one.event, Event) and one.event.delivery_id == asked
                for one in self._meanings.judged(event.claimed_source, envelope).values()
            )

        return Wanted(as_json(made_of.envelope), fits)

    def _of_message(self, message: Any) -> Wanted:
        def fits(event: Any) -> bool:
            envelope = event.envelope
            if envelope is None:
                return False
            judged = self._meanings.judged(event.claimed_source, envelope).values()
            return any(same_message(message, one.message) for one in judged if one.message)

        return Wanted(as_json(_rare_text(message)), fits)

    def _explained(self, asked: Asked, line: RawLine, message: Any) -> Sighting:
        event = line.event
        envelope = event.envelope
        made_of = EventId.parse(event.id)
        if made_of.job and envelope is not None:
            line = self._passages.original(line) or line
        door = None
        if envelope is not None:
            door = DoorFacts(
                envelope.id,
                envelope.source,
                iso_milliseconds(envelope.arrived_ms / 1000),
                envelope.key,
                envelope.ip,
                tuple(sorted(envelope.headers)),
                len(envelope.body),
            )
        only = EventId.parse(asked.id).element if asked.id else None
        passages = [self._passages.passage(line, only)]
        passages += self._passages.replays(line, only)
        explanation = Explanation(
            asked.id or "a message",
            self._meant(asked.id, line, message),
            door,
            tuple(passages),
            self._notes.told(),
            tuple(self._notes.not_known),
        )
        judged = self._meanings.judged(event.claimed_source, envelope) if envelope else {}
        return Sighting(line, judged, explanation)

    def _meant(self, asked: str, line: RawLine, message: Any) -> str:
        if message is not None:
            return "a message of MozDef"
        if EventId.parse(asked).envelope == EventId.parse(line.event.id).envelope:
            return "the id that the door answered"
        return "the sender's delivery id"


def _rare_text(message: Any) -> str:
    """Return a text of a message that the request has as well, and few others have."""
    texts = sorted(_texts(message.get("details") if isinstance(message, dict) else message))
    plain = [one for one in texts if _NEEDLE.fullmatch(one)]
    return max(plain, key=len, default="")


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _texts(one)


def _read_json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return {}
