"""Puts a request on the stream, in the envelope that the mapping template would have made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from pipeline.aws.limits import RECORD_TOO_LARGE_ERRORS
from pipeline.event.envelope import Envelope, encode_envelope, partition_key
from pipeline.event.identity import digest, find_identity, partition_text
from pipeline.event.json_text import BodyError
from pipeline.event.parsing import json_in
from pipeline.receiving.answers import (
    Answer,
    accepted,
    denied,
    echoes,
    filled,
    unavailable,
)

if TYPE_CHECKING:
    from pipeline.aws.seams import Stream
    from pipeline.receiving.request import Request


def make_envelope(request: Request) -> Envelope:
    """Make the envelope of a request that passed the checks."""
    return Envelope(
        id=request.id,
        arrived_ms=request.arrived_ms,
        source=request.source.name,
        ip=request.ip,
        body=request.body,
        key=_key(request),
        headers=request.kept,
    )


def _key(request: Request) -> str:
    """Return what a retry has in common with its first try, so that both meet in one shard.

    An id at a path is the event's own. Where a request carries many events, none of them speaks
    for the request.
    """
    source = request.source
    if source.split is not None and not source.delivery_id_header:
        return digest(request.body)
    try:
        body_json = json_in(source, request.body)
    except BodyError:
        return digest(request.body)
    found = find_identity(source, request.kept, request.content, body_json)
    return partition_text(found, source, request.body)


def put_envelope(envelope: Envelope, kinesis: Stream, stream: str) -> Answer | None:
    """Put an envelope on the stream; None where it is there, else what is answered."""
    try:
        kinesis.put_record(
            StreamName=stream,
            PartitionKey=partition_key(envelope),
            Data=encode_envelope(envelope),
        )
    except ClientError as error:
        code = str(error.response["Error"]["Code"])
        if code in RECORD_TOO_LARGE_ERRORS:
            message = "The event is larger than one record of the stream may be."
            return denied(413, "too_large", message, code)
        return unavailable(f"{stream}: {code}")
    except BotoCoreError as error:
        return unavailable(f"{stream}: {type(error).__name__}")
    return None


def answer_event(request: Request, envelope: Envelope) -> Answer:
    """Say that an event is on the stream, in the words that its sender wants."""
    form = request.source.answer
    if form is None:
        return accepted(envelope.id)
    return filled(form, echoes(form, request.headers))
