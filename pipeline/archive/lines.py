"""An archived event, read back from its line. Lines are not trusted: each field is checked."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import orjson

from pipeline.errors import PipelineError
from pipeline.event.envelope import Envelope, EnvelopeError, decode_envelope
from pipeline.event.events import UNKNOWN_SOURCE

_SOURCE = re.compile(r"[a-z][a-z0-9-]{0,39}")
_LONGEST_ID = 2048
_LONGEST_TEXT = 4000
_LATEST_MS = 10**14


class LineError(PipelineError):
    """A line of the archive is not what the archive's writers write."""


class ArchiveKind(StrEnum):
    """Where in the archive an event is."""

    RAW = "raw"
    REJECTED = "rejected"
    QUARANTINE = "quarantine"
    FAILED = "failed"


#: Each kind's prefix. The event source mapping chooses that of failed batches itself.
PREFIXES = {
    ArchiveKind.FAILED: "aws/lambda/",
    ArchiveKind.QUARANTINE: "quarantine/",
    ArchiveKind.RAW: "raw/",
    ArchiveKind.REJECTED: "rejected/",
}


def kind_of(key: str) -> ArchiveKind | None:
    """Tell an object's kind by its key; None for one that holds no events."""
    return next((kind for kind, prefix in PREFIXES.items() if key.startswith(prefix)), None)


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
    record : bytes
        That record.
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


def safe_source(name: str) -> str:
    """Give a source's name, or `_unknown` for what no source can be called."""
    return name if _SOURCE.fullmatch(name) else UNKNOWN_SOURCE


def read_line(kind: ArchiveKind, text: bytes) -> ArchivedEvent:
    """Read one line of `raw/`, `rejected/` or `quarantine/`.

    Parameters
    ----------
    kind : ArchiveKind
        Where it was found.
    text : bytes
        The line.

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
        id=_text(line, "id", _LONGEST_ID),
        source=safe_source(_text(line, "source", _LONGEST_ID)),
        arrived=_time(line),
        envelope=envelope,
        record=record,
        event_type=_text(line, "event_type", _LONGEST_TEXT, default=""),
        reason=_text(line, "reason", _LONGEST_TEXT, default=""),
        explanation=_text(line, "explanation", 2 * _LONGEST_TEXT, default=""),
    )


def _envelope(line: dict[str, Any]) -> tuple[Envelope | None, bytes]:
    if "record_base64" in line:
        record = _base64(line, "record_base64")
        try:
            # What was no envelope for an earlier version of the code may be one by now.
            return decode_envelope(record), record
        except EnvelopeError:
            return None, record
    if ("body" in line) == ("body_base64" in line):
        raise LineError("expected either 'body' or 'body_base64'")
    body = _text(line, "body").encode() if "body" in line else _base64(line, "body_base64")
    identifier = _text(line, "envelope_id", _LONGEST_ID)
    source = _text(line, "envelope_source", _LONGEST_ID)
    if not identifier or not source:
        raise LineError("'envelope_id' and 'envelope_source' must not be empty")
    envelope = Envelope(
        id=identifier,
        arrived_ms=_number(line, "envelope_ts", _LATEST_MS),
        source=source,
        ip=_text(line, "ip", _LONGEST_ID),
        body=body,
        key=_text(line, "key"),
        headers=_headers(line),
        replay=_text(line, "replay", _LONGEST_ID, default=""),
        replays=_number(line, "replays", 10_000, default=0),
    )
    return envelope, b""


def _text(
    line: dict[str, Any], name: str, longest: int | None = None, default: str | None = None
) -> str:
    value = line.get(name, default)
    if not isinstance(value, str):
        raise LineError(f"'{name}' is missing or is no text")
    if longest is not None and len(value) > longest:
        raise LineError(f"'{name}' has {len(value):,} characters, at most {longest:,} can be")
    return value


def _number(line: dict[str, Any], name: str, end: int, default: int | None = None) -> int:
    value = line.get(name, default)
    if type(value) is not int or not 0 <= value < end:
        raise LineError(f"'{name}' is missing or is no whole number below {end:,}")
    return value


def _base64(line: dict[str, Any], name: str) -> bytes:
    try:
        return base64.b64decode(_text(line, name), validate=True)
    except (binascii.Error, ValueError):
        raise LineError(f"'{name}' is not base64") from None


def _headers(line: dict[str, Any]) -> dict[str, str]:
    headers = line.get("headers")
    if not isinstance(headers, dict) or not all(isinstance(one, str) for one in headers.values()):
        raise LineError("'headers' is no object of text")
    return headers


def _time(line: dict[str, Any]) -> float:
    try:
        at = datetime.fromisoformat(_text(line, "arrived", 64))
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise LineError("'arrived' is no ISO 8601 time") from None
