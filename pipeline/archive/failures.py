"""Reads what an event source mapping gave up: its failure record, with the batch as payload."""

from __future__ import annotations

import math
import re
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from pipeline.archive.keys import ArchiveKind
from pipeline.archive.line_fields import LineError, sequence_of
from pipeline.archive.lines import ArchivedEvent, safe_source
from pipeline.event.envelope import EnvelopeError, decode_envelope
from pipeline.event.event_id import request_id
from pipeline.event.events import UNKNOWN_SOURCE
from pipeline.stream.records import read_records

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pipeline.event.events import Record

#: An invocation's payload has 6 MB at most (AWS Lambda quotas); as escaped text it can double.
LARGEST_RECORD = 32 * 1024 * 1024
_REASONS = {"RetryAttemptsExhausted", "RecordAgeExceeded"}
#: An id of Lambda's, as it stands in a log; it becomes a search there.
_REQUEST = re.compile(r"[0-9a-f-]{8,64}")
#: In an ARN, with or without a qualifier after it.
_FUNCTION = re.compile(r":function:([^:]+)")
#: AWS Lambda API reference, `FunctionName`.
_FUNCTION_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


class GivenUp(NamedTuple):
    """A user record that a mapping gave up: by which function, and its place on the stream.

    Parameters
    ----------
    id : str
        Of its request, as the archive and the ledger have it.
    arrived : float
        In epoch seconds.
    """

    function: str
    shard: str
    sequence: int
    id: str
    arrived: float


class LastInvocation(NamedTuple):
    """The last call of a function with a batch that was given up.

    Parameters
    ----------
    at : float
        When the record was written, in epoch seconds.
    """

    function: str
    request_id: str
    at: float


def read_invocation(chunks: Iterable[bytes]) -> LastInvocation | None:
    """Return which call a failure record is about; None where it names none that can be looked up.

    Raises
    ------
    LineError
        When the object is no failure record.
    """
    document = _load(_whole(chunks), "the object")
    context = document.get("requestContext")
    request = str(context.get("requestId", "")) if isinstance(context, dict) else ""
    function = _function_of(document)
    try:
        at = datetime.fromisoformat(str(document.get("timestamp", ""))).timestamp()
    except (ValueError, OverflowError):
        return None
    if not _REQUEST.fullmatch(request) or not _FUNCTION_NAME.fullmatch(function):
        return None
    return LastInvocation(function, request, at)


def read_failure(chunks: Iterable[bytes]) -> Iterator[tuple[int, ArchivedEvent | LineError]]:
    """Return the events of a failure record, numbered; what is wrong with one stops no other.

    AWS Lambda Developer Guide, retaining discarded records: `payload` is "an escaped JSON
    string"; an object is taken as well.

    Raises
    ------
    LineError
        When the object is no failure record.
    """
    document = _load(_whole(chunks), "the object")
    reason, explanation = _circumstances(document)
    for number, found in enumerate(_user_records(document), 1):
        yield (
            number,
            found if isinstance(found, LineError) else _archived(found, reason, explanation),
        )


def read_given_up(chunks: Iterable[bytes]) -> Iterator[GivenUp | LineError]:
    """Return where on the stream the user records of a failure record were.

    Raises
    ------
    LineError
        When the object is no failure record.
    """
    document = _load(_whole(chunks), "the object")
    function = _function_of(document)
    for found in _user_records(document):
        if isinstance(found, LineError):
            yield found
            continue
        try:
            sequence = sequence_of({"sequence_number": found.sequence_number})
        except LineError as error:
            yield error
            continue
        event = _archived(found, "", "")
        yield GivenUp(function, found.shard_id, sequence, event.id, event.arrived)


def _user_records(document: dict[str, Any]) -> Iterator[Record | LineError]:
    payload = document.get("payload")
    if isinstance(payload, str):
        payload = _load(payload, "'payload'")
    records = payload.get("Records") if isinstance(payload, dict) else None
    if not isinstance(records, list):
        raise LineError("no 'payload' with 'Records'")
    for record in records:
        fault = _fault(record)
        if fault:
            yield LineError(fault)
        else:
            yield from read_records([record])


def _whole(chunks: Iterable[bytes]) -> bytes:
    parts, size = [], 0
    for chunk in chunks:
        size += len(chunk)
        if size > LARGEST_RECORD:
            raise LineError(f"larger than {LARGEST_RECORD:,} bytes, which no failure record is")
        parts.append(chunk)
    return b"".join(parts)


def _load(text: bytes | str, what: str) -> dict[str, Any]:
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise LineError(f"{what} is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise LineError(f"{what} is no JSON object")
    return document


def _circumstances(document: dict[str, Any]) -> tuple[str, str]:
    def of(name: str, field: str) -> Any:
        context = document.get(name)
        return context.get(field) if isinstance(context, dict) else None

    condition = of("requestContext", "condition")
    reason = condition if isinstance(condition, str) and condition in _REASONS else "failed"
    function = _function_of(document)
    count = of("requestContext", "approximateInvokeCount")
    error = of("responseContext", "functionError")
    text = f"{reason}: given up by {function} after {count} invocations"
    return reason, f"{text}, error {error}"[:500] if error else text[:500]


def _function_of(document: dict[str, Any]) -> str:
    context = document.get("requestContext")
    arn = str((isinstance(context, dict) and context.get("functionArn")) or "")
    found = _FUNCTION.search(arn)
    return found[1] if found else arn.rpartition(":")[2] or "a function"


def _fault(record: Any) -> str:
    kinesis = record.get("kinesis") if isinstance(record, dict) else None
    if not isinstance(kinesis, dict):
        return "a record without 'kinesis'"
    if not isinstance(kinesis.get("data"), str):
        return "a record without 'data'"
    if not isinstance(kinesis.get("sequenceNumber"), str):
        return "a record without 'sequenceNumber'"
    arrived = kinesis.get("approximateArrivalTimestamp", 0.0)
    if isinstance(arrived, bool) or not isinstance(arrived, int | float):
        return "a record whose 'approximateArrivalTimestamp' is no number"
    if not (math.isfinite(arrived) and 0 <= arrived < 1e11):
        return "a record whose 'approximateArrivalTimestamp' is no time"
    return ""


def _archived(record: Record, reason: str, explanation: str) -> ArchivedEvent:
    archived = ArchivedEvent(
        ArchiveKind.FAILED,
        record.id,
        UNKNOWN_SOURCE,
        record.arrived,
        None,
        record.data,
        "",
        reason,
        explanation,
    )
    if record.fault:
        archived.explanation = record.fault
        return archived
    try:
        archived.envelope = envelope = decode_envelope(record.data)
    except EnvelopeError as error:
        archived.explanation = str(error)
        return archived
    archived.id = request_id(envelope.id, envelope.replay)
    archived.source = safe_source(envelope.source)
    return archived
