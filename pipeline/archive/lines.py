"""Lines of `raw/`, `rejected/` and `quarantine/`: how they are written and read."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
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
from pipeline.event.events import UNKNOWN_SOURCE
from pipeline.event.times import iso_milliseconds

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.archive.keys import ArchiveKind
    from pipeline.event.events import Event, Outcome, Record

_SOURCE = re.compile(r"[a-z][a-z0-9-]{0,39}")
_LONGEST_TEXT = 4000
_LATEST_MS = 10**14


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
    line: dict[str, Any] = {
        "id": event.id,
        "source": event.source_name,
        "event_type": event.event_type,
        "shard_id": event.shard_id,
        "sequence_number": event.sequence_number,
        "arrived": iso_milliseconds(event.arrived),
    }
    if event.envelope is None:
        line["record_base64"] = base64.b64encode(event.data).decode()
        return line
    envelope = event.envelope
    line |= {
        "envelope_id": envelope.id,
        "envelope_source": envelope.source,
        "envelope_ts": envelope.arrived_ms,
        "key": envelope.key,
        "ip": envelope.ip,
        "headers": dict(envelope.headers),
        "replay": envelope.replay,
        "replays": envelope.replays,
    }
    try:
        line["body"] = envelope.body.decode()
    except UnicodeDecodeError:
        line["body_base64"] = base64.b64encode(envelope.body).decode()
    return line


def describe_rejection(outcome: Outcome) -> dict[str, Any]:
    """Return the line of a rejected event: why, and all that is needed to send it again."""
    return {
        "reason": outcome.reason,
        "explanation": outcome.explanation,
        **describe(outcome.event),
    }


def safe_source(name: str) -> str:
    """Return a source's name, or `_unknown` for what no source can be called."""
    return name if _SOURCE.fullmatch(name) else UNKNOWN_SOURCE


def read_line(kind: ArchiveKind, text: bytes) -> ArchivedEvent:
    """Read one line of `raw/`, `rejected/` or `quarantine/`.

    Raises
    ------
    LineError
        When it is no such line.
    """
    try:
        line = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise LineError(f"not JSON: {error}") from None
    if not isinstance(line, dict):
        raise LineError(f"a JSON object was expected, not {type(line).__name__}")
    envelope, record = _envelope(line)
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
    if ("body" in line) == ("body_base64" in line):
        raise LineError("expected either 'body' or 'body_base64'")
    body = text_of(line, "body").encode() if "body" in line else base64_of(line, "body_base64")
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
    )
    return envelope, b""
