"""From an event to the message that MozDef reads.

MozDef's worker deletes what it cannot use without a word, so the form is strict: one JSON object,
only the top-level keys that it knows, `tags` a list, times in ISO 8601 with an offset, `details`
an object (MozDef, `mq/esworker_sqs.py` and `docs/source/usage/json_format.rst`).
"""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Any

import orjson

from pipeline.aws.limits import CHARACTERS_NOT_IN_MESSAGES, MESSAGE_BYTES
from pipeline.event.detail_fields import with_fields
from pipeline.event.elements import top_names
from pipeline.event.events import Event, Outcome, rejected
from pipeline.event.exactly import read_exactly, write_exactly
from pipeline.event.fields import find, path_of
from pipeline.event.index_limits import fitting, with_short_texts
from pipeline.event.json_text import read_json, write_json
from pipeline.event.outcomes import Reason
from pipeline.event.own_kinds import renamed
from pipeline.event.times import iso_milliseconds, read_time, seconds_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pipeline.event.compiled_source import MozdefSettings, PluginForm
    from pipeline.event.fields import FieldPath

_HEADER = "$header."
_NO_FIELDS: Mapping[str, Any] = {}
_ESCAPES = [
    (one, one.decode().encode("ascii", "backslashreplace")) for one in CHARACTERS_NOT_IN_MESSAGES
]


def write_message(event: Event) -> Outcome | None:
    """Write the MozDef message of an event.

    The sender's JSON is put in as it is, but for what the source's rules and the limits of MozDef's
    index name, so its numbers, key order and escapes stay. What it shares with an event that it is
    no copy of is a tag.
    """
    settings = event.source.mozdef
    plugin = settings.plugin
    if plugin is not None and event.event_type not in plugin.types:
        plugin = None
    body = event.body  # once: of some events it is parsed anew at each look
    category, severity = _judged(event.event_type, body, settings)
    fields = settings.fields.values(event.event_type, body) if settings.fields else _NO_FIELDS
    summary = settings.summary.render(event.source.name, event.event_type, body, fields)
    local, utc = _times(event, body, settings)
    own = {
        "severity": severity,
        "timestamp": local,
        "utctimestamp": utc,
        "category": category,
        "summary": summary,
    }
    message = b"".join(
        (
            _head(event, settings, plugin),
            b",",
            write_json(own)[1:-1],
            b',"details":',
            *_details(event, body, fields, plugin),
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


def _judged(event_type: str, body: Any, settings: MozdefSettings) -> tuple[str, str]:
    category = severity = None
    if settings.by_value is not None:
        category, severity = settings.by_value.judge(event_type, body)
    category = category or settings.category_by_type.get(event_type) or settings.category
    severity = severity or settings.severity_by_type.get(event_type) or settings.severity
    return category, severity


def _head(event: Event, settings: MozdefSettings, plugin: PluginForm | None) -> bytes:
    if event.remark is not None:
        return settings.head_with((*(plugin or settings).tags, event.remark))
    return settings.head if plugin is None else settings.plugin_head


def _details(
    event: Event, body: Any, fields: Mapping[str, Any], plugin: PluginForm | None
) -> Iterator[bytes | memoryview]:
    """Return `details` in pieces: the fields that MozDef documents, then what the sender sent."""
    settings = event.source.mozdef
    shape = settings.details if plugin is None else plugin.details
    text = event.body_json
    if settings.body_at_top:
        text = renamed(text, body, event.source.name, event.source.neighbours)
        if text is not event.body_json:
            body = read_json(text)[1]
    left = body
    if plugin is None and settings.rules is not None:
        text, left = settings.rules.applied(text, body), settings.rules.left(body)
    if shape is not None and plugin is None:
        return _of_shape(event, body, fields, text, shape)
    if plugin is None or not event.strict:
        text = fitting(text, left, strict=event.strict, containers=event.containers)
    else:
        # The plugin takes a few of its values, and what it leaves has no name in the index.
        text = with_short_texts(text)
    if shape is not None:
        # A plugin makes `details` of its own: of what it does not ask for, nothing would be left.
        return iter((_shaped(event, body, text, shape),))
    if settings.body_at_top:
        # The sender's own key of such a name is in the same place, and stays: none is there twice.
        names = body if text is event.body_json else top_names(text)
        fields = {name: value for name, value in fields.items() if name not in names}
        return with_fields(fields, text, bool(names))
    return _under(event.source.own_key, {**_of_headers(event), **fields}, text)


def _of_shape(
    event: Event, body: Any, fields: Mapping[str, Any], text: bytes, shape: Mapping[str, str]
) -> Iterator[bytes | memoryview]:
    """Return details of the source's own shape, of what the rules have left of the body."""
    if text is not event.body_json:
        body = read_json(text)[1]
    made = _shaped(event, body, text, shape)
    made = fitting(made, read_json(made)[1], strict=event.strict)
    beside = {name: value for name, value in fields.items() if name not in shape}
    return with_fields(beside, made, bool(shape))


def _of_headers(event: Event) -> dict[str, Any]:
    """Return what only headers say of an event, and its body does not: its type and its id.

    By the names that MozDef's GitHub plugin has for them.
    """
    source, found = event.source, dict[str, Any]()
    if source.event_type_header and event.event_type:
        found["event"] = event.event_type
    if source.delivery_id_header and (delivery_id := event.delivery_id):
        found["request_id"] = delivery_id
    return found


def _under(own_key: bytes, fields: Mapping[str, Any], text: bytes) -> Iterator[bytes]:
    if fields:
        yield write_json(fields)[:-1]
        yield b","
    else:
        yield b"{"
    yield own_key
    yield text
    yield b"}"


def _shaped(event: Event, body: Any, text: bytes, shape: Mapping[str, str]) -> bytes:
    parts = []
    for key, what in shape.items():
        if what == "$body":
            value = text
        elif what == "$type":
            value = write_json(event.event_type)
        elif what == "$delivery_id":
            value = write_json(event.delivery_id)
        elif what.startswith(_HEADER):
            name = what.removeprefix(_HEADER).lower()
            value = orjson.dumps(event.envelope.headers.get(name))
        else:
            value = _value_at(text, body, path_of(what))
        parts.append(orjson.dumps(key) + b":" + value)
    return b"{" + b",".join(parts) + b"}"


def _value_at(text: bytes, body: Any, path: FieldPath) -> bytes:
    value = find(body, path)
    if isinstance(value, float | dict | list):
        return write_exactly(find(read_exactly(text), path)) or write_json(value)
    return write_json(value)


def _times(event: Event, body: Any, settings: MozdefSettings) -> tuple[str, str]:
    """Return the sender's time of an event, or that of its arrival: as it was said, and in UTC."""
    when = None
    for path in settings.timestamps:
        value = find(body, path)
        if type(value) is int and (seconds := seconds_of(value)) is not None:
            event.time_not_understood = False
            utc = iso_milliseconds(seconds)
            return utc, utc
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
