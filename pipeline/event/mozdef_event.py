"""From an event to the message that MozDef reads.

MozDef's worker deletes what it cannot use without a word, so the form is strict: one JSON object,
only the top-level keys that it knows, `tags` a list, times in ISO 8601 with an offset, `details`
an object (MozDef, `mq/esworker_sqs.py` and `docs/source/usage/json_format.rst`).
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson

from pipeline.aws.limits import CHARACTERS_NOT_IN_MESSAGES, MESSAGE_BYTES
from pipeline.event.events import Event, Outcome, rejected
from pipeline.event.fields import find, path_of
from pipeline.event.outcomes import Reason
from pipeline.event.times import iso_milliseconds

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pipeline.event.fields import FieldPath

_HEADER = "$header."
_EPOCH_IN_MS_FROM = 100_000_000_000


def write_message(event: Event) -> Outcome | None:
    """Write the MozDef message of an event.

    The sender's JSON is put in as it is, so its numbers, key order and escapes stay. What it shares
    with an event that it is no copy of is a tag.
    """
    settings = event.source.mozdef
    local, utc = _times(event, settings.timestamps)
    severity = settings.severity_by_type.get(event.event_type, settings.severity)
    summary = settings.summary.render(event.source.name, event.event_type, event.body)
    message = b"".join(
        (
            settings.head if event.remark is None else settings.head_with((event.remark,)),
            f',"severity":"{severity}","timestamp":"{local}","utctimestamp":"{utc}"'.encode(),
            b',"summary":',
            orjson.dumps(summary),
            b',"details":',
            _details(event, settings.details),
            b"}",
        )
    )
    # Most messages are ASCII, which is much faster to see than that two characters are not there.
    if not message.isascii() and any(refused in message for refused in CHARACTERS_NOT_IN_MESSAGES):
        message = json.dumps(json.loads(message), ensure_ascii=True).encode()
    if len(message) > MESSAGE_BYTES:
        return rejected(
            event,
            Reason.TOO_LARGE,
            f"its MozDef message has {len(message)} bytes; SQS takes {MESSAGE_BYTES}",
        )
    event.message = message
    return None


def _details(event: Event, shape: Mapping[str, str] | None) -> bytes:
    if shape is None:
        return event.body_json
    parts = []
    for key, what in shape.items():
        if what == "$body":
            value = event.body_json
        elif what == "$type":
            value = orjson.dumps(event.event_type)
        elif what == "$delivery_id":
            value = orjson.dumps(event.delivery_id)
        elif what.startswith(_HEADER):
            name = what.removeprefix(_HEADER).lower()
            value = orjson.dumps(event.envelope.headers.get(name))
        else:
            value = orjson.dumps(find(event.body, path_of(what)))
        parts.append(orjson.dumps(key) + b":" + value)
    return b"{" + b",".join(parts) + b"}"


def _times(event: Event, paths: Iterable[FieldPath]) -> tuple[str, str]:
    """Return the sender's time of an event, or that of its arrival: as it was said, and in UTC."""
    when = _event_time(event.body, paths)
    if when is None:
        utc = iso_milliseconds(event.envelope.arrived_ms / 1000)
        return utc, utc
    said = when.isoformat(timespec="milliseconds")
    if when.tzinfo is UTC:
        return said, said
    return said, when.astimezone(UTC).isoformat(timespec="milliseconds")


def _event_time(body: Any, paths: Iterable[FieldPath]) -> datetime | None:
    """Return the sender's time of an event; None where it has none that can be understood."""
    for path in paths:
        when = _read_time(find(body, path))
        if when is not None:
            return when
    return None


def _read_time(value: Any) -> datetime | None:
    try:
        if isinstance(value, str) and value.isascii() and value.isdigit():
            value = int(value)
        if isinstance(value, int | float) and not isinstance(value, bool):
            seconds = value / 1000 if value >= _EPOCH_IN_MS_FROM else value
            return datetime.fromtimestamp(seconds, UTC)
        if isinstance(value, str):
            when = datetime.fromisoformat(value)
            # An offset of hours only: 'astimezone' must not leave the years that exist.
            when = when if when.tzinfo else when.replace(tzinfo=UTC)
            return when if 1970 <= when.year < 9999 else None
    except (ValueError, OverflowError, OSError):
        return None
    return None
