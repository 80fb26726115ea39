"""What failure records say of the places of records, and lines that are read but for a field."""

from __future__ import annotations

import gzip
from typing import Any

import orjson
import pytest

from pipeline.archive.failures import GivenUp, read_given_up
from pipeline.archive.line_fields import LineError
from pipeline.archive.objects import ObjectGoneError
from pipeline.archive.reading import Unreadable, read_documents
from tests.support.bench import NOW_MS, aggregate, generic, record

SHARD = "shardId-000000000000"
ARN = "arn:aws:lambda:us-west-2:000000000000:function:the-fan-out"


def failure(*records: Any, arn: Any = ARN) -> bytes:
    return orjson.dumps(
        {
            "requestContext": {"functionArn": arn},
            "payload": orjson.dumps({"Records": records}).decode(),
        }
    )


def read(content: bytes) -> list[GivenUp | LineError]:
    return list(read_given_up([content[:100], content[100:]]))


def place(one: dict[str, Any]) -> int:
    return int(one["kinesis"]["sequenceNumber"])


def test_each_user_record_has_its_place_and_the_id_of_its_request() -> None:
    first = record(aggregate(generic({}, request="one"), generic({}, request="two", replay="job")))
    second = record(b"no envelope")
    assert read(failure(first, second)) == [
        GivenUp("the-fan-out", SHARD, place(first), "one", NOW_MS / 1000),
        GivenUp("the-fan-out", SHARD, place(first), "two@job", NOW_MS / 1000),
        GivenUp("the-fan-out", SHARD, place(second), f"{SHARD}:{place(second)}.0", NOW_MS / 1000),
    ]


@pytest.mark.parametrize(
    ("arn", "function"),
    [
        (ARN, "the-fan-out"),
        (f"{ARN}:$LATEST", "the-fan-out"),
        ("a:b:short", "short"),
        ("", "a function"),
        (None, "a function"),
    ],
)
def test_the_function_is_named_without_its_qualifier(arn: Any, function: str) -> None:
    (found,) = read(failure(record(b"x"), arn=arn))
    assert isinstance(found, GivenUp)
    assert found.function == function


def test_a_failure_record_without_context_is_of_a_function() -> None:
    content = orjson.dumps({"payload": {"Records": [record(b"x")]}})
    (found,) = read(content)
    assert isinstance(found, GivenUp)
    assert found.function == "a function"


def test_what_is_wrong_with_one_record_stops_no_other() -> None:
    strange = record(b"x")
    strange["kinesis"]["sequenceNumber"] = "first"
    good = record(b"y")
    wrong, unnumbered, found = read(failure({"kinesis": {}}, strange, good))
    assert str(wrong) == "a record without 'data'"
    assert str(unnumbered) == "'sequence_number' is no number"
    assert isinstance(found, GivenUp)
    assert found.sequence == place(good)


def test_what_is_no_failure_record_is_said() -> None:
    for content, said in ((b"{", "not JSON"), (b"{}", "no 'payload' with 'Records'")):
        with pytest.raises(LineError, match=said):
            read(content)


def documents(data: bytes) -> list[dict[str, Any] | Unreadable]:
    return list(read_documents([data]))


def test_lines_are_given_as_they_were_parsed() -> None:
    packed = gzip.compress(b'{"a":1}\n[]\n{\n{"b":"\\u00fc"}\n')
    assert documents(packed) == [
        {"a": 1},
        Unreadable("line 2: no JSON object"),
        Unreadable("line 3: no JSON object"),
        {"b": "ü"},
    ]


def test_a_line_that_is_too_long_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.archive.unpacking.split_lines.__defaults__", (20,))
    packed = gzip.compress(b'{"a":1}\n{"b":"' + b"x" * 20 + b'"}\n{"c":2}\n')
    assert documents(packed) == [{"a": 1}, Unreadable("line 2: no JSON object"), {"c": 2}]


def test_an_object_that_ends_early_gives_what_it_has() -> None:
    packed = gzip.compress(b'{"a":1}\n' * 3)
    assert documents(packed[:-9])[-1] == Unreadable("cut off before its end")
    assert documents(b"") == [Unreadable("empty")]


def test_an_object_that_is_gone_is_said() -> None:
    def chunks() -> Any:
        raise ObjectGoneError("the object is gone")
        yield b""

    assert list(read_documents(chunks())) == [Unreadable("the object is gone", gone=True)]
