"""The floor, and other designs of the same work. Each is written for this benchmark.

`old_design` follows the description of the old mozdef-event-framework: one Lambda call and one SQS
call for each event, no schema, no deduplication. `powertools` is the usual way to read a stream:
powertools' BatchProcessor, a handler for each record, jsonschema, and send_message.
Neither writes an archive or drops duplicates, so both do less than the fan-out.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import boto3
import jsonschema
import orjson
from aws_lambda_powertools.utilities.batch import (
    BatchProcessor,
    EventType,
    process_partial_response,
)

from loadtests.bench.measuring import WorkError
from loadtests.bench.payloads import SECRET
from pipeline.event.envelope import decode_envelope

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aws_lambda_powertools.utilities.data_classes.kinesis_stream_event import (
        KinesisStreamRecord,
    )

    from loadtests.bench.arena import Arena, FakeContext
    from loadtests.bench.payloads import Webhook

_SIGNED = {"github": "x-hub-signature-256", "zoom": "x-zm-signature"}


def floor(encoded: Sequence[bytes]) -> Callable[[], int]:
    """Return what no design does without: base64, parse, SHA-256, dump.

    Parameters
    ----------
    encoded : Sequence[bytes]
        Bodies in base64.
    """

    def work() -> int:
        for one in encoded:
            body = base64.b64decode(one)
            document = orjson.loads(body)
            hashlib.sha256(body).digest()
            orjson.dumps(document)
        return len(encoded)

    return work


def old_design(arena: Arena, deliveries: Sequence[Webhook]) -> Callable[[], int]:
    """Return the old framework's handler, called once for each event.

    The client is made once, as a warm function has it. API Gateway hands over the body as text.
    """
    sqs = boto3.client("sqs")
    events = [
        {
            "httpMethod": "POST",
            "path": f"/{one.source}",
            "headers": one.headers,
            "body": one.body.decode(),
            "isBase64Encoded": False,
            "requestContext": {"requestId": str(number), "identity": {"sourceIp": "192.0.2.1"}},
        }
        for number, one in enumerate(deliveries)
    ]

    def handler(event: dict[str, Any], queue_url: str, source: str) -> dict[str, Any]:
        body = json.loads(event["body"])
        now = datetime.now(UTC).isoformat()
        message = {
            "category": source,
            "hostname": f"{source}_host",
            "processname": source,
            "processid": "0",
            "severity": "INFO",
            "source": "api_aws_lambda",
            "summary": f"{source} event",
            "tags": [source],
            "timestamp": now,
            "utctimestamp": now,
            "details": body,
        }
        sqs.send_message(QueueUrl=queue_url, MessageBody=json.dumps(message))
        return {"statusCode": 200, "body": json.dumps({"status": "ok"})}

    def work() -> int:
        for event, one in zip(events, deliveries, strict=True):
            handler(event, arena.queues[one.source], one.source)
        return len(events)

    return work


def powertools(
    arena: Arena, batch: list[dict[str, Any]], context: FakeContext
) -> Callable[[], int]:
    """Return the usual way: a handler for each record of the same batch."""
    sqs = boto3.client("sqs")
    validators = _validators(arena)
    processor = BatchProcessor(event_type=EventType.KinesisDataStreams)

    def record_handler(record: KinesisStreamRecord) -> None:
        envelope = decode_envelope(record.kinesis.data_as_bytes())
        signed = envelope.body
        if envelope.source == "zoom":
            stamp = envelope.headers["x-zm-request-timestamp"]
            signed = f"v0:{stamp}:".encode() + signed
        digest = hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
        given = envelope.headers[_SIGNED[envelope.source]].partition("=")[2]
        if not hmac.compare_digest(digest, given):
            raise ValueError("bad signature")
        body = json.loads(envelope.body)
        event_type = envelope.headers.get("x-github-event") or str(body.get("event", ""))
        known = validators[envelope.source]
        known.get(event_type, known[""]).validate(body)
        now = datetime.now(UTC).isoformat()
        message = {
            "category": envelope.source,
            "severity": "INFO",
            "source": "api_aws_lambda",
            "summary": f"{envelope.source} {event_type}",
            "tags": [envelope.source],
            "timestamp": now,
            "utctimestamp": now,
            "details": body,
        }
        queue_url = arena.queues[envelope.source]
        sqs.send_message(QueueUrl=queue_url, MessageBody=json.dumps(message))

    def work() -> int:
        answer = process_partial_response(
            event={"Records": batch},
            record_handler=record_handler,
            processor=processor,
            context=context,  # type: ignore[arg-type]
        )
        if answer["batchItemFailures"]:
            raise WorkError("powertools: a batch of the benchmarks was not settled")
        return len(batch)

    return work


def _validators(arena: Arena) -> dict[str, dict[str, jsonschema.Draft7Validator]]:
    found = {}
    for name, source in arena.sources.items():
        kinds = {kind: jsonschema.Draft7Validator(dict(s)) for kind, s in source.schemas.items()}
        kinds[""] = jsonschema.Draft7Validator(dict(source.default_schema or {}))
        found[name] = kinds
    return found
