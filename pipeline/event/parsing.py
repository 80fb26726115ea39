"""From a verified body to the events in it."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import orjson

from pipeline.errors import PipelineError
from pipeline.event.envelope import EnvelopeError, decode_envelope
from pipeline.event.event_id import EventId, element_id, request_id
from pipeline.event.events import Event, Outcome, ignored, rejected
from pipeline.event.fields import as_text, find
from pipeline.event.outcomes import Reason

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pipeline.event.compiled_source import Catalog, CompiledSource
    from pipeline.event.events import Outcomes, Record

_FORM = "application/x-www-form-urlencoded"
#: A delivery id with more characters is hashed.
LONGEST_KEY = 256


class BodyError(PipelineError):
    """There is no JSON in a body."""


def open_record(record: Record, catalog: Catalog) -> Event | Outcome:
    """Make an event of a record: read its envelope, and find the source that it came to."""
    if record.fault:
        return rejected(record, Reason.MALFORMED_ENVELOPE, record.fault)
    try:
        envelope = decode_envelope(record.data)
    except EnvelopeError as error:
        return rejected(record, Reason.MALFORMED_ENVELOPE, str(error))
    source = catalog.get(envelope.source)
    if source is None:
        record.envelope = envelope
        explanation = f"no source {envelope.source[:60]!r} in this deployment"
        return rejected(record, Reason.UNKNOWN_SOURCE, explanation)
    event_id = request_id(envelope.id, envelope.replay)
    return Event(
        record.sequence_number, record.shard_id, record.arrived, envelope, source, event_id
    )


def parse_body(event: Event) -> Outcome | None:
    """Parse the body: JSON, or the form field that holds the JSON."""
    envelope = event.envelope
    try:
        event.body_json, event.body = read_body(event.source, envelope.headers, envelope.body)
    except BodyError as error:
        return rejected(event, Reason.INVALID_JSON, str(error))
    return None


def read_body(source: CompiledSource, headers: Mapping[str, str], body: bytes) -> tuple[bytes, Any]:
    """Return the JSON in a body, as it was sent and parsed.

    Parameters
    ----------
    source : CompiledSource
        Whose settings say which form field holds it, where the body is a form.
    headers : Mapping[str, str]
        The request's headers by lower-case name.
    body : bytes
        The body, byte for byte.

    Raises
    ------
    BodyError
        When there is no JSON in it.
    """
    content_type = headers.get("content-type", "")
    try:
        if source.form_field and content_type.partition(";")[0].strip().lower() == _FORM:
            body = _form_value(body, source.form_field)
        return body, orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BodyError(str(error)) from None


def _form_value(body: bytes, field: str) -> bytes:
    try:
        pairs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=100
        )
    except UnicodeDecodeError:
        raise BodyError("form: not ASCII, or its escapes are no UTF-8") from None
    except ValueError as error:
        raise BodyError(f"form: {error}") from None
    values = [value for name, value in pairs if name == field]
    if len(values) != 1:
        raise BodyError(f"form: {len(values)} fields named {field!r}, expected 1")
    return values[0].encode()


def split(events: Iterable[Event], outcomes: Outcomes) -> list[Event]:
    """Make one event of each element, where a request carries many events."""
    result: list[Event] = []

    def split_one(event: Event) -> Outcome | None:
        path = event.source.split
        if path is None:
            result.append(event)
            return None
        elements = find(event.body, path)
        if not isinstance(elements, list) or not elements:
            where = ".".join(path) or "the body"
            return rejected(event, Reason.SCHEMA_VIOLATION, f"{where}: no list with events")
        # Made in full before any is taken: a fault in one must not leave half of them behind.
        result.extend([_element(event, number, value) for number, value in enumerate(elements)])
        return None

    outcomes.each(events, split_one)
    return result


def _element(event: Event, number: int, value: Any) -> Event:
    return replace(
        event,
        id=element_id(event.id, number),
        body=value,
        body_json=orjson.dumps(value),
    )


def find_delivery_id(source: CompiledSource, headers: Mapping[str, str], body: Any) -> str:
    """Return what the sender tells its events apart by; empty where it has nothing for it.

    Parameters
    ----------
    source : CompiledSource
        Whose settings say where it is.
    headers : Mapping[str, str]
        The request's headers by lower-case name.
    """
    if source.delivery_id_header:
        return headers.get(source.delivery_id_header, "")
    parts = source.delivery_id_paths.texts(body)
    return "|".join(parts) if any(parts) else ""


def digest(content: bytes) -> str:
    """Return what stands for an event without a delivery id, or for an id that is too long."""
    return "sha256:" + hashlib.sha256(content).hexdigest()


def identify(event: Event) -> Outcome | None:
    """Find the event's type and its deduplication key."""
    source, envelope = event.source, event.envelope
    if not isinstance(event.body, dict):
        kind = type(event.body).__name__
        return rejected(
            event, Reason.SCHEMA_VIOLATION, f"body must be a JSON object, not {kind} (rule 'type')"
        )
    if source.event_type_header:
        event.event_type = envelope.headers.get(source.event_type_header, "")
    elif source.event_type_path is not None:
        event.event_type = as_text(find(event.body, source.event_type_path))
    if event.event_type in source.ignored_types:
        return ignored(event)
    event.delivery_id = find_delivery_id(source, envelope.headers, event.body)
    key = event.delivery_id
    if not key:
        key = digest(event.body_json)
    elif len(key) > LONGEST_KEY:
        key = digest(key.encode(errors="replace"))
    elif source.split is not None and source.delivery_id_header:
        # The header names the request; its events are told apart by their place in it.
        key = f"{key}#{EventId.parse(event.id).element}"
    event.deduplication_key = f"{source.name}#{key}"
    event.queue = source.queue_by_type.get(event.event_type, source.queue)
    return None
