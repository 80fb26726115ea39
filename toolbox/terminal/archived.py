"""What an operator wants to know of an archived event."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.replay.times import iso

if TYPE_CHECKING:
    from pipeline.archive.lines import ArchivedEvent


def body_text(body: bytes, most: int | None) -> str:
    """Return a body as text, cut after so many characters."""
    text = body.decode(errors="backslashreplace")
    if most is not None and len(text) > most:
        return f"{text[:most]}… ({len(text):,} characters; all of them with --full)"
    return text


def event_document(event: ArchivedEvent, line: int, most: int | None) -> dict[str, Any]:
    """Return what an operator wants to know of an archived event."""
    envelope = event.envelope
    document: dict[str, Any] = {
        "line": line,
        "id": event.id,
        "source": event.source,
        "event_type": event.event_type,
        "arrived": iso(event.arrived),
        "reason": event.reason,
        "explanation": event.explanation,
    }
    if envelope is None:
        return {**document, "record": body_text(event.record, most)}
    return {
        **document,
        "claimed_source": envelope.source,
        "sender": envelope.ip,
        "delivery_id": envelope.key,
        "replays": envelope.replays,
        # A header can hold what authenticates its sender.
        "headers": sorted(envelope.headers),
        "body": body_text(event.body, most),
    }
