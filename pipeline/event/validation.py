"""Checks an event against the schema of its type, with the validators made at build."""

from __future__ import annotations

from fastjsonschema import JsonSchemaValueException

from pipeline.event.compiled_source import SchemaUnavailableError
from pipeline.event.events import Event, Outcome, rejected
from pipeline.event.outcomes import Reason


def validate(event: Event) -> Outcome | None:
    """Check one event; the explanation says which path of the body broke which rule."""
    source = event.source
    if source.reject_unknown_types and not source.knows_type(event.event_type):
        return rejected(
            event,
            Reason.SCHEMA_VIOLATION,
            f"event type {event.event_type[:60]!r} is unknown to {source.name} (unknown_types)",
        )
    try:
        validator = source.validator(event.event_type)
    except SchemaUnavailableError as error:
        return rejected(event, Reason.SCHEMA_UNAVAILABLE, str(error))
    if validator is None:
        return None
    try:
        validator(event.body)
    except JsonSchemaValueException as error:
        # The generated code calls the body 'data'.
        message = "body" + str(error.message).removeprefix("data")
        return rejected(event, Reason.SCHEMA_VIOLATION, f"{message[:500]} (rule '{error.rule}')")
    return None
