"""What a replay keeps, whatever the archive holds and wherever things are cut."""

from __future__ import annotations

import base64
import gzip
import hashlib
import itertools
from typing import Any

import orjson
from aws_kinesis_agg.deaggregator import deaggregate_records
from hypothesis import given
from hypothesis import strategies as st

from pipeline.archive.failures import read_failure
from pipeline.archive.keys import ArchiveKind
from pipeline.archive.line_fields import LineError
from pipeline.archive.lines import read_line
from pipeline.archive.reading import read_object
from pipeline.archive.unpacking import UnpackError, split_lines, unpack
from pipeline.stream.aggregates import Packer
from pipeline.stream.kpl import MAGIC
from pipeline.stream.records import read_records
from pipeline.stream.shards import ShardMap
from tests.support.bench import record
from tests.support.replay import FakeKinesis, line

KEYS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
EVENTS = st.lists(
    st.tuples(KEYS, st.binary(min_size=1, max_size=2000).map(lambda data: b"v=1" + data)),
    max_size=60,
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=20,
)


def packed(shards: int, events: list[tuple[str, bytes]], largest: int) -> Any:
    kinesis = FakeKinesis(shards)
    found = ShardMap(kinesis, "stream")
    found.refresh()
    packer = Packer(found, largest)
    taken = [event for event in events if packer.add(*event)]
    return kinesis, packer.take(), taken


@given(events=EVENTS, shards=st.integers(1, 7), largest=st.integers(60, 6000))
def test_packing_keeps_each_event_and_sends_it_to_the_shard_of_its_key(
    events: list[tuple[str, bytes]], shards: int, largest: int
) -> None:
    kinesis, records, taken = packed(shards, events, largest)
    for key, data in events:
        assert ((key, data) in taken) == (len(key.encode()) + len(data) <= largest)
    seen: list[bytes] = []
    keys = {data: key for key, data in taken}
    for one in records:
        assert one.size <= largest
        explicit = str(one.shard.start) if one.shard else None
        reached = kinesis.shard_of(one.partition_key, explicit)
        user_records = list(read_records([record(one.data)]))
        assert len(user_records) == one.events
        for event in user_records:
            assert not event.fault
            seen.append(event.data)
            if len(keys) == len(taken):
                assert kinesis.shard_of(keys[event.data]) == reached
    assert sorted(seen) == sorted(data for _, data in taken)


@given(events=EVENTS)
def test_aggregates_are_those_of_the_producer_library(events: list[tuple[str, bytes]]) -> None:
    _, records, taken = packed(1, events, 1_000_000)
    found = deaggregate_records([record(one.data) for one in records])
    if len(taken) > 1:
        data = [base64.b64decode(one["kinesis"]["data"]) for one in found]
        assert data == [data for _, data in taken]
        keys = [one["kinesis"]["partitionKey"] for one in found]
        assert keys == [key for key, _ in taken]
        assert records[0].data.startswith(MAGIC)


@given(events=EVENTS)
def test_events_of_one_key_stay_in_their_order(events: list[tuple[str, bytes]]) -> None:
    numbered = [(key[:1], b"v=1 %d" % number) for number, (key, _) in enumerate(events)]
    _, records, _ = packed(3, numbered, 300)
    keys = {data: key for key, data in numbered}
    by_key: dict[str, list[bytes]] = {}
    for one in records:
        for event in read_records([record(one.data)]):
            by_key.setdefault(keys[event.data], []).append(event.data)
    for key, found in by_key.items():
        assert found == [data for one, data in numbered if one == key]


@given(text=st.binary(max_size=3000), cuts=st.lists(st.integers(0, 3000), max_size=20))
def test_lines_do_not_depend_on_where_they_are_cut(text: bytes, cuts: list[int]) -> None:
    text = text.replace(b"a", b"\n")
    places = [0, *sorted(cuts), len(text)]
    pieces = [text[start:end] for start, end in itertools.pairwise(places)]
    whole = text.split(b"\n")
    expected = dict(enumerate(whole if whole[-1] else whole[:-1], 1))
    assert dict(split_lines(pieces)) == expected


@given(
    parts=st.lists(st.binary(max_size=4000), min_size=1, max_size=4),
    cuts=st.lists(st.integers(0, 4000), max_size=20),
)
def test_unpacking_does_not_depend_on_where_it_is_cut(parts: list[bytes], cuts: list[int]) -> None:
    content = b"".join(gzip.compress(part) for part in parts)
    places = [0, *sorted(cut for cut in cuts if cut < len(content)), len(content)]
    chunks = [content[start:end] for start, end in itertools.pairwise(places)]
    assert b"".join(unpack(chunks)) == b"".join(parts)


@given(content=st.binary(max_size=500), start=st.binary(max_size=4))
def test_unpacking_anything_ends_in_one_error_or_none(content: bytes, start: bytes) -> None:
    for hostile in (content, gzip.compress(content)[: len(content)] + start, b"\x1f\x8b" + content):
        try:
            for _ in unpack([hostile]):
                pass
        except UnpackError:
            pass


@given(document=JSON | st.dictionaries(st.sampled_from(sorted(line(1))), JSON))
def test_any_line_is_an_event_or_a_fault(document: Any) -> None:
    changed = {**line(1), **document} if isinstance(document, dict) else document
    for one in (document, changed):
        try:
            text = orjson.dumps(one)
        except TypeError:
            continue
        try:
            event = read_line(ArchiveKind.RAW, text)
        except LineError:
            continue
        assert event.envelope is None or event.envelope.id


@given(document=JSON, data=st.binary(max_size=200), change=JSON)
def test_any_failure_record_gives_events_or_faults(document: Any, data: bytes, change: Any) -> None:
    records = [record(data), change, {"kinesis": change}, record(MAGIC + data)]
    records += [{**record(data), "kinesis": {**record(data)["kinesis"], "data": change}}]
    for payload in (document, {"Records": records}, {"Records": document}):
        try:
            text = orjson.dumps({"payload": payload})
        except TypeError:
            continue
        for _, item in read_object("aws/lambda/x", [text]):
            assert item is not None


@given(content=st.binary(max_size=300))
def test_any_bytes_under_any_prefix(content: bytes) -> None:
    for key in ("raw/x", "rejected/x", "quarantine/x", "aws/lambda/x", "x"):
        for body in (content, gzip.compress(content)):
            list(read_object(key, [body]))


def test_a_failure_record_in_pieces() -> None:
    text = orjson.dumps({"payload": {"Records": [record(b"x")]}})
    pieces = [text[at : at + 1] for at in range(len(text))]
    assert len(list(read_failure(pieces))) == 1


def test_md5_of_an_aggregate_is_that_of_its_message() -> None:
    _, (one,), _ = packed(1, [("a", b"v=1x"), ("b", b"v=1y")], 1_000_000)
    message, digest = one.data[4:-16], one.data[-16:]
    assert hashlib.md5(message, usedforsecurity=False).digest() == digest
