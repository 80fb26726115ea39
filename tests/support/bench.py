"""The fan-out processor on fakes, and batches of records to feed it."""

from __future__ import annotations

import base64
import hmac
import itertools
from typing import TYPE_CHECKING, Any

import orjson
from aws_kinesis_agg.aggregator import RecordAggregator

from pipeline.archive.writer import ArchiveWriter
from pipeline.event.envelope import Envelope, encode_envelope
from pipeline.event.events import Event
from pipeline.event.outcomes import OutcomeKind
from pipeline.fan_out.delivery import SqsDelivery
from pipeline.fan_out.duplicates import DeduplicationTable
from pipeline.runtime.collector import without_collection
from pipeline.runtime.deadline import Deadline
from pipeline.runtime.secret_store import SecretStore
from stream_processors.fan_out import FanOut
from tests.support.fakes import FIRST_SEQUENCE_NUMBER, FakeDynamoDb, FakeS3, FakeSqs, FakeSsm

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pipeline.event.compiled_source import Catalog
    from pipeline.event.events import Outcome
    from pipeline.fan_out.settlement import Settlement

# Also valid as base64, for the sources whose secret is written so.
SECRET = "CurrentSecretKey"
PREVIOUS = "PreviousSecret12"
NOW_MS = 1_795_464_503_123


class Bench:
    """One processor with its fakes, and a shard from its first record on.

    Each invocation takes a quarter of a second, and more where it waits or a test says so.
    """

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self.ssm = FakeSsm(
            {
                f"/P/{source.name}/dev/{source.secret_kind}": f"{SECRET}\n{PREVIOUS}\n"
                for source in catalog.sources.values()
            }
        )
        self.dynamodb, self.sqs, self.s3 = FakeDynamoDb(), FakeSqs(), FakeS3()
        self.now = NOW_MS / 1000
        self.time_left = 60.0
        _shard.begin()
        self.fan_out = self.new_process()

    def new_process(self) -> FanOut:
        """A processor that remembers nothing of earlier invocations."""
        queues = {
            name: f"http://127.0.0.1/q/{name}"
            for source in self.catalog.sources.values()
            for name in (source.queue, *source.queue_by_type.values())
        }
        self.fan_out = FanOut(
            catalog=self.catalog,
            secrets=SecretStore(self.ssm, "P", "dev", lambda: self.now),
            table=DeduplicationTable(self.dynamodb, "dedupe", lambda: self.now),
            delivery=SqsDelivery(self.sqs, queues),
            archive=ArchiveWriter(self.s3, "archive"),
        )
        return self.fan_out

    def _sleep(self, seconds: float) -> None:
        self.time_left -= seconds
        self.now += seconds

    def run(self, *records: dict[str, Any]) -> Settlement:
        deadline = Deadline(lambda: self.time_left, sleep=self._sleep)
        # As its handler does.
        settlement = without_collection(self.fan_out.process)(records, deadline)
        self.now += 0.25
        return settlement

    def run_until_settled(self, *records: dict[str, Any]) -> list[Any]:
        """Deliver again from the checkpoint, as the event source mapping does."""
        settled: list[Any] = []
        waiting = list(records)
        for _ in range(20):
            self.time_left = 60.0
            self.now += 2
            settlement = self.run(*waiting)
            settled += settlement.settled
            if settlement.checkpoint is None:
                return settled
            start = int(settlement.checkpoint)
            waiting = [r for r in waiting if int(r["kinesis"]["sequenceNumber"]) >= start]
        raise AssertionError("the batch does not settle")


def tally(outcomes: Any) -> dict[str, int]:
    counts: dict[str, int] = {}
    for outcome in outcomes:
        label = outcome.reason if outcome.kind is OutcomeKind.REJECTED else outcome.kind
        counts[str(label)] = counts.get(str(label), 0) + 1
    return counts


def keys(outcomes: Iterable[Outcome]) -> list[str]:
    """The deduplication keys of the events among them."""
    return [one.event.deduplication_key for one in outcomes if isinstance(one.event, Event)]


_requests = itertools.count()


class _Shard:
    """Numbers records: the first have 55 digits and the others 56, so that as text none is less."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        self._next = itertools.count(FIRST_SEQUENCE_NUMBER)

    def number(self) -> int:
        return next(self._next)


_shard = _Shard()


def record(data: bytes, key: str = "k", sequence: int | None = None) -> dict[str, Any]:
    """A record in the form that an event source mapping gives."""
    shard = "shardId-000000000000"
    number = _shard.number() if sequence is None else FIRST_SEQUENCE_NUMBER + sequence
    sequence_number = str(number)
    return {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": key,
            "sequenceNumber": sequence_number,
            "data": base64.b64encode(data).decode(),
            "approximateArrivalTimestamp": NOW_MS / 1000,
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": f"{shard}:{sequence_number}",
        "eventName": "aws:kinesis:record",
        "awsRegion": "us-west-2",
        "eventSourceARN": "arn:aws:kinesis:us-west-2:000000000000:stream/s",
    }


def aggregate(*data: bytes) -> bytes:
    """A KPL aggregate of user records, made by aws-kinesis-agg."""
    aggregator = RecordAggregator()
    for number, one in enumerate(data):
        assert aggregator.add_user_record(f"key {number}", one) is None
    _, _, content = aggregator.clear_and_get().get_contents()
    return bytes(content)


def github(
    body: bytes | dict[str, Any],
    *,
    event: str = "fork",
    delivery: str = "d-1",
    request: str | None = None,
    secret: str = SECRET,
    content_type: str = "application/json",
    **more: Any,
) -> bytes:
    """An envelope of a GitHub webhook."""
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    headers = {
        "content-type": content_type,
        "x-github-event": event,
        "x-github-delivery": delivery,
        "x-hub-signature-256": "sha256=" + hmac.new(secret.encode(), raw, "sha256").hexdigest(),
    }
    identifier = request or f"request-{next(_requests)}"
    return encode_envelope(
        Envelope(identifier, NOW_MS, "github", "192.0.2.1", raw, delivery, headers, **more)
    )


def generic(body: bytes | Any, *, request: str | None = None, **more: Any) -> bytes:
    """An envelope of the generic source."""
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    identifier = request or f"request-{next(_requests)}"
    headers = {"content-type": "application/json"}
    return encode_envelope(
        Envelope(identifier, NOW_MS, "generic", "192.0.2.1", raw, "", headers, **more)
    )
