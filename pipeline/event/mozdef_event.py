"""From an event to the message that MozDef reads.

MozDef's worker deletes what it cannot use without a word, so the form is strict: one JSON object,
only the top-level keys that it knows, `tags` a list, times in ISO 8601 with an offset, `details`
an object (MozDef, `mq/esworker_sqs.py` and `docs/source/usage/json_format.rst`).
"""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

import orjson

from pipeline.aws.limits import CHARACTERS_NOT_IN_MESSAGES, MESSAGE_BYTES
from pipeline.event.events import Event, Outcome, rejected
from pipeline.event.exactly import read_exactly, write_exactly
from pipeline.event.fields import find, path_of
from pipeline.event.json_text import write_json
from pipeline.event.outcomes import Reason
from pipeline.event.times import iso_milliseconds, read_time

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.event.compiled_source import MozdefSettings
    from pipeline.event.fields import FieldPath

_HEADER = "$header."
_ESCAPES = [
    (one, one.decode().encode("ascii", "backslashreplace")) for one in CHARACTERS_NOT_IN_MESSAGES
]


def write_message(event: Event) -> Outcome | None:
    """Write the MozDef message of an event.

    The sender's JSON is put in as it is, so its numbers, key order and escapes stay. What it shares
    with an event that it is no copy of is a tag.
    """
    settings = event.source.mozdef
    local, utc = _times(event, settings)
    severity = settings.severity_by_type.get(event.event_type, settings.severity)
    summary = settings.summary.render(event.source.name, event.event_type, event.body)
    message = b"".join(
        (
            settings.head if event.remark is None else settings.head_with((event.remark,)),
            f',"severity":"{severity}","timestamp":"{local}","utctimestamp":"{utc}"'.encode(),
            b',"summary":',
            write_json(summary),
            b',"details":',
            _details(event, settings.details),
            b"}",
        )
    )
    # Most messages are ASCII, which is much faster to see than that two characters are not there.
    if not message.isascii():
        for refused, escape in _ESCAPES:
            if refused in message:
                # In JSON they can stand in a text alone, so the rest stays as it was sent.
                message = message.replace(refused, escape)
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
            value = write_json(event.event_type)
        elif what == "$delivery_id":
            value = write_json(event.delivery_id)
        elif what.startswith(_HEADER):
            name = what.removeprefix(_HEADER).lower()
            value = orjson.dumps(event.envelope.headers.get(name))
        else:
            value = _value_at(event, path_of(what))
        parts.append(orjson.dumps(key) + b":" + value)
    return b"{" + b",".join(parts) + b"}"


def _value_at(event: Event, path: FieldPath) -> bytes:
    value = find(event.body, path)
    if isinstance(value, float | dict | list):
        return write_exactly(find(read_exactly(event.body_json), path)) or write_json(value)
    return write_json(value)


def _times(event: Event, settings: MozdefSettings) -> tuple[str, str]:
    """Return the sender's time of an event, or that of its arrival: as it was said, and in UTC."""
    when = None
    for path in settings.timestamps:
        value = find(event.body, path)
        when = read_time(value, settings.zone)
        if when is not None:
            break
        event.time_not_understood |= value is not None and value != ""
    if when is None:
        utc = iso_milliseconds(event.envelope.arrived_ms / 1000)
        return utc, utc
    event.time_not_understood = False
    said = when.isoformat(timespec="milliseconds")
    if when.tzinfo is UTC:
        return said, said
    return said, when.astimezone(UTC).isoformat(timespec="milliseconds")
