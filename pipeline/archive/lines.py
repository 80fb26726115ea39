"""Lines of `raw/`, `rejected/` and `quarantine/`: how they are written and read."""

from __future__ import annotations

import base64
import re
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from pipeline.archive.line_fields import (
    LONGEST_ID,
    LineError,
    arrived_of,
    base64_of,
    headers_of,
    number_of,
    sequence_of,
    text_of,
)
from pipeline.event.envelope import Envelope, EnvelopeError, decode_envelope
from pipeline.event.event_id import EventId, element_id, request_of
from pipeline.event.events import UNKNOWN_SOURCE, Record
from pipeline.event.ranges import are_ranges
from pipeline.event.times import iso_milliseconds

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.archive.keys import ArchiveKind
    from pipeline.event.events import Event, Outcome

_SOURCE = re.compile(r"[a-z][a-z0-9-]{0,39}")
_LONGEST_TEXT = 4000
_LATEST_MS = 10**14
_MOST_ELEMENTS = 10**8
_LARGE_BODY = 64 * 1024
_CONTROLS = bytes(range(32))


class LineKind(StrEnum):
    """What a line is, where it is not an event with its request."""

    #: A request as it came; lines of its elements come after it.
    REQUEST = "request"
    #: One event of the request before it.
    ELEMENT = "element"


_REQUEST_STARTS = b'{"kind":"request"'


@dataclass(slots=True)
class ArchivedEvent:
    """One line of the archive.

    Parameters
    ----------
    kind : ArchiveKind
        Where it was found.
    id : str
        The event's id, with the replay job and the place in its request where there are such.
    source : str
        The source that the archive's writer found, or `_unknown`.
    arrived : float
        When it reached the stream, in epoch seconds.
    envelope : Envelope | None
        None where the record was no envelope, so that it cannot be replayed.
    event_type, reason, explanation : str
        Empty where the line has none.
    element : bytes
        The event itself, where it is one of many in the envelope's body; else empty.
    numbers : tuple[int, ...]
        Its number in the request then, from 0; empty for a request as a whole.
    """

    kind: ArchiveKind
    id: str
    source: str
    arrived: float
    envelope: Envelope | None
    record: bytes = b""
    event_type: str = ""
    reason: str = ""
    explanation: str = ""
    element: bytes = b""
    numbers: tuple[int, ...] = ()

    @property
    def body(self) -> bytes:
        """The event's bytes; those of its whole request where that was not taken apart."""
        if self.numbers or self.envelope is None:
            return self.element
        return self.envelope.body

    @property
    def claimed_source(self) -> str:
        """The source that the request named, where the archive's writer did not know it."""
        return self.envelope.source if self.envelope else self.source


class Received(NamedTuple):
    """What an audit reads of a line of `raw/`. `arrived` is in epoch seconds."""

    sequence: int
    id: str
    source: str
    arrived: float
    key: str


def describe(event: Record | Event) -> dict[str, Any]:
    """Return the line of an event: where it was on the stream, and the envelope in full."""
    line = _place(event)
    if event.envelope is None:
        line["record_base64"] = base64.b64encode(event.data).decode()
        return line
    return line | _describe_envelope(event.envelope)


def _place(event: Record | Event) -> dict[str, Any]:
    return {
        "id": event.id,
        "source": event.source_name,
        "event_type": event.event_type,
        "shard_id": event.shard_id,
        "sequence_number": event.sequence_number,
        "arrived": iso_milliseconds(event.arrived),
    }


def _describe_envelope(envelope: Envelope) -> dict[str, Any]:
    line = {
        "envelope_id": envelope.id,
        "envelope_source": envelope.source,
        "envelope_ts": envelope.arrived_ms,
        "key": envelope.key,
        "ip": envelope.ip,
        "headers": dict(envelope.headers),
        "replay": envelope.replay,
        "replays": envelope.replays,
        **_describe_body(envelope.body),
    }
    if envelope.only:
        line["only"] = envelope.only
    return line


def _describe_body(body: bytes) -> dict[str, str]:
    try:
        text = body.decode()
    except UnicodeDecodeError:
        text = None
    # JSON writes a control character in six bytes: a large body of them would be no line.
    if text is None or (len(body) > _LARGE_BODY and _mostly_controls(body)):
        return {"body_base64": base64.b64encode(body).decode()}
    return {"body": text}


def _mostly_controls(body: bytes) -> bool:
    return len(body) - len(body.translate(None, _CONTROLS)) > len(body) // 8


def describe_rejection(outcome: Outcome) -> dict[str, Any]:
    """Return the line of a rejected event: why, and all that is needed to send it again.

    One of many events in a request is by itself in its line; the request's line has the rest.
    """
    why = {"reason": outcome.reason, "explanation": outcome.explanation}
    event = outcome.event
    if isinstance(event, Record) or not event.elements:
        return {**why, **describe(event)}
    number = EventId.parse(event.id).element
    return {
        "kind": LineKind.ELEMENT,
        **why,
        **_place(event),
        "element": number,
        **_describe_body(event.body_json),
    }


