"""What travels through the fan-out: events, and the outcome that each ends in."""

from __future__ import annotations

import traceback
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pipeline.event.outcomes import OutcomeKind, Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pipeline.event.compiled_source import CompiledSource
    from pipeline.event.envelope import Envelope


#: In the place of a name that only the sender vouches for.
UNKNOWN_SOURCE = "_unknown"


@dataclass(slots=True)
class Event:
    """One event on its way. Each step fills in what it finds.

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
    id : str
        The envelope's id, with the replay job and the place in the request where there are such;
        until the envelope was read, the place in the shard.
    """

    sequence_number: str
    shard_id: str
    arrived: float
    data: bytes
    fault: str = ""
    envelope: Envelope | None = None
    source: CompiledSource | None = None
    id: str = ""
    event_type: str = ""
    delivery_id: str = ""
    body_json: bytes = b""
    body: Any = None
    deduplication_key: str = ""
    message: bytes = b""
    queue: str = ""

    @property
    def known_envelope(self) -> Envelope:
        """The envelope, in the steps after it was parsed."""
        if self.envelope is None:
            raise AssertionError("this step needs a parsed envelope")
        return self.envelope

    @property
    def known_source(self) -> CompiledSource:
        """The source, in the steps after it was found."""
        if self.source is None:
            raise AssertionError("this step needs a known source")
        return self.source

    @property
    def source_name(self) -> str:
        """The source's name, or `_unknown`: never a name that only the sender vouches for."""
        return self.source.name if self.source else UNKNOWN_SOURCE


@dataclass(slots=True)
class Outcome:
    """How one event ended."""

    event: Event
    kind: OutcomeKind
    reason: Reason | None = None
    explanation: str = ""


@dataclass(slots=True)
class Outcomes:
    """The outcomes of a batch, gathered step by step."""

    all: list[Outcome] = field(default_factory=list)

    def each(self, events: Iterable[Event], work: Callable[[Event], Outcome | None]) -> list[Event]:
        """Do one step's work on each event; give those that go on.

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


def rejected(event: Event, reason: Reason, explanation: str) -> Outcome:
    """Say that it can never be delivered as it is."""
    return Outcome(event, OutcomeKind.REJECTED, reason, explanation[:4000])


def unsettled(event: Event, explanation: str) -> Outcome:
    """Say that a service was throttled or out of reach: the mapping must deliver it again."""
    return Outcome(event, OutcomeKind.UNSETTLED, explanation=explanation[:4000])
