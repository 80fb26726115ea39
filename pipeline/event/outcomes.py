"""The words for what becomes of events and of requests, each in one place."""

from __future__ import annotations

from enum import StrEnum


class OutcomeKind(StrEnum):
    """How an event ended: the words of counters, ledger, audit and samples."""

    DELIVERED = "delivered"
    DUPLICATE = "duplicate"
    REJECTED = "rejected"
    IGNORED = "ignored"
    #: The event source mapping gave up its batch; never the word of a handler.
    FAILED = "failed"
    #: A service was out of reach: the record is delivered again.
    UNSETTLED = "unsettled"


class Reason(StrEnum):
    """Why an event was rejected; the last two are said of delivered ones and duplicates as well."""

    MALFORMED_ENVELOPE = "malformed_envelope"
    UNKNOWN_SOURCE = "unknown_source"
    BAD_SIGNATURE = "bad_signature"
    STALE_SIGNATURE = "stale_signature"
    INVALID_JSON = "invalid_json"
    TOO_DEEP = "too_deep"
    SCHEMA_VIOLATION = "schema_violation"
    TOO_LARGE = "too_large"
    TOO_MANY_EVENTS = "too_many_events"
    PROCESSING_ERROR = "processing_error"
    #: What the source needs is missing, forbidden or broken: mended, a replay delivers its events.
    SECRET_UNAVAILABLE = "secret_unavailable"  # noqa: S105 - a word
    QUEUE_UNAVAILABLE = "queue_unavailable"
    SCHEMA_UNAVAILABLE = "schema_unavailable"
    #: The id of another event, whose body is another one.
    ID_REUSED = "id_reused"
    #: The body of another event, under an id or a type that its signature does not cover.
    BODY_REUSED = "body_reused"


#: Anyone on the internet can cause these, so they are kept apart from what needs an operator.
QUARANTINED = frozenset({Reason.BAD_SIGNATURE, Reason.STALE_SIGNATURE})

#: Of events whose sender is not known, so anyone can cause them while a secret is missing; but the
#: operator has to mend it. Some make tickets, and the rest is kept with what is quarantined.
UNVERIFIED = frozenset({Reason.SECRET_UNAVAILABLE})


class Reuse(StrEnum):
    """What becomes of an event that has the id of another, or its body: settings of its source."""

    DELIVER = "deliver"
    DUPLICATE = "duplicate"
    REJECT = "reject"


class Verdict(StrEnum):
    """What became of a request at the receiver."""

    ACCEPTED = "accepted"
    HANDSHAKE = "handshake"
    DENIED = "denied"
    UNAVAILABLE = "unavailable"