def describe_request(event: Event) -> dict[str, Any]:
    """Return the line of a request whose elements have lines of their own, which come after it."""
    line = {"kind": LineKind.REQUEST, **describe(event)}
    return line | {"id": request_of(event.id), "event_type": ""}


def safe_source(name: str) -> str:
    """Return a source's name, or `_unknown` for what no source can be called."""
    return name if _SOURCE.fullmatch(name) else UNKNOWN_SOURCE


class LineReader:
    """Reads the lines of one object of `raw/`, `rejected/` or `quarantine/`, in their order."""

    def __init__(self, kind: ArchiveKind) -> None:
        self._kind = kind
        self._request: tuple[str, Envelope] | None = None

    def read(self, text: bytes) -> ArchivedEvent | None:
        """Read a line; None for that of a request whose elements follow.

        Raises
        ------
        LineError
            When it is no such line, or an element without its request.
        """
        line = _load(text)
        kind = line.get("kind")
        if kind == LineKind.REQUEST:
            self._request = self._read_request(line)
            return None
        if kind == LineKind.ELEMENT:
            return self._read_element(line)
        envelope, record = _envelope(line)
        return _event(self._kind, line, envelope, record)

    def skip(self, text: bytes) -> None:
        """Pass over a line, of which a later one may be an element."""
        if text.startswith(_REQUEST_STARTS):
            with suppress(LineError):
                self.read(text)

    def _read_request(self, line: dict[str, Any]) -> tuple[str, Envelope]:
        self._request = None
        envelope, _ = _envelope(line)
        if envelope is None:
            raise LineError("a request without an envelope")
        return text_of(line, "id", LONGEST_ID), envelope

    def _read_element(self, line: dict[str, Any]) -> ArchivedEvent:
        number = number_of(line, "element", _MOST_ELEMENTS)
        identifier = text_of(line, "id", LONGEST_ID)
        if self._request is None or identifier != element_id(self._request[0], number):
            raise LineError("an element whose request is not in the lines before it")
        envelope = self._request[1]
        event = _event(self._kind, line, envelope, b"")
        event.element, event.numbers = _body_of(line), (number,)
        return event


def read_line(kind: ArchiveKind, text: bytes) -> ArchivedEvent:
    """Read one line by itself.

    Raises
    ------
    LineError
        When it is no line that holds an event and its request.
    """
    event = LineReader(kind).read(text)
    if event is None:
        raise LineError("a request whose events have lines of their own")
    return event


def _load(text: bytes) -> dict[str, Any]:
    try:
        line = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise LineError(f"not JSON: {error}") from None
    if not isinstance(line, dict):
        raise LineError(f"a JSON object was expected, not {type(line).__name__}")
    return line


def _event(
    kind: ArchiveKind, line: dict[str, Any], envelope: Envelope | None, record: bytes
) -> ArchivedEvent:
    return ArchivedEvent(
        kind=kind,
        id=text_of(line, "id", LONGEST_ID),
        source=safe_source(text_of(line, "source", LONGEST_ID)),
        arrived=arrived_of(line),
        envelope=envelope,
        record=record,
        event_type=text_of(line, "event_type", _LONGEST_TEXT, default=""),
        reason=text_of(line, "reason", _LONGEST_TEXT, default=""),
        explanation=text_of(line, "explanation", 2 * _LONGEST_TEXT, default=""),
    )


def read_received(line: Mapping[str, Any], key: str) -> Received:
    """Read where the event of a parsed line was on the stream, and leave the envelope alone.

    Raises
    ------
    LineError
        When it is no such line.
    """
    return Received(
        sequence_of(line), text_of(line, "id"), text_of(line, "source"), arrived_of(line), key
    )


def _envelope(line: dict[str, Any]) -> tuple[Envelope | None, bytes]:
    if "record_base64" in line:
        record = base64_of(line, "record_base64")
        try:
            # What was no envelope for an earlier version of the code may be one by now.
            return decode_envelope(record), record
        except EnvelopeError:
            return None, record
    body = _body_of(line)
    identifier = text_of(line, "envelope_id", LONGEST_ID)
    source = text_of(line, "envelope_source", LONGEST_ID)
    if not identifier or not source:
        raise LineError("'envelope_id' and 'envelope_source' must not be empty")
    envelope = Envelope(
        id=identifier,
        arrived_ms=number_of(line, "envelope_ts", _LATEST_MS),
        source=source,
        ip=text_of(line, "ip", LONGEST_ID),
        body=body,
        key=text_of(line, "key"),
        headers=headers_of(line),
        replay=text_of(line, "replay", LONGEST_ID, default=""),
        replays=number_of(line, "replays", 10_000, default=0),
        only=_only_of(line),
    )
    return envelope, b""


def _only_of(line: dict[str, Any]) -> str:
    only = text_of(line, "only", default="")
    if only and not are_ranges(only):
        raise LineError("'only' does not say which events of the request")
    return only


def _body_of(line: dict[str, Any]) -> bytes:
    if ("body" in line) == ("body_base64" in line):
        raise LineError("expected either 'body' or 'body_base64'")
    return text_of(line, "body").encode() if "body" in line else base64_of(line, "body_base64")
