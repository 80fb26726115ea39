"""Archive objects are not trusted: what is wrong is said, and stops nothing."""

from __future__ import annotations

import base64
import gzip
import tracemalloc
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from pipeline.archive import unpacking
from pipeline.archive.keys import ArchiveKind
from pipeline.archive.line_fields import LineError
from pipeline.archive.lines import ArchivedEvent, describe, describe_rejection, read_line
from pipeline.archive.objects import ArchiveReadError, ObjectRef, Objects
from pipeline.archive.reading import Unreadable, read_object
from pipeline.archive.unpacking import UnpackError, split_lines, unpack
from pipeline.event.envelope import Envelope, encode_envelope
from pipeline.event.events import Event, Record, rejected
from pipeline.event.outcomes import Reason
from tests.support.bench import aggregate, generic, github, record
from tests.support.fakes import client_error, out_of_reach
from tests.support.replay import FakeArchive, line

if TYPE_CHECKING:
    from pipeline.event.compiled_source import Catalog

RAW = "raw/source=github/dt=2026-11-23/hr=20/shardId-000000000000-1.jsonl.gz"
FAILURE = "aws/lambda/1/shardId-000000000000/2026/11/23/2026-11-23T20.08.23-1"


def read(key: str, content: bytes) -> list[ArchivedEvent | Unreadable]:
    return [item for _, item in read_object(key, [content])]


def faults(items: list[ArchivedEvent | Unreadable]) -> list[str]:
    return [item.explanation for item in items if isinstance(item, Unreadable)]


def events(items: list[ArchivedEvent | Unreadable]) -> list[ArchivedEvent]:
    return [item for item in items if isinstance(item, ArchivedEvent)]


def test_what_the_archive_writes_is_read_back(catalog: Catalog) -> None:
    for body in (b'{"a": 1}', b"\xff\xfe\x00", b"", "ü\u2028".encode()):
        envelope = Envelope("r=1", 1_795_464_503_123, "github", "::1", body, "d 1", {"h": "ü"})
        source = catalog.sources["github"]
        event = Event("7", "shardId-1", 1.5, envelope, source, "r=1#2", "7#2", event_type="push")
        plain = read_line(ArchiveKind.RAW, orjson.dumps(describe(event)))
        assert (plain.envelope, plain.id, plain.arrived) == (envelope, "r=1#2", 1.5)
        assert plain.event_type == "push"
        outcome = rejected(event, Reason.SCHEMA_VIOLATION, "rule 'type'")
        refused = read_line(ArchiveKind.REJECTED, orjson.dumps(describe_rejection(outcome)))
        assert refused.envelope == envelope
        assert (refused.reason, refused.explanation) == ("schema_violation", "rule 'type'")


def test_a_record_that_is_no_envelope_stays_unreplayable_until_it_is_understood() -> None:
    found = Record("7", "shardId-1", 1.5, b"malformed")
    assert read_line(ArchiveKind.REJECTED, orjson.dumps(describe(found))).envelope is None
    found.data = generic({"a": 1}, request="r")
    understood = read_line(ArchiveKind.REJECTED, orjson.dumps(describe(found))).envelope
    assert understood is not None
    assert understood.id == "r"


@pytest.mark.parametrize(
    "change",
    [
        {"id": 1},
        {"id": None},
        {"id": "x" * 3000},
        {"arrived": "yesterday"},
        {"arrived": 5},
        {"envelope_id": ""},
        {"envelope_source": ""},
        {"envelope_source": ["github"]},
        {"envelope_ts": "1"},
        {"envelope_ts": True},
        {"envelope_ts": -1},
        {"envelope_ts": 10**14},
        {"envelope_ts": 1.5},
        {"headers": None},
        {"headers": {"a": 1}},
        {"headers": []},
        {"replays": -1},
        {"replays": 10**9},
        {"replays": "0"},
        {"replay": 1},
        {"key": None},
        {"ip": {}},
        {"body": None},
        {"body": 1},
        {"body_base64": "AA=="},
        {"record_base64": "?"},
        {"record_base64": 1},
        {"source": 1},
        {"reason": []},
        {"explanation": "x" * 9000},
    ],
)
def test_a_line_with_a_wrong_field(change: dict[str, Any]) -> None:
    with pytest.raises(LineError):
        read_line(ArchiveKind.RAW, orjson.dumps({**line(1), **change}))


@pytest.mark.parametrize(
    "text",
    [b"{", b"[]", b"null", b"1", b'"x"', b"\xff", b"[" * 5000, b"{}", b'{"id":"\\ud800"}'],
)
def test_a_line_that_is_none(text: bytes) -> None:
    with pytest.raises(LineError):
        read_line(ArchiveKind.RAW, text)


