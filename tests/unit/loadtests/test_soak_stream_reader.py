"""The soak's own reader: every user record on the stream, and nothing of the product."""

from __future__ import annotations

import base64
import gzip
import io
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, cast

import orjson
import pytest
import yaml
from aws_kinesis_agg.aggregator import RecordAggregator

from loadtests.soak.arena import PipelineUnderTest
from loadtests.soak.books import Books, digest
from loadtests.soak.evidence import read_archive
from loadtests.soak.proxy import ADDRESS
from loadtests.soak.requests import RequestKind
from loadtests.soak.runtime import RuntimeSettings
from loadtests.soak.stream_reader import SPLITS, find_elements, read_envelope
from local.credentials import RunCredentials
from local.endpoints import Endpoints
from settings.source.loader import load_sources
from tests.unit.loadtests.soak_support import (
    FakeShard,
    FakeStream,
    batch,
    envelope,
    read_stream,
    sent,
    throttled,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_s3 import S3Client

ROOT = Path(__file__).parents[3]


@pytest.fixture
def books() -> Iterator[Books]:
    with Books(Path(":memory:")) as opened:
        yield opened


def records(*numbers: int) -> list[tuple[str, bytes]]:
    return [(str(n), envelope(f"e-{n}", sent(RequestKind.GENERIC, n))) for n in numbers]


def read_ids(books: Books) -> list[str]:
    return [name for (name,) in books.rows("SELECT id FROM stream ORDER BY id")]


def test_the_reader_loads_nothing_of_the_product() -> None:
    """Not by another module either: what it reads is read independently."""
    program = (
        "import sys, loadtests.soak.stream_reader as reader\n"
        "rooms = ('pipeline', 'stream_processors', 'ingest_lambdas', 'settings', 'local')\n"
        "print([name for name in sys.modules if name.partition('.')[0] in rooms])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_the_reader_asks_the_stream_and_not_the_fault_proxy(tmp_path: Path) -> None:
    arena = PipelineUnderTest(RuntimeSettings("assembly", str(tmp_path), 1))
    arena.where = Endpoints(
        api="",
        aws_endpoint_url="http://127.0.0.1:7",
        region="us-west-2",
        queues={},
        dead_letter_queue="",
        archive_bucket="",
        dedupe_table="",
        stream="",
        parameters={},
        credentials=RunCredentials("id", "secret"),
    )
    (tmp_path / ADDRESS).write_text("http://127.0.0.1:9")
    assert arena.client("kinesis").meta.endpoint_url == "http://127.0.0.1:7" != arena.proxy


def test_the_list_of_events_is_where_the_catalogue_says() -> None:
    names = yaml.safe_load((ROOT / "loadtests/config/soak.yaml").read_text())["sources"]
    split = {
        name: source.settings.split.path
        for name, source in load_sources(names).items()
        if source.settings.split
    }
    assert split == {name: ".".join(path) for name, path in SPLITS.items()}


def test_every_shard_is_read_from_its_beginning_past_empty_pages(books: Books) -> None:
    shards = {
        "s-0": FakeShard(records(1, 2, 3)),
        "s-1": FakeShard(),
        "s-2": FakeShard(records(4)),
        "s-3": FakeShard(records(5), closed=True),
    }
    read_stream(FakeStream(shards), books)
    assert read_ids(books) == ["e-1", "e-2", "e-3", "e-4", "e-5"]
    assert list(books.rows("SELECT * FROM stream WHERE id = 'e-4'")) == [
        (
            "s-2:4",
            0,
            "e-4",
            "e-4",
            "generic",
            "",
            digest(sent(RequestKind.GENERIC, 4).body),
            "soak-1-4",
        )
    ]


def test_children_of_a_shard_that_is_split_meanwhile_are_read(books: Books) -> None:
    stream = FakeStream({"s-0": FakeShard(records(1), closed=True), "s-1": FakeShard(records(2))})

    def split(shard: str) -> None:
        if shard == "s-0":
            stream.shards["s-2"] = FakeShard(records(3), closed=True)
            stream.shards["s-3"] = FakeShard(records(4))
        if shard == "s-2":  # and its child is merged with another's
            stream.shards["s-4"] = FakeShard(records(5))

    stream.on_end = split
    read_stream(stream, books)
    assert read_ids(books) == ["e-1", "e-2", "e-3", "e-4", "e-5"]


def test_an_expired_iterator_and_a_throttle_lose_nothing(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr("loadtests.soak.stream_reader.time.sleep", waits.append)
    stream = FakeStream({"s-0": FakeShard(records(1, 2, 3, 4))})
    stream.expire_once, stream.throttle_once = {"s-0/2+"}, {"s-0/3"}
    read_stream(stream, books)
    assert read_ids(books) == ["e-1", "e-2", "e-3", "e-4"]
    assert not stream.expire_once | stream.throttle_once
    assert stream.given == ["1", "2", "3", "4"]
    assert len(waits) == 1


def test_another_fault_of_the_stream_ends_the_reading(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr("loadtests.soak.stream_reader.time.sleep", waits.append)
    stream = FakeStream({"s-0": FakeShard(records(1))})
    error = throttled()
    error.response["Error"]["Code"] = "AccessDeniedException"

    def refuse(**_: object) -> dict[str, object]:
        raise error

    stream.get_records = refuse  # type: ignore[method-assign]
    with pytest.raises(type(error), match="GetRecords"):
        read_stream(stream, books)
    assert not waits


def test_reading_goes_on_where_it_ended(books: Books) -> None:
    stream = FakeStream({"s-0": FakeShard(records(1)), "s-1": FakeShard(records(2), closed=True)})
    reader = read_stream(stream, books)
    stream.shards["s-0"].records += records(3)
    del stream.shards["s-1"]  # its records are no longer kept
    reader.read()
    assert read_ids(books) == ["e-1", "e-2", "e-3"]
    assert stream.given == ["1", "2", "3"]


def test_an_aggregate_is_taken_apart_by_the_vendors_library(books: Books) -> None:
    aggregator = RecordAggregator()
    for number, request in enumerate((sent(RequestKind.GENERIC, 1), batch(2, 3))):
        aggregator.add_user_record("key", envelope(f"e-{number}", request, "&replay=a%40job"))
    data = aggregator.clear_and_get().get_contents()[2]
    broken = data[:-1] + bytes([data[-1] ^ 1])
    read_stream(FakeStream({"s": FakeShard([("7", data), ("8", broken)])}), books)
    found = books.rows("SELECT place, number, whole, job FROM stream ORDER BY place, number")
    assert list(found) == [
        ("s:7", 0, "e-0@a%40job", "a@job"),
        ("s:7", 1, "e-1@a%40job", "a@job"),
        ("s:8", 0, "s:8.0", ""),
    ]
    events = books.rows("SELECT event, token FROM expected WHERE place = 's:7' ORDER BY event")
    assert list(events) == [
        ("e-0@a%40job", "soak-1-1"),
        ("e-1@a%40job#0", "soak-1-2.0"),
        ("e-1@a%40job#1", "soak-1-2.1"),
        ("e-1@a%40job#2", "soak-1-2.2"),
    ]


def test_what_is_no_envelope_is_known_by_its_place() -> None:
    for data in (b"", b"no line", b"a&b\nbody", b"v=1&ts=1&source=x\n{}", b"\xff=1&id=1\n"):
        found = read_envelope(data, "s:7", 2)
        assert (found.id, found.whole, found.source) == ("s:7.2", "s:7.2", "")
        assert found.body == data


def test_an_id_is_escaped_as_in_the_ledger() -> None:
    found = read_envelope(b"v=1&id=a%40b%23c%25d+e&ts=1&source=x&key=&replay=j%231 \nbody", "s", 0)
    assert found.id == "a@b#c%d e"
    assert found.whole == "a%40b%23c%25d e@j%231"


def test_events_of_a_request_are_counted_in_its_body() -> None:
    assert find_elements("okta", b'{"data": {"events": [1, {}, null]}}') == [1, {}, None]
    for body in (b"", b"[]", b'{"data": []}', b'{"data": {"events": {}}}', b"\xff", b"[" * 100_000):
        assert find_elements("okta", body) is None
    assert find_elements("okta", b'{"data": {"events": []}}') is None
    assert find_elements("generic", b'{"data": {"events": [1]}}') is None


class Archive:
    """S3 with some objects, by key."""

    def __init__(self, **contents: bytes) -> None:
        self._contents = contents

    def get_paginator(self, operation: str) -> Archive:
        assert operation == "list_objects_v2"
        return self

    def paginate(self, *, Bucket: str) -> list[dict[str, object]]:
        assert Bucket == "archive"
        return [{"Contents": [{"Key": key}]} for key in self._contents]

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, object]:
        assert Bucket == "archive"
        return {"Body": io.BytesIO(self._contents[Key])}


def test_the_ledger_is_read_by_place_and_a_reason_is_an_outcome_of_rejected_events_alone(
    books: Books,
) -> None:
    lines = [
        ("e-1@job#0", "delivered", "id_reused"),
        ("e-1@job#1", "duplicate", None),
        ("e-2", "rejected", "invalid_json"),
    ]
    content = b"\n".join(
        orjson.dumps(
            {
                "id": event,
                "outcome": outcome,
                "reason": reason,
                "shard_id": "s",
                "sequence_number": "7",
            }
        )
        for event, outcome, reason in lines
    )
    # Twice: a batch that is cut off after its ledger was written, and split, writes it again.
    objects = {f"ledger/{number}.jsonl.gz": gzip.compress(content) for number in range(2)}
    read_archive(books, cast("S3Client", Archive(**objects)), "archive", "mapping")
    assert list(books.rows("SELECT * FROM ledger ORDER BY id")) == [
        ("e-1@job#0", "s:7", "delivered", "e-1@job", "id_reused", 2),
        ("e-1@job#1", "s:7", "duplicate", "e-1@job", "", 2),
        ("e-2", "s:7", "rejected:invalid_json", "e-2", "invalid_json", 2),
    ]


def test_a_failure_record_names_each_user_record_by_its_place(books: Books) -> None:
    aggregator = RecordAggregator()
    for number in (1, 2):
        aggregator.add_user_record(
            "key", envelope(f"e-{number}", sent(RequestKind.GENERIC, number))
        )
    contents = {
        "7": aggregator.clear_and_get().get_contents()[2],
        "8": envelope("e-3", sent(RequestKind.GENERIC, 3)),
        "9": b"no envelope",
    }
    lines = [
        {
            "eventID": f"s:{number}",
            "kinesis": {
                "sequenceNumber": number,
                "partitionKey": "key",
                "approximateArrivalTimestamp": 1.0,
                "data": base64.b64encode(data).decode(),
            },
        }
        for number, data in contents.items()
    ]
    content = orjson.dumps({"payload": orjson.dumps({"Records": lines}).decode()})
    archive = Archive(**{"aws/lambda/mapping/s/x": content})
    read_archive(books, cast("S3Client", archive), "archive", "mapping")
    assert list(books.rows("SELECT * FROM failed ORDER BY place, id")) == [
        ("e-1", "s:7", digest(sent(RequestKind.GENERIC, 1).body)),
        ("e-2", "s:7", digest(sent(RequestKind.GENERIC, 2).body)),
        ("e-3", "s:8", digest(sent(RequestKind.GENERIC, 3).body)),
        ("s:9.0", "s:9", digest(b"no envelope")),
    ]
