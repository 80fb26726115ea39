"""Faults within objects of the archive: each is said where it is, and what follows is read."""

from __future__ import annotations

import gzip
import threading
from typing import Any

import orjson
import pytest

from pipeline.archive import reading
from pipeline.archive.failures import GivenUp, read_failure, read_given_up
from pipeline.archive.keys import shard_of
from pipeline.archive.line_fields import LineError
from pipeline.archive.lines import ArchivedEvent
from pipeline.archive.objects import ObjectRef, Objects
from pipeline.archive.reading import Unreadable, read_object
from pipeline.archive.unpacking import split_lines
from tests.support.bench import aggregate, generic, record
from tests.support.replay import FakeArchive, line

RAW = "raw/source=github/dt=2026-11-23/hr=20/shardId-000000000000-1.jsonl.gz"
FAILURE = "aws/lambda/1/shardId-000000000000/2026/11/23/2026-11-23T20.08.23-1"
CONTEXT = {
    "requestContext": {
        "condition": "RetryAttemptsExhausted",
        "functionArn": "arn:aws:lambda:us-west-2:000000000000:function:fan-out",
        "approximateInvokeCount": 4,
    }
}


def failure(*records: Any, **more: Any) -> list[ArchivedEvent | LineError]:
    document = {**CONTEXT, "payload": orjson.dumps({"Records": records}).decode(), **more}
    found = list(read_failure([orjson.dumps(document)]))
    assert [number for number, _ in found] == list(range(1, len(found) + 1))
    return [item for _, item in found]


def changed(**kinesis: Any) -> dict[str, Any]:
    one = record(generic({}, request="r-1"))
    one["kinesis"].update(kinesis)
    return one


def test_each_user_record_of_a_failure_has_its_own_fate() -> None:
    sound, odd = generic({"n": 1}, request="r-1", replay="job"), b"no envelope"
    found = failure(record(aggregate(sound, odd)), changed(data="no base64!"))
    assert all(isinstance(one, ArchivedEvent) for one in found)
    first, second, third = (one for one in found if isinstance(one, ArchivedEvent))
    assert (first.id, first.source, first.kind) == ("r-1@job", "generic", "failed")
    assert first.reason == "RetryAttemptsExhausted"
    assert first.explanation == ("RetryAttemptsExhausted: given up by fan-out after 4 invocations")
    assert first.envelope is not None
    assert first.envelope.body == b'{"n":1}'
    assert (second.envelope, second.record, second.source) == (None, odd, "_unknown")
    assert second.explanation != first.explanation, "why it is no envelope"
    assert third.explanation == "the record's data is not base64"
    assert (third.envelope, third.record) == (None, b"no base64!")


@pytest.mark.parametrize(
    ("arrived", "sound"),
    [
        (0, True),
        (1_795_464_503.123, True),
        (1e11 - 1, True),
        (1e11, False),
        (-0.001, False),
        (True, False),
        ("1", False),
        (None, False),
    ],
)
def test_a_time_of_arrival_is_a_time(arrived: Any, sound: bool) -> None:
    (found,) = failure(changed(approximateArrivalTimestamp=arrived))
    if sound:
        assert isinstance(found, ArchivedEvent)
        assert found.arrived == arrived
    else:
        assert isinstance(found, LineError)
        assert "approximateArrivalTimestamp" in str(found)


def test_a_record_that_does_not_say_when_it_arrived_is_of_the_epoch() -> None:
    one = record(generic({}))
    del one["kinesis"]["approximateArrivalTimestamp"]
    (found,) = failure(one)
    assert isinstance(found, ArchivedEvent)
    assert found.arrived == 0.0


@pytest.mark.parametrize(
    ("condition", "reason"),
    [
        ("RetryAttemptsExhausted", "RetryAttemptsExhausted"),
        ("RecordAgeExceeded", "RecordAgeExceeded"),
        ("Else", "failed"),
        (7, "failed"),
        (None, "failed"),
    ],
)
def test_why_it_was_given_up(condition: Any, reason: str) -> None:
    context = {**CONTEXT["requestContext"], "condition": condition}
    more = {"requestContext": context, "responseContext": {"functionError": "Unhandled"}}
    (found,) = failure(record(generic({})), **more)
    assert isinstance(found, ArchivedEvent)
    assert found.reason == reason
    assert found.explanation.startswith(f"{reason}: given up by fan-out after 4 invocations")
    assert found.explanation.endswith(", error Unhandled")