def test_a_wrong_line_is_counted_with_its_number_and_the_next_one_is_read() -> None:
    content = gzip.compress(b"\n".join([orjson.dumps(line(1)), b"{", b"", orjson.dumps(line(2))]))
    items = list(read_object(RAW, [content]))
    assert [number for number, _ in items] == [1, 2, 4]
    assert len(events([item for _, item in items])) == 2
    assert "not JSON" in faults([item for _, item in items])[0]


def test_lines_can_be_skipped() -> None:
    content = gzip.compress(b"".join(orjson.dumps(line(n)) + b"\n" for n in range(5)))
    numbers = [number for number, _ in read_object(RAW, [content], skip=3)]
    assert numbers == [4, 5]


@pytest.mark.parametrize("cut", [1, 5, 9, 15, -9, -1])
def test_an_object_that_is_cut_off(cut: int) -> None:
    whole = gzip.compress(b"".join(orjson.dumps(line(n)) + b"\n" for n in range(300)))
    items = read(RAW, whole[:cut])
    assert faults(items)[-1] == "cut off before its end"


@pytest.mark.parametrize("content", [b"", b"plain", b"\x1f\x8b\x08\x00damaged damaged damaged"])
def test_an_object_that_is_no_gzip(content: bytes) -> None:
    (fault,) = read(RAW, content)
    assert isinstance(fault, Unreadable)


def test_damage_in_the_middle_keeps_what_came_before() -> None:
    first = gzip.compress(orjson.dumps(line(1)) + b"\n")
    items = read(RAW, first + b"garbage")
    assert [event.id for event in events(items)] == ["request-1"]
    assert len(faults(items)) == 1


def test_members_and_padding_are_one_text() -> None:
    parts = [gzip.compress(orjson.dumps(line(n)) + b"\n") for n in range(3)]
    content = b"".join(parts) + b"\0" * 512
    assert len(events(read(RAW, content))) == 3
    pieces = [content[at : at + 1] for at in range(len(content))]
    assert len(list(read_object(RAW, pieces))) == 3


def test_a_bomb_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacking, "LARGEST_OBJECT", 1_000_000)
    bomb = gzip.compress(b"\0" * 30_000_000, 9)
    given: list[int] = []
    with pytest.raises(UnpackError, match="400 times"):
        given.extend(len(piece) for piece in unpack([bomb]))
    assert sum(given) < len(bomb) * 400 + 2_000_000


def test_a_line_that_is_too_long_is_left_out() -> None:
    text = b"a" * 50 + b"\n" + b"b" * 10 + b"\n" + b"c" * 51 + b"\nd\n" + b"e" * 60
    for size in (1, 7, 50, 1000):
        pieces = [text[at : at + size] for at in range(0, len(text), size)]
        found = dict(split_lines(pieces, longest=50))
        assert found == {1: b"a" * 50, 2: b"b" * 10, 3: None, 4: b"d", 5: None}


def test_memory_stays_constant() -> None:
    """A hundred megabytes that are made as they are read would not fit if any of them were kept."""
    one = b"".join(orjson.dumps(line(n, body="x" * 8000)) + b"\n" for n in range(250))
    members = 60

    def stream() -> Iterator[bytes]:
        member = gzip.compress(one, 1)
        for _ in range(members):
            yield member

    tracemalloc.start()
    count = sum(1 for _ in read_object(RAW, stream()))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == members * 250
    assert peak < 12_000_000 < members * len(one) / 10


def test_one_endless_line_takes_no_memory() -> None:
    packer = zlib.compressobj(wbits=31)

    def stream() -> Iterator[bytes]:
        for number in range(40):
            yield packer.compress(bytes([97 + number % 26]) * 1_000_000)
        yield packer.flush()

    tracemalloc.start()
    found = list(split_lines(unpack(stream()), longest=2_000_000))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found == [(1, None)]
    assert peak < 12_000_000


def failure(payload: Any, **more: Any) -> bytes:
    return orjson.dumps(
        {
            "requestContext": {"condition": "RetryAttemptsExhausted", "functionArn": "a:b:fan-out"},
            "version": "1.0",
            "payload": payload,
            **more,
        }
    )


