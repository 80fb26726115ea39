"""What travels through the fan-out: records, the events in them, and the outcome of each."""

from __future__ import annotations

import traceback
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from pipeline.event.event_id import request_id
from pipeline.event.outcomes import OutcomeKind, Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pipeline.event.compiled_source import CompiledSource
    from pipeline.event.envelope import Envelope


#: In the place of a name that only the sender vouches for.
UNKNOWN_SOURCE = "_unknown"


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
    number : int
        Its place in the outer record, from 0.
    envelope : Envelope | None
        What it holds, where its source is none of this deployment's.
    """

    sequence_number: str
    shard_id: str
    arrived: float
    data: bytes
    fault: str = ""
    number: int = 0
    envelope: Envelope | None = None
    #: As of an event: a source that only the sender vouches for is none.
    source_name: ClassVar[str] = UNKNOWN_SOURCE
    event_type: ClassVar[str] = ""

    @property
    def id(self) -> str:
        """As an event's; without an envelope the place in the shard stands for it."""
        if self.envelope is None:
            return f"{self.shard_id}:{self.sequence_number}.{self.number}"
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
    """

    sequence_number: str
    shard_id: str
    arrived: float
    envelope: Envelope
    source: CompiledSource
    id: str
    event_type: str = ""
    delivery_id: str = ""
    body_json: bytes = b""
    body: Any = None
    deduplication_key: str = ""
    message: bytes = b""
    queue: str = ""

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
    """The outcomes of a batch, gathered step by step."""

    all: list[Outcome] = field(default_factory=list)

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
                found = rejected(record, Reason.PROCESSING_ERROR, _last_frames())
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
                outcome = rejected(event, Reason.PROCESSING_ERROR, _last_frames())
            if outcome is None:
                going_on.append(event)
            else:
                self.all.append(outcome)
        return going_on

    def add(self, outcomes: Iterable[Outcome]) -> None:
        """Take further outcomes."""
        self.all.extend(outcomes)


def _last_frames() -> str:
    return traceback.format_exc(limit=-8)[-4000:]


def delivered(event: Event) -> Outcome:
    """Say that SQS took it, and the deduplication table remembers it."""
    return Outcome(event, OutcomeKind.DELIVERED)


def duplicate(event: Event, explanation: str) -> Outcome:
    """Say that the same was delivered before."""
    return Outcome(event, OutcomeKind.DUPLICATE, explanation=explanation)


def ignored(event: Event) -> Outcome:
    """Say that its source names its type as one that is not forwarded."""
    return Outcome(
        event, OutcomeKind.IGNORED, explanation=f"type {event.event_type[:60]!r} is ignored"
    )


def rejected(event: Record | Event, reason: Reason, explanation: str) -> Outcome:
    """Say that it can never be delivered as it is."""
    return Outcome(event, OutcomeKind.REJECTED, reason, explanation[:4000])


def unsettled(event: Record | Event, explanation: str) -> Outcome:
    """Say that a service was throttled or out of reach: the mapping must deliver it again."""
    return Outcome(event, OutcomeKind.UNSETTLED, explanation=explanation[:4000])
