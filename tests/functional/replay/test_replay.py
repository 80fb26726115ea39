"""The replay with real boto3 against the emulator: archive, stream and dead-letter queue."""

from __future__ import annotations

import base64
import gzip
import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from local.emulator import Emulator
from pipeline.archive.keys import ArchiveKind
from pipeline.archive.lines import describe
from pipeline.archive.listing import ArchiveListing
from pipeline.archive.objects import ObjectRef, Objects
from pipeline.archive.writer import ArchiveWriter
from pipeline.aws.limits import RECORD_BYTES
from pipeline.event.envelope import Envelope, decode_envelope
from pipeline.event.events import Record
from pipeline.replay.engine import Replayer
from pipeline.replay.event_types import EventTypes
from pipeline.replay.filters import Filter
from pipeline.replay.history import UnaskedHistory
from pipeline.replay.job import DONE, Job, JobStore, new_job_id
from pipeline.replay.selection import select
from pipeline.runtime.deadline import Deadline
from pipeline.stream.pace import Pace
from pipeline.stream.records import read_records
from pipeline.stream.sending import StreamWriter
from pipeline.stream.shards import ShardMap, capacity
from stream_processors import replay_worker
from tests.functional.handlers.test_handlers import Context
from tests.support.bench import aggregate, generic, github, record
from tests.support.replay import line
from toolbox.dead_letters.queue import DeadLetters
from toolbox.dead_letters.summary import summarize

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.event.compiled_source import Catalog


@dataclass
class Account:
    """One bucket, stream and queue of the emulator, for one test."""

    emulator: Emulator
    name: str
    queue: str

    def client(self, service: str) -> Any:
        return self.emulator.client(service)

    def archive(self, *records: dict[str, Any]) -> None:
        found = list(read_records(records))
        for one in found:
            one.envelope = decode_envelope(one.data)
        assert ArchiveWriter(self.client("s3"), self.name).write_raw(found, Deadline(lambda: 60))

    def put(self, key: str, content: bytes) -> None:
        self.client("s3").put_object(Bucket=self.name, Key=key, Body=content)

    def replayer(self, job: Job, wanted: Filter) -> Replayer:
        kinesis, s3 = self.client("kinesis"), self.client("s3")
        writer = StreamWriter(
            kinesis, self.name, ShardMap(kinesis, self.name), Pace(1e6), largest_record=RECORD_BYTES
        )
        return Replayer(
            job,
            Objects(s3, self.name),
            writer,
            wanted,
            EventTypes(),
            history=UnaskedHistory(),
            save=JobStore(s3, self.name).save,
        )

    def job(self, wanted: Filter) -> Job:
        now = datetime.now(UTC)
        return Job(new_job_id(now), {}, now.isoformat(), wanted.to_json(), {"limit": 3})

    def on_stream(self) -> list[Envelope]:
        kinesis = self.client("kinesis")
        found = []
        for shard in kinesis.list_shards(StreamName=self.name)["Shards"]:
            iterator = kinesis.get_shard_iterator(
                StreamName=self.name, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
            )["ShardIterator"]
            answer = kinesis.get_records(ShardIterator=iterator, Limit=10_000)
            for one in answer["Records"]:
                found += [decode_envelope(event.data) for event in
                          read_records([record(one["Data"])])]  # fmt: skip
        return found


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with Emulator(tmp_path_factory.mktemp("emulator"), region="us-west-2") as running:
        yield running


@pytest.fixture
def account(emulator: Emulator, request: pytest.FixtureRequest) -> Account:
    name = f"a-{time.time_ns()}"
    s3, sqs = emulator.client("s3"), emulator.client("sqs")
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": emulator.region})
    kinesis = emulator.client("kinesis")
    kinesis.create_stream(StreamName=name, ShardCount=3)
    kinesis.get_waiter("stream_exists").wait(StreamName=name, WaiterConfig={"Delay": 1})
    queue = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
    s3.put_bucket_notification_configuration(
        Bucket=name,
        NotificationConfiguration={
            "QueueConfigurations": [
                {
                    "QueueArn": arn["Attributes"]["QueueArn"],
                    "Events": ["s3:ObjectCreated:*"],
                    "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": prefix}]}},
                }
                for prefix in ("rejected/", "aws/lambda/")
            ]
        },
    )
    return Account(emulator, name, queue)


def test_what_the_archiver_wrote_is_replayed_byte_for_byte(account: Account) -> None:
    bodies = [b'{"a": 1}\r\n', b"\xff\x00", b"", "ü\uffff".encode(), b"x" * 900_000]
    sent = [github(body, request=f"r-{number}", delivery=f"d-{number}")
            for number, body in enumerate(bodies)]  # fmt: skip
    account.archive(*(record(data) for data in sent))
    wanted = Filter(frozenset({ArchiveKind.RAW}))
    replayer = account.replayer(account.job(wanted), wanted)
    assert replayer.run(select(ArchiveListing(account.client("s3"), account.name), wanted))
    replayer.finish()
    found = {envelope.id: envelope for envelope in account.on_stream()}
    for number, data in enumerate(sent):
        before, after = decode_envelope(data), found[f"r-{number}"]
        assert after.body == before.body
        assert after.headers == before.headers
        assert (after.key, after.arrived_ms, after.ip) == (before.key, before.arrived_ms, before.ip)
        assert (after.replay, after.replays) == (replayer.job.id, 1)
    store = JobStore(account.client("s3"), account.name)
    assert list(store.ids()) == [replayer.job.id]
    assert store.load(replayer.job.id).status == DONE


