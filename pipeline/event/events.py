"""What travels through the fan-out: records, the events in them, and the outcome of each."""

from __future__ import annotations

import traceback
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from pipeline.event.compiled_poll import BEYOND
from pipeline.event.event_id import request_id
from pipeline.event.json_text import parse_json, printable_text
from pipeline.event.outcomes import OutcomeKind, Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pipeline.event.compiled_source import CompiledSource
    from pipeline.event.envelope import Envelope
    from pipeline.event.fields import FieldPath
    from pipeline.event.identity import Identity


#: In characters: of one event, of all events of a request together, and what each has in any case.
LONGEST_EXPLANATION, EXPLANATIONS_OF_REQUEST, SHORTEST_EXPLANATION = 4_000, 400_000, 100
#: In the place of a name that only the sender vouches for.
UNKNOWN_SOURCE = "_unknown"


_LATER = object()
#: An empty list or object takes 64 bytes and an object of one member 232, where its text has two or
#: five. A webhook has one in fifty bytes or more; one with more than this is not kept parsed.
_DENSE_BYTES, _FEW_CONTAINERS = 16, 64


@dataclass(slots=True)
class Record:
    """A user record as it was read from the stream; nothing is known of what it holds.

    Parameters
    ----------
    sequence_number : str
        Of the *outer* record: the one by which the event source mapping knows it.
    shard_id : str
        The shard that the record came from.
    arrived : float
        When the record reached the stream, in epoch seconds.
    data : bytes
        The user record as it was on the stream.
    fault : str
        What was wrong with the record itself; empty for a sound one.
    place : str
        Where it is on the stream, which no other has: the sequence number of the outer record,
        and `.<number>` from the second user record on.
    envelope : Envelope | None
        What it holds, where its source is none of this deployment's.
    """

    sequence_number: str
    shard_id: str
    arrived: float
    data: bytes
    fault: str = ""
    place: str = ""
    envelope: Envelope | None = None
    #: As of an event: a source that only the sender vouches for is none.
    source_name: ClassVar[str] = UNKNOWN_SOURCE
    event_type: ClassVar[str] = ""
    elements: ClassVar[int] = 0
    time_not_understood: ClassVar[bool] = False

    @property
    def id(self) -> str:
        """As an event's; without an envelope the place in the shard stands for it."""
        if self.envelope is None:
            number = "" if "." in self.place else ".0"
            return f"{self.shard_id}:{self.place}{number}"
        return request_id(self.envelope.id, self.envelope.replay)


@dataclass(slots=True)
class Event:
    """One event of a known source on its way. Each step fills in what it finds.

    Parameters
    ----------
    envelope : Envelope
        The request that it came in.
    id : str
        The envelope's id, with the replay job and the place in the request where there are such.
    place : str
        As a record's, with `#<number>` where it is one of many in a request.
    strict : bool
        Whether its body is JSON by the standard, and has no number beyond a double.
    containers : int
        As many brackets as open an object or a list in its JSON, those in texts as well.
    deduplication_key : str
        What copies of it share.
    body_key : str
        What copies of its body share, where the sender signs neither id nor type; else empty.
    fingerprint : str
        Of its body: another body has another one. Of the request's, until it is identified.
    elements : int
        How many events its request carries; 0 where it is the request's one.
    twin : int
        How many of those before it have the same bytes.
    remembered_seconds : int
        How long an equal event is a copy of it.
    remark : Reason | None
        What its outcome says beside `delivered`.
    """

    sequence_number: str
    shard_id: str
    arrived: float
    envelope: Envelope
    source: CompiledSource
    id: str
    place: str
    event_type: str = ""
    identity: Identity | None = None
    body_json: bytes = b""
    parsed: Any = None
    strict: bool = True
    containers: int = 0
    deduplication_key: str = ""
    body_key: str = ""
    fingerprint: str = ""
    elements: int = 0
    twin: int = 0
    remembered_seconds: int = 0
    message: bytes = b""
    queue: str = ""
    #: Whether there was something where the source has its time, and none could be read.
    time_not_understood: bool = False
    remark: Reason | None = None
    remark_explanation: str = ""

    @property
    def body(self) -> Any:
        """Its JSON, parsed; where that takes far more memory than its text, anew each time."""
        return parse_json(self.body_json)[1] if self.parsed is _LATER else self.parsed

    @property
    def delivery_id(self) -> str:
        """The sender's own id of it, as a person reads it; empty where there is none."""
        return "" if self.identity is None else self.identity.text

    @property
    def list_path(self) -> FieldPath | None:
        """Where the list of its events is; None where it is one event itself."""
        if self.source.poll is not None and BEYOND in self.envelope.id:
            return ()
        return self.source.split

    def take_body(self, text: bytes, value: Any, containers: int) -> None:
        """Take its JSON, and what that holds; `containers_in` the text says how dense it is."""
        dense = containers > _FEW_CONTAINERS and containers * _DENSE_BYTES > len(text)
        self.body_json, self.parsed = text, _LATER if dense else value
        self.containers = containers

    @property
    def keys(self) -> tuple[str, ...]:
        """What the deduplication table may know it by: first its id, then its body."""
        if self.body_key:
            return (self.deduplication_key, self.body_key)
        return (self.deduplication_key,)

    @property
    def source_name(self) -> str:
        """The source's name."""
        return self.source.name


