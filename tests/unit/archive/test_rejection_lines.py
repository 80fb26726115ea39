"""Rejected events of one request: how they lie in an object, and how they are read from it."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from pipeline.archive import limits
from pipeline.archive.keys import ArchiveKind
from pipeline.archive.line_fields import LineError
from pipeline.archive.lines import ArchivedEvent, read_line
from pipeline.archive.reading import Unreadable, read_object
from pipeline.archive.writer import ArchiveWriter
from pipeline.event.envelope import Envelope
from pipeline.event.events import Event, rejected
from pipeline.event.outcomes import Reason
from pipeline.runtime.deadline import Deadline
from tests.support.fakes import FakeS3

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pipeline.event.compiled_source import Catalog

SHARD = "shardId-000000000000"
KEY = f"rejected/source=okta/dt=2026-11-23/hr=20/{SHARD}-7.jsonl.gz"
ARRIVED, ARRIVED_MS = "2026-11-23T20:08:23.123+00:00", 1_795_464_503_123
BODY = '{"data":{"events":[{"n":0},{"n":1},{"n":2}]}}'

#: Lines as docs/architecture.md and the Athena tables have them, written out: what lies in buckets
#: must be read by each later release.
PLACE = {"shard_id": SHARD, "sequence_number": "7", "arrived": ARRIVED}
REQUEST: dict[str, Any] = {
    "kind": "request",
    "id": "r=1@job-1",
    "source": "okta",
    "event_type": "",
    **PLACE,
    "envelope_id": "r=1",
    "envelope_source": "okta",
    "envelope_ts": ARRIVED_MS,
    "key": "delivery-1",
    "ip": "192.0.2.1",
    "headers": {"x-okta": "ü"},
    "replay": "job-1",
    "replays": 2,
    "body": BODY,
    "only": "0-2",
}
ENVELOPE = Envelope(
    "r=1",
    ARRIVED_MS,
    "okta",
    "192.0.2.1",
    BODY.encode(),
    "delivery-1",
    {"x-okta": "ü"},
    replay="job-1",
    replays=2,
    only="0-2",
)


def element(number: int, request: str = "r=1@job-1") -> dict[str, Any]:
    return {
        "kind": "element",
        "reason": "schema_violation",
        "explanation": f"event {number} has no uuid",
        "id": f"{request}#{number}",
        "source": "okta",
        "event_type": f"user.{number}",
        **PLACE,
        "element": number,
        "body": f'{{"n":{number}}}',
    }


def events(catalog: Catalog, numbers: Iterable[int], envelope: Envelope = ENVELOPE) -> list[Event]:
    request = f"{envelope.id}@{envelope.replay}" if envelope.replay else envelope.id
    return [
        Event(
            "7",
            SHARD,
            ARRIVED_MS / 1000,
            envelope,
            catalog.sources["okta"],
            f"{request}#{number}",
            f"7#{number}",
            event_type=f"user.{number}",
            body_json=b'{"n":%d}' % number,
            elements=3,
        )
        for number in numbers
    ]


def written(found: Iterable[Event]) -> FakeS3:
    s3 = FakeS3()
    outcomes = [
        rejected(event, Reason.SCHEMA_VIOLATION, f"event {event.id.rpartition('#')[2]} has no uuid")
        for event in found
    ]
    assert ArchiveWriter(s3, "archive").write_rejected(outcomes, Deadline(lambda: 4.0)) == []
    return s3


def read(lines: Iterable[dict[str, Any] | bytes], skip: int = 0) -> dict[int, Any]:
    texts = [line if isinstance(line, bytes) else orjson.dumps(line) for line in lines]
    return dict(read_object(KEY, [gzip.compress(b"\n".join(texts))], skip))


def ids(found: dict[int, Any]) -> dict[int, str]:
    return {at: one.id for at, one in found.items() if isinstance(one, ArchivedEvent)}


def faults(found: dict[int, Any]) -> dict[int, str]:
    return {at: one.explanation for at, one in found.items() if isinstance(one, Unreadable)}


def test_a_request_is_there_once_and_then_each_of_its_rejected_events(catalog: Catalog) -> None:
    s3 = written(events(catalog, [2, 0]))
    assert list(s3.objects) == [KEY]
    assert s3.lines() == [REQUEST, element(0), element(2)]


def test_an_event_is_read_with_its_number_its_own_bytes_and_its_whole_request() -> None:
    found = read([REQUEST, element(0), element(2)])
    assert list(found) == [2, 3]
    assert found[3] == ArchivedEvent(
        ArchiveKind.REJECTED,
        "r=1@job-1#2",
        "okta",
        ARRIVED_MS / 1000,
        ENVELOPE,
        event_type="user.2",
        reason="schema_violation",
        explanation="event 2 has no uuid",
        element=b'{"n":2}',
        numbers=(2,),
    )
    assert found[3].body == b'{"n":2}'


def test_an_event_that_is_no_text_is_kept_byte_for_byte(catalog: Catalog) -> None:
    (odd,) = events(catalog, [1])
    odd.body_json = b'{"n":"\xff"}'
    line = written([odd]).lines()[1]
    assert line["body_base64"] == "eyJuIjoi/yJ9"
    assert "body" not in line
    assert read([REQUEST, line])[2].element == b'{"n":"\xff"}'


def test_events_lie_in_the_order_of_their_numbers_each_after_its_own_request(
    catalog: Catalog,
) -> None:
    """Two requests can be in one record of the stream, and 10 comes before 9 as text."""
    other = Envelope("r=2", ARRIVED_MS, "okta", "192.0.2.1", b"[]")
    mixed = [*events(catalog, [10, 9]), *events(catalog, [0], other), *events(catalog, [2])]
    lines = written(mixed).lines()
    assert [line["id"] for line in lines] == [
        "r=1@job-1",
        "r=1@job-1#2",
        "r=1@job-1#9",
        "r=1@job-1#10",
        "r=2",
        "r=2#0",
    ]
    found = read(lines)
    assert [one.envelope for one in found.values()] == [ENVELOPE] * 3 + [other]


def test_an_object_that_is_full_is_followed_by_one_that_begins_with_the_request(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "LARGEST_OBJECT", 1_500)
    s3 = written(events(catalog, range(20)))
    found = []
    for key, content in s3.objects.items():
        text = gzip.decompress(content)
        assert len(text) <= 1_500
        kinds = [orjson.loads(line)["kind"] for line in text.splitlines()]
        assert kinds == ["request", *["element"] * (len(kinds) - 1)]
        found += [one for _, one in read_object(key, [content])]
    assert len(s3.objects) > 1
    assert [one.numbers for one in found if isinstance(one, ArchivedEvent)] == [
        (number,) for number in range(20)
    ]


@pytest.mark.parametrize(
    "before",
    [
        [],
        [{**REQUEST, "id": "r=2@job-1"}],
        [{**REQUEST, "id": "r=1"}],
        [REQUEST, {**REQUEST, "id": "r=2@job-1"}],
        [REQUEST, {**REQUEST, "headers": None}],
        [REQUEST, {"kind": "request", "id": "r=1@job-1", "record_base64": "AAAA", **PLACE}],
    ],
    ids=["none", "another", "not its replay's", "a later one", "a broken one", "no envelope"],
)
def test_an_event_without_its_request_is_said_and_stops_no_other(before: list[Any]) -> None:
    found = read([*before, element(1), REQUEST, element(2)])
    at = len(before) + 1
    assert faults(found)[at] == "an element whose request is not in the lines before it"
    assert ids(found) == {at + 2: "r=1@job-1#2"}


def test_an_event_of_no_request_at_all_is_said() -> None:
    assert list(faults(read([element(1, request="")]))) == [1]


def test_a_request_that_cannot_be_read_is_said_by_itself() -> None:
    found = read([{**REQUEST, "envelope_ts": "1"}, {**REQUEST, "record_base64": "AAAA"}])
    assert list(faults(found)) == [1, 2]
    assert "'envelope_ts'" in faults(found)[1]
    assert faults(found)[2] == "a request without an envelope"


@pytest.mark.parametrize(
    "change",
    [
        {"element": None},
        {"element": -1},
        {"element": "1"},
        {"element": True},
        {"element": 2},
        {"id": "r=1@job-1#2"},
        {"id": "r=1@job-1"},
        {"id": None},
        {"body": None},
        {"body_base64": "AA=="},
        {"arrived": "then"},
    ],
)
def test_an_event_with_a_wrong_field_is_said(change: dict[str, Any]) -> None:
    assert list(faults(read([REQUEST, {**element(1), **change}]))) == [2]


def test_a_job_goes_on_after_any_line_as_if_it_had_read_those_before() -> None:
    other = {**REQUEST, "id": "r=2", "replay": "", "envelope_id": "r=2"}
    lines: list[dict[str, Any] | bytes] = [
        REQUEST,
        element(0),
        element(1),
        {**REQUEST, "envelope_id": ""},
        element(2),
        b"{",
        other,
        element(0, "r=2"),
        element(1, "r=2"),
    ]
    whole = read(lines)
    assert list(ids(whole)) == [2, 3, 8, 9]
    assert list(faults(whole)) == [4, 5, 6]
    for skip in range(len(lines) + 1):
        assert read(lines, skip) == {at: one for at, one in whole.items() if at > skip}


def test_a_request_is_no_event() -> None:
    with pytest.raises(LineError, match="lines of their own"):
        read_line(ArchiveKind.REJECTED, orjson.dumps(REQUEST))
