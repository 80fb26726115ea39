"""Makes the events of a request that carries many, in bounded work and memory."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING

from pipeline.event.elements import ElementsError, find_list, frame_around, spans_of
from pipeline.event.event_id import element_id
from pipeline.event.events import Event, Outcome, rejected, unsettled
from pipeline.event.fields import find, path_text
from pipeline.event.identity import fingerprint_of
from pipeline.event.json_text import NoJsonError, TooDeepError, as_utf8, read_json
from pipeline.event.outcomes import Reason
from pipeline.event.parsing import read_event
from pipeline.event.ranges import read_ranges

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pipeline.event.events import Outcomes

#: So many events are made in one invocation: each costs some kilobytes until the batch is settled.
#: Requests after them are delivered again, as a batch of their own.
MOST_AT_ONCE = 10_000


def split(events: Iterable[Event], outcomes: Outcomes) -> list[Event]:
    """Make one event of each element, where a request carries many events.

    An element that is no JSON is an event of its own that is rejected; the others go on.
    """
    work = _Splitting(outcomes)
    outcomes.each(events, work.split)
    return work.result


@dataclass
class _Splitting:
    outcomes: Outcomes
    result: list[Event] = field(default_factory=list)
    #: How many were made, and of which record of the stream the last ones are.
    made: int = 0
    record: str = ""

    def split(self, event: Event) -> Outcome | None:
        """Take one request apart; None where its events go on."""
        if self.made >= MOST_AT_ONCE and (ending := self._too_much(event)) is not None:
            return ending
        self.record = event.sequence_number
        path = event.list_path
        if path is None:
            self.made += 1
            self.result.append(event)
            return None
        try:
            texts = _texts_in(event, path)
        except TooDeepError as error:
            return rejected(event, Reason.TOO_DEEP, str(error))
        except (ElementsError, NoJsonError) as error:
            return rejected(event, Reason.INVALID_JSON, str(error))
        if isinstance(texts, Outcome):
            return texts
        # Made in full before any is taken: a fault in one must not leave half of them behind.
        parts = _parts(event, texts)
        self.made += len(parts)
        self.outcomes.parts[event.place] = len(parts)
        if event.envelope.only:
            self.outcomes.chosen[event.place] = [number for number, _ in parts]
        self.result.extend(self.outcomes.each([part for _, part in parts], read_event))
        return None

    def _too_much(self, event: Event) -> Outcome | None:
        if event.sequence_number != self.record:
            return unsettled(event, f"{self.made:,} events came before it; it is delivered again")
        if event.list_path is None:
            return None
        # An aggregate is delivered again in full, and would be too much again.
        explanation = (
            f"the record of the stream that it is in has more than {MOST_AT_ONCE:,} events"
        )
        return rejected(event, Reason.TOO_MANY_EVENTS, explanation)


def _texts_in(event: Event, path: tuple[str, ...]) -> list[bytes] | Outcome:
    text, most = as_utf8(event.body_json), event.source.split_most
    at = find_list(text, path)
    spans = [] if at is None else list(islice(spans_of(text, at), most + 1))
    if len(spans) > most:
        explanation = f"more than {most:,} events in one request ('most' of the source's 'split')"
        return rejected(event, Reason.TOO_MANY_EVENTS, explanation)
    if at is None or not spans:
        _, frame = read_json(text)
    else:
        _, frame = read_json(frame_around(text, at, spans[-1][1]))
    if not spans or not isinstance(find(frame, path), list):
        where = "the body" if path == () else path_text(path)
        return rejected(event, Reason.SCHEMA_VIOLATION, f"{where}: no list with events")
    return [text[start:stop] for start, stop in spans]


def _parts(event: Event, texts: Sequence[bytes]) -> list[tuple[int, Event]]:
    """Return the events with their numbers; of a replay, those that it wants."""
    seen: dict[bytes, int] = {}
    request = fingerprint_of(event) if event.source.id_is_unsigned else ""
    only = event.envelope.only
    wanted = read_ranges(only, len(texts)) if only else range(len(texts))
    if not wanted:
        raise ElementsError(f"the request has {len(texts):,} events, and none of {only[:60]!r}")
    chosen = set(wanted)
    parts = []
    for number, text in enumerate(texts):
        # A request that lists the same twice means two events.
        twin = seen[text] = seen.get(text, -1) + 1
        if number not in chosen:
            continue
        part = replace(event, id=element_id(event.id, number), body_json=text)
        part.place, part.twin, part.fingerprint = f"{event.place}#{number}", twin, request
        part.elements = len(chosen)
        parts.append((number, part))
    return parts