def test_a_job_goes_on_where_it_was(account: Account) -> None:
    lines = b"".join(orjson.dumps(line(n)) + b"\n" for n in range(100))
    for hour in (18, 19, 20):
        account.put(f"raw/source=github/dt=2026-11-23/hr={hour}/s-1.jsonl.gz", gzip.compress(lines))
    wanted = Filter(frozenset({ArchiveKind.RAW}), sources=frozenset({"github"}))
    job = account.job(wanted)
    looks = iter(range(10_000))
    replayer = account.replayer(job, wanted)
    replayer._stop = lambda: next(looks) == 42
    listing = ArchiveListing(account.client("s3"), account.name)
    assert not replayer.run(select(listing, wanted))
    loaded = JobStore(account.client("s3"), account.name).load(job.id)
    assert loaded.position.line == 43
    going_on = account.replayer(loaded, wanted)
    refs = [ObjectRef(loaded.position.key, loaded.position.size)]
    assert going_on.run([*refs, *select(listing, wanted, loaded.position.key)])
    assert loaded.counts["read"] == 300
    assert {envelope.id for envelope in account.on_stream()} == {f"request-{n}" for n in range(100)}


def test_the_stream_tells_what_it_takes(account: Account) -> None:
    assert capacity(account.client("kinesis"), account.name).records == 3000


def wait_for_messages(sqs: Any, url: str, count: int) -> None:
    name, end = "ApproximateNumberOfMessages", time.monotonic() + 600
    while True:
        answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])
        if int(answer["Attributes"][name]) >= count:
            return
        assert time.monotonic() < end, answer
        time.sleep(0.01)


def test_tickets_of_real_notifications(account: Account) -> None:
    rejected = "rejected/source=github/dt=2026-11-23/hr=20/shardId-000000000000-1.jsonl.gz"
    text = orjson.dumps(line(1, reason="schema_violation", explanation="rule 'type'")) + b"\n"
    for _ in range(2):
        account.put(rejected, gzip.compress(text))
    payload = {"Records": [record(aggregate(generic({}, request="a"), generic({}, request="b")))]}
    failed = "aws/lambda/1-2/shardId-000000000000/2026/11/23/2026-11-23T20.08.23-1"
    account.put(failed, orjson.dumps({"payload": json.dumps(payload)}))
    account.put("raw/x", b"no ticket")
    sqs = account.client("sqs")
    # The emulator notifies from threads of its own. Its first message is S3's test event.
    wait_for_messages(sqs, account.queue, 4)
    with DeadLetters(sqs, account.queue, account.name) as letters:
        tickets = {ticket.key: ticket for ticket in letters.tickets}
        assert set(tickets) == {rejected, failed}
        assert len(tickets[rejected].messages) == 2
        with DeadLetters(sqs, account.queue, account.name) as others:
            assert others.tickets == [], "they are hidden from another operator"
        found = summarize(Objects(account.client("s3"), account.name), failed)
        assert (found.events, found.sources) == (2, {"generic": 2})
        wanted = Filter(frozenset(ArchiveKind))
        replayer = account.replayer(account.job(wanted), wanted)
        for ticket in letters.tickets:
            assert replayer.run([ObjectRef(ticket.key, ticket.size)])
        letters.delete(tickets[rejected])
    assert {envelope.id for envelope in account.on_stream()} == {"request-1", "a", "b"}
    with DeadLetters(sqs, account.queue, account.name) as letters:
        assert [ticket.key for ticket in letters.tickets] == [failed]


def test_the_worker_function(
    account: Account, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert catalog.sources
    monkeypatch.setenv("AWS_ENDPOINT_URL", account.emulator.endpoint_url)
    for name, value in account.emulator.credentials.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("ARCHIVE_BUCKET", account.name)
    monkeypatch.setenv("STREAM_NAME", account.name)
    monkeypatch.setenv("MAX_RECORD_KIB", "1024")
    replay_worker.worker.cache_clear()
    data = github({})
    found = Record("1", "shardId-0", time.time(), data, envelope=decode_envelope(data))
    text = orjson.dumps(describe(found)) + orjson.dumps({}) + b"\n{"
    account.put("rejected/source=github/x.jsonl.gz", gzip.compress(text.replace(b"}{}", b"}\n{}")))
    items = [{"Key": "rejected/source=github/x.jsonl.gz", "Size": 100}, {"Key": "x", "Size": 1}]
    job = new_job_id(datetime.now(UTC))
    shared = {"job": job, "filter": {}, "rate": 1000, "limit": 3, "force": True}
    answer = replay_worker.handler({"BatchInput": shared, "Items": items}, Context(60.0))  # type: ignore[arg-type]
    assert answer["counts"] == {
        "objects": 2,
        "objects_read": 1,
        "read": 3,
        "matched": 1,
        "sent": 1,
        "unreadable": 2,
    }
    (envelope,) = account.on_stream()
    assert (envelope.force, envelope.replay) == (True, job)
    replay_worker.worker.cache_clear()


def test_a_record_that_holds_base64_only(account: Account) -> None:
    broken = {**line(1), "record_base64": base64.b64encode(b"malformed").decode()}
    del broken["body"]
    account.put("raw/source=_unknown/x.gz", gzip.compress(orjson.dumps(broken)))
    wanted = Filter(frozenset({ArchiveKind.RAW}))
    replayer = account.replayer(account.job(wanted), wanted)
    assert replayer.run(select(ArchiveListing(account.client("s3"), account.name), wanted))
    assert replayer.job.counts == {"read": 1, "matched": 1, "unreplayable": 1}
    assert account.on_stream() == []