@dataclass(slots=True)
class Outcome:
    """How one event ended, or a record that is none: both have place, id and source's name."""

    event: Record | Event
    kind: OutcomeKind
    reason: Reason | None = None
    explanation: str = ""


@dataclass(slots=True)
class Outcomes:
    """The outcomes of a batch, gathered step by step.

    Parameters
    ----------
    parts : dict[str, int]
        How many events were made of one, by its place on the stream.
    chosen : dict[str, list[int]]
        Their numbers, where a replay wanted some only; else they count from 0.
    """

    all: list[Outcome] = field(default_factory=list)
    parts: dict[str, int] = field(default_factory=dict)
    chosen: dict[str, list[int]] = field(default_factory=dict)

    def open(
        self, records: Iterable[Record], work: Callable[[Record], Event | Outcome]
    ) -> list[Event]:
        """Make events of records; return those that go on.

        A bug that meets one record is that record's `processing_error`, and no one else's.
        """
        events = []
        for record in records:
            try:
                found = work(record)
            except Exception:  # noqa: BLE001 - one record must not take its batch with it
                found = rejected(record, Reason.PROCESSING_ERROR, _last_frames(record))
            if isinstance(found, Event):
                events.append(found)
            else:
                self.all.append(found)
        return events

    def each(self, events: Iterable[Event], work: Callable[[Event], Outcome | None]) -> list[Event]:
        """Do one step's work on each event; return those that go on.

        A bug that meets one event is that event's `processing_error`, and no one else's.
        """
        going_on = []
        for event in events:
            try:
                outcome = work(event)
            except Exception:  # noqa: BLE001 - one event must not take its batch with it
                outcome = rejected(event, Reason.PROCESSING_ERROR, _last_frames(event))
            if outcome is None:
                going_on.append(event)
            else:
                self.all.append(outcome)
        return going_on

    def add(self, outcomes: Iterable[Outcome]) -> None:
        """Take further outcomes."""
        self.all.extend(outcomes)


def _last_frames(event: Record | Event) -> str:
    """Return what went wrong, for a list has but the beginning, and then where."""
    longest = _longest_explanation(event)
    where, _, what = traceback.format_exc(limit=-8).rstrip().rpartition("\n")
    what = what[: max(longest // 2, longest - len(where) - 1)]
    return f"{what}\n{where[-(longest - len(what) - 1) :]}"


def _longest_explanation(event: Record | Event) -> int:
    """Return how many characters it may have: those of a request's events share a bound."""
    if not event.elements:
        return LONGEST_EXPLANATION
    fair = EXPLANATIONS_OF_REQUEST // event.elements
    return max(SHORTEST_EXPLANATION, min(fair, LONGEST_EXPLANATION))


def delivered(event: Event) -> Outcome:
    """Say that SQS took it, and the deduplication table remembers it."""
    return Outcome(event, OutcomeKind.DELIVERED, event.remark, event.remark_explanation)


def duplicate(event: Event, explanation: str, reason: Reason | None = None) -> Outcome:
    """Say that the same was delivered before."""
    return Outcome(event, OutcomeKind.DUPLICATE, reason, explanation)


def ignored(event: Event, explanation: str = "") -> Outcome:
    """Say that its source names its type, or what the explanation tells, as not forwarded."""
    explanation = explanation or f"type {event.event_type[:60]!r} is ignored"
    return Outcome(event, OutcomeKind.IGNORED, explanation=printable_text(explanation))


def rejected(event: Record | Event, reason: Reason, explanation: str) -> Outcome:
    """Say that it can never be delivered as it is."""
    return Outcome(
        event,
        OutcomeKind.REJECTED,
        reason,
        printable_text(explanation[: _longest_explanation(event)]),
    )


def unsettled(event: Record | Event, explanation: str) -> Outcome:
    """Say that a service was throttled or out of reach: the mapping must deliver it again."""
    return Outcome(event, OutcomeKind.UNSETTLED, explanation=explanation[:4000])
