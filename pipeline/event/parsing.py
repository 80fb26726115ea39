"""From a verified body to the events in it."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qsl, quote_plus

from pipeline.event.compiled_poll import FEED_HEADER
from pipeline.event.envelope import EnvelopeError, decode_envelope
from pipeline.event.event_id import EventId, request_id
from pipeline.event.events import Event, Outcome, ignored, rejected
from pipeline.event.fields import as_text, find
from pipeline.event.identity import BODY, ONCE, find_identity, fingerprint_of
from pipeline.event.json_text import (
    BodyError,
    NoJsonError,
    TooDeepError,
    check_depth,
    containers_in,
    parse_json,
    printable_text,
    read_json,
)
from pipeline.event.outcomes import Reason

if TYPE_CHECKING:
    from pipeline.event.bodies.body_form import BodyForm
    from pipeline.event.compiled_source import Catalog, CompiledSource
    from pipeline.event.events import Record

#: The own id of an event comes again where a producer repeats a put, within minutes.
ONCE_SECONDS = 7 * 86_400


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
        record.sequence_number,
        record.shard_id,
        record.arrived,
        envelope,
        source,
        event_id,
        record.place,
    )


def parse_body(event: Event) -> Outcome | None:
    """Parse the body: JSON, or what the source makes JSON of; see `json_in`.

    One that carries many events is taken apart by `split`, and each of them parsed there.
    """
    source, body = event.source, event.envelope.body
    if source.skip:
        from pipeline.event.skipping import why_skipped  # few sources have such rules

        why = why_skipped(source.skip, event.envelope.headers, body, lambda: json_in(source, body))
        if why:
            return ignored(event, why)
    try:
        event.body_json = json_in(source, body)
    except BodyError as error:
        return rejected(event, Reason.INVALID_JSON, str(error))
    return read_event(event) if event.list_path is None else None


def read_event(event: Event) -> Outcome | None:
    """Parse the JSON of one event."""
    try:
        text, value, strict = parse_json(event.body_json)
        containers = containers_in(text)
        check_depth(text, value, containers)
    except TooDeepError as error:
        return rejected(event, Reason.TOO_DEEP, str(error))
    except NoJsonError as error:
        return rejected(event, Reason.INVALID_JSON, str(error))
    event.take_body(text, value, containers)
    event.strict = strict
    return None


def read_body(source: CompiledSource, body: bytes) -> tuple[bytes, Any]:
    """Return the JSON in a body, as it was sent and parsed; see `json_in` and `read_json`."""
    try:
        return read_json(json_in(source, body))
    except (NoJsonError, TooDeepError) as error:
        raise BodyError(str(error)) from None


class BodyPlace(NamedTuple):
    """What of a source says where in a body the JSON is."""

    form_field: str | None
    body_form: BodyForm | None


def json_in(source: CompiledSource | BodyPlace, body: bytes) -> bytes:
    """Return the JSON in a body: as it was sent, or made of it as the source's `body` says.

    The bytes say whether it is a form: no JSON begins with the field's name. The content type does
    not: no signature covers it, and a signed JSON body can hold what reads as a form's field.

    Parameters
    ----------
    body : bytes
        The body, byte for byte.

    Raises
    ------
    BodyError
        When it is a form with something else than the one field, or not what `body` says.
    """
    if source.body_form is not None:
        return source.body_form.json_in(body)
    field = source.form_field
    if not field or not body.startswith(_form_start(field)):
        return body
    try:
        pairs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=2
        )
    except UnicodeDecodeError:
        raise BodyError("form: not ASCII, or its escapes are no UTF-8") from None
    except ValueError as error:
        raise BodyError(f"form: {error}") from None
    if len(pairs) != 1:
        raise BodyError(f"form: {len(pairs)} fields, expected {field!r} alone")
    return pairs[0][1].encode()


@cache
def _form_start(field: str) -> bytes:
    """Return what a form with this field, of a source's settings, begins with."""
    return f"{quote_plus(field)}=".encode()


def identify(event: Event) -> Outcome | None:
    """Find the event's type, its queue, and what it shares with its copies."""
    source, envelope = event.source, event.envelope
    if not isinstance(event.body, dict):
        kind = type(event.body).__name__
        return rejected(
            event, Reason.SCHEMA_VIOLATION, f"body must be a JSON object, not {kind} (rule 'type')"
        )
    if source.event_type_header:
        event.event_type = envelope.headers.get(source.event_type_header, "")
    elif source.event_type_path is not None:
        event.event_type = printable_text(as_text(find(event.body, source.event_type_path)))
    if event.event_type in source.ignored_types:
        return ignored(event)
    event.queue = source.queue_by_type.get(event.event_type, source.queue)
    _set_keys(event)
    return None


def _set_keys(event: Event) -> None:
    source, headers = event.source, event.envelope.headers
    request = event.fingerprint
    event.fingerprint = fingerprint_of(event)
    found = find_identity(source, headers, event.body, event.body_json)
    event.identity = found
    name, key = source.name, found.key
    if source.poll is not None:
        name = f"{name}/{headers.get(FEED_HEADER.lower(), '')}"
    event.remembered_seconds = source.deduplication_seconds
    if not found.complete:
        twin = f"~{event.twin}" if event.twin else ""
        key = f"{key}{BODY}{event.fingerprint}{twin}"
        event.remembered_seconds = source.body_hash_seconds
    elif source.split is not None and source.delivery_id_header:
        # The header names the request; its events are told apart by their place in it.
        key = f"{key}#{EventId.parse(event.id).element}"
    if not event.remembered_seconds:
        key, event.remembered_seconds = ONCE + event.id, ONCE_SECONDS
    elif source.id_is_unsigned and found.complete:
        element = event.place.partition("#")[1:]
        event.body_key = "".join((name, BODY, request or event.fingerprint, *element))
    event.deduplication_key = name + key