@pytest.mark.parametrize("as_text", [True, False])
def test_a_failure_record(as_text: bool) -> None:
    payload = {
        "Records": [
            record(github({"a": 1}, request="one")),
            record(aggregate(generic({}, request="two"), generic({}, request="three"))),
            record(b"malformed"),
        ]
    }
    content = failure(orjson.dumps(payload).decode() if as_text else payload)
    found = events(read(FAILURE, content))
    assert [event.envelope.id if event.envelope else None for event in found] == [
        "one",
        "two",
        "three",
        None,
    ]
    assert {event.reason for event in found} == {"RetryAttemptsExhausted"}
    assert [number for number, _ in read_object(FAILURE, [content], skip=2)] == [3, 4]
    assert found[0].source == "github"


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"[]",
        b"{}",
        failure("{"),
        failure("[]"),
        failure(None),
        failure({"Records": {}}),
        failure({"Records": [1]}),
        failure({"Records": [{"kinesis": {}}]}),
        failure({"Records": [{"kinesis": {"data": "AA==", "sequenceNumber": 1}}]}),
        failure({"Records": [{"kinesis": {"data": 1, "sequenceNumber": "1"}}]}),
        failure(
            {
                "Records": [
                    {
                        "kinesis": {
                            "data": "AA==",
                            "sequenceNumber": "1",
                            "approximateArrivalTimestamp": 1e300,
                        }
                    }
                ]
            }
        ),
        failure({"Records": []}, requestContext=[])[:-1],
    ],
)
def test_a_failure_record_that_is_none(content: bytes) -> None:
    assert len(faults(read(FAILURE, content))) == 1


def test_a_failure_record_with_one_wrong_record() -> None:
    payload = {"Records": [{"kinesis": 1}, record(generic({}, request="sound"))]}
    found = read(FAILURE, failure(payload, requestContext=None, responseContext=3))
    assert len(faults(found)) == 1
    assert [event.id for event in events(found)] == ["sound"]


def test_a_failure_record_that_is_too_large() -> None:
    def stream() -> Iterator[bytes]:
        while True:
            yield b" " * 1_000_000

    (item,) = [item for _, item in read_object(FAILURE, stream())]
    assert isinstance(item, Unreadable)
    assert "no failure record" in item.explanation


def test_an_object_of_another_prefix_holds_no_events() -> None:
    assert faults(read("ledger/x", b"")) == ["not under a prefix that holds events"]


def test_objects_are_read_in_ranges_and_ahead() -> None:
    s3 = FakeArchive()
    refs = [s3.add(f"raw/{n}", [line(n, body=base64.b64encode(bytes([n]) * 200).decode())])
            for n in range(20)]  # fmt: skip
    s3.objects["raw/empty"] = b""
    objects = Objects(s3, "archive", part_bytes=50)
    for ref, chunks in objects.ahead([*refs, ObjectRef("raw/empty", 0)]):
        assert b"".join(chunks) == s3.objects[ref.key]
    assert max(size for _, _, size in s3.ranges) == 50


def test_an_object_that_is_gone_or_changes_is_a_fault() -> None:
    s3 = FakeArchive()
    ref = s3.add(RAW, [line(n) for n in range(50)])
    objects = Objects(s3, "archive", part_bytes=50)
    chunks = objects.chunks(ref.key)

    def disturbed() -> Iterator[bytes]:
        yield next(chunks)
        s3.add(RAW, [line(n) for n in range(40)])
        yield from chunks

    assert "overwritten" in faults([item for _, item in read_object(RAW, disturbed())])[0]
    ((_, gone),) = read_object(RAW, objects.chunks("raw/gone"))
    assert isinstance(gone, Unreadable)
    assert gone.gone


def test_a_broken_connection_is_tried_again_and_a_refusal_stops_the_job() -> None:
    s3 = FakeArchive()
    ref = s3.add(RAW, [line(1)])
    s3.faults.extend([out_of_reach(), out_of_reach()])
    assert b"".join(Objects(s3, "archive").chunks(ref.key)) == s3.objects[RAW]
    s3.broken = out_of_reach()
    with pytest.raises(ArchiveReadError, match="--resume"):
        list(Objects(s3, "archive").chunks(ref.key))
    s3.broken = client_error("AccessDenied", "GetObject", 403)
    with pytest.raises(ArchiveReadError, match="AccessDenied"):
        list(read_object(RAW, Objects(s3, "archive").chunks(ref.key)))


def test_an_envelope_of_hostile_text_is_encoded_as_it_is() -> None:
    hostile = "&v=2\n%00\x1b[31m=ü\u2028"
    headers = {hostile: hostile}
    text = orjson.dumps(line(1, envelope_id=hostile, key=hostile, ip=hostile, headers=headers))
    event = read_line(ArchiveKind.RAW, text)
    assert event.envelope is not None
    assert encode_envelope(event.envelope).count(b"\n") == 1
