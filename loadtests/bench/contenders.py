"""Other designs of the same work. Each is written for this benchmark.

`old_design` follows the description of the old mozdef-event-framework: one Lambda call and one SQS
call for each event, no schema, no deduplication. `powertools` is the usual way to read a stream:
powertools' BatchProcessor, a handler for each record, jsonschema, and send_message.
Neither writes an archive or drops duplicates, so both do less than the fan-out.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import boto3
import jsonschema
from aws_lambda_powertools.utilities.batch import (
    BatchProcessor,
    EventType,
    process_partial_response,
)

from loadtests.bench.measuring import WorkError
from loadtests.bench.stand_ins import SECRET
from pipeline.event.envelope import decode_envelope

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from aws_lambda_powertools.utilities.data_classes.kinesis_stream_event import (
        KinesisStreamRecord,
    )

    from loadtests.bench.stand_ins import FakeContext

_SIGNED = {"github": "x-hub-signature-256", "zoom": "x-zm-signature"}


def proxy_event(source: str, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    """Return a request as API Gateway hands it to a function: the body as text."""
    return {
        "httpMethod": "POST",
        "path": f"/{source}",
        "headers": headers,
        "body": body.decode(),
        "isBase64Encoded": False,
        "requestContext": {"requestId": "bench", "identity": {"sourceIp": "192.0.2.1"}},
    }


def old_design(queues: Mapping[str, str], events: Sequence[dict[str, Any]]) -> Callable[[], int]:
    """Return the old framework's handler, called once for each event of `proxy_event`.

    The client is made once, as a warm function has it.

    Parameters
    ----------
    queues : Mapping[str, str]
        The URLs, by name.
    """
    sqs = boto3.client("sqs")

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
        for event in events:
            source = event["path"].removeprefix("/")
            handler(event, queues[source], source)
        return len(events)

    return work


def powertools(
    queues: Mapping[str, str],
    schemas: Mapping[str, Mapping[str, Any]],
    batch: list[dict[str, Any]],
    context: FakeContext,
) -> Callable[[], int]:
    """Return the usual way: a handler for each record of the same batch.

    Parameters
    ----------
    queues : Mapping[str, str]
        The URLs, by name.
    schemas : Mapping[str, Mapping[str, Any]]
        By source and type; a source's default has an empty type.
    """
    sqs = boto3.client("sqs")
    validators = {
        source: {kind: jsonschema.Draft7Validator(schema) for kind, schema in known.items()}
        for source, known in schemas.items()
    }
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
        queue_url = queues[envelope.source]
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