@pytest.mark.parametrize("where", ["functionArn", "functionError"])
def test_an_explanation_of_any_length_is_cut(where: str) -> None:
    context = {**CONTEXT["requestContext"], **({where: "x" * 900} if where[8] == "A" else {})}
    more = {"requestContext": context, "responseContext": {where: "x" * 900}}
    (found,) = failure(record(generic({})), **more)
    assert isinstance(found, ArchivedEvent)
    assert len(found.explanation) == 500


def test_where_on_the_stream_it_was_that_was_given_up() -> None:
    first, second = generic({}, request="r-1"), generic({}, request="r-2", replay="job")
    outer, odd = record(aggregate(first, second)), changed(sequenceNumber="49x")
    document = {**CONTEXT, "payload": {"Records": [outer, odd, {"kinesis": 1}]}}
    found = list(read_given_up([orjson.dumps(document)]))
    place = ("fan-out", "shardId-000000000000", int(outer["kinesis"]["sequenceNumber"]))
    arrived = outer["kinesis"]["approximateArrivalTimestamp"]
    assert found[:2] == [
        GivenUp(*place, "r-1", arrived),
        GivenUp(*place, "r-2@job", arrived),
    ]
    assert ["number" in str(one) or "kinesis" in str(one) for one in found[2:]] == [True, True]
    assert all(isinstance(one, LineError) for one in found[2:])


@pytest.mark.parametrize(
    ("key", "shard"),
    [
        (RAW, "shardId-000000000000"),
        (FAILURE, "shardId-000000000000"),
        ("raw/source=github/dt=2026-11-23/hr=20/else.jsonl.gz", ""),
        ("shardId-000000000000-1.jsonl.gz", ""),
        ("raw/shardId-/x", ""),
    ],
)
def test_the_shard_of_an_object(key: str, shard: str) -> None:
    assert shard_of(key) == shard


def test_a_line_that_is_too_long_or_wrong_or_empty_stops_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reading, "split_lines", lambda pieces: split_lines(pieces, 1_000))
    lines = [orjson.dumps(line(1)), b"x" * 1_001, b"", b"{", orjson.dumps(line(2))]
    content = gzip.compress(b"\n".join(lines))
    found = list(read_object(RAW, [content]))
    assert [number for number, _ in found] == [1, 2, 4, 5]
    sound = [item.id for _, item in found if isinstance(item, ArchivedEvent)]
    assert sound == ["request-1", "request-2"]
    faults = [item for _, item in found if isinstance(item, Unreadable)]
    assert faults[0] == Unreadable("the line is too long")
    assert "not JSON" in faults[1].explanation
    assert not any(fault.gone for fault in faults), "the object is still there"
    assert [number for number, _ in read_object(RAW, [content], skip=2)] == [4, 5]


@pytest.mark.parametrize(
    ("pieces", "lines"),
    [
        ([b"a\nb\n"], [(1, b"a"), (2, b"b")]),
        ([b"a\nb"], [(1, b"a"), (2, b"b")]),
        ([b"a", b"b\nc", b"", b"d\n"], [(1, b"ab"), (2, b"cd")]),
        ([b"12345\n"], [(1, b"12345")]),
        ([b"123", b"45\n"], [(1, b"12345")]),
        ([b"123", b"45"], [(1, b"12345")]),
        ([b"123456\nx\n"], [(1, None), (2, b"x")]),
        ([b"123", b"456\nx\n"], [(1, None), (2, b"x")]),
        ([b"123456", b"7", b"\nx"], [(1, None), (2, b"x")]),
        ([b"123", b"456"], [(1, None)]),
        ([b"\n\n", b"\n"], [(1, b""), (2, b""), (3, b"")]),
        ([], []),
    ],
)
def test_lines_of_five_bytes_at_most(
    pieces: list[bytes], lines: list[tuple[int, bytes | None]]
) -> None:
    assert list(split_lines(pieces, 5)) == lines


def test_who_has_read_enough_does_not_wait_for_what_is_fetched_ahead() -> None:
    archive, going_on = FakeArchive(), threading.Event()
    archive.objects = {"a": b"1", "b": b"2"}
    fetch = archive.get_object

    def slow(*, Key: str, **more: Any) -> dict[str, Any]:
        if Key == "b":
            assert going_on.wait(60)
        return fetch(Key=Key, **more)

    archive.get_object = slow  # type: ignore[method-assign]
    found = Objects(archive, "archive").ahead([ObjectRef("a", 1), ObjectRef("b", 1)])
    ref, chunks = next(found)
    assert (ref.key, b"".join(chunks)) == ("a", b"1")
    closing = threading.Thread(target=found.close)
    closing.start()
    closing.join(60)
    closed_meanwhile = not closing.is_alive()
    going_on.set()
    closing.join(60)
    assert closed_meanwhile
