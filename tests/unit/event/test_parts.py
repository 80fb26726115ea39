"""The small parts of an event: fields, ids of records, envelopes, the shape of details."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from pipeline.event.envelope import (
    Envelope,
    EnvelopeError,
    decode_envelope,
    encode_envelope,
    partition_key,
)
from pipeline.event.events import Event, Outcomes, Record, delivered, duplicate
from pipeline.event.fields import PathSet, as_text, find, path_of, path_text
from pipeline.event.identity import find_identity, reused_key
from pipeline.event.mozdef_event import write_message
from pipeline.event.outcomes import OutcomeKind, Reason
from pipeline.event.secrets import only
from pipeline.event.steps import examine
from pipeline.event.summary import SummaryTemplate
from pipeline.event.times import hours_since_epoch, iso_milliseconds
from tests.support.bench import NOW_MS, SECRET, generic, github

if TYPE_CHECKING:
    from pipeline.event.compiled_source import Catalog

BODY: dict[str, Any] = {
    "a": {"b": [{"c": 1}, {"c": ""}], "t": True, "n": None, "f": 1.5},
    "a.b": "dotted",
    "list": [10, 11],
}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("x", "x"),
        ("", ""),
        (True, "true"),
        (False, "false"),
        (7, "7"),
        (0, "0"),
        (1.5, "1.5"),
        (None, ""),
        ({"a": 1}, ""),
        ([1], ""),
    ],
)
def test_a_scalar_as_text(value: Any, text: str) -> None:
    assert as_text(value) == text


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("a.b.0.c", 1),
        ("a.b.1.c", ""),
        ("a.b.2.c", None),
        ("list.1", 11),
        ("list.2", None),
        ("list.-1", None),
        ("list.x", None),
        ("list.²", None),
        ("a.t.x", None),
        (r"a\.b", "dotted"),
        ("no", None),
    ],
)
def test_a_path_leads_to_its_value_or_nowhere(path: str, value: Any) -> None:
    assert find(BODY, path_of(path)) == value
    assert path_of(path_text(path_of(path))) == path_of(path)


def test_many_paths_are_looked_up_as_each_alone() -> None:
    paths = ["a.b.0.c", "a.b.1.c", "a.t", "a.n", "a", "list.0", "list.5", r"a\.b", "a.f", "a.f"]
    found = PathSet([path_of(path) for path in paths]).scalars(BODY)
    assert found == {0: 1, 2: True, 5: 10, 7: "dotted", 8: 1.5, 9: 1.5}
    assert PathSet([]).scalars(BODY) == {}
    assert PathSet([path_of("a"), path_of("a.b")]).scalars({"a": "x"}) == {0: "x"}


def test_a_summary_has_what_the_event_has() -> None:
    template = SummaryTemplate("{source}  {type}: {a.t} {no} {a.b.0.c}")
    assert template.render("github", "push", BODY) == "github push: true 1"
    long = SummaryTemplate("{x}!").render("s", "t", {"x": "y" * 201})
    assert long == "y" * 200 + "!"


@pytest.mark.parametrize(
    ("seconds", "text", "hours"),
    [
        (0.0, "1970-01-01T00:00:00.000+00:00", 0),
        (0.999999, "1970-01-01T00:00:00.999+00:00", 0),
        (3_599.9999, "1970-01-01T00:59:59.999+00:00", 0),
        (3_599.9999999, "1970-01-01T01:00:00.000+00:00", 1),
        (1_795_464_503.123, "2026-11-23T20:08:23.123+00:00", 498_740),
        (7_199.0005, "1970-01-01T01:59:59.000+00:00", 1),
    ],
)
def test_a_time_and_its_hour_are_rounded_alike(seconds: float, text: str, hours: int) -> None:
    assert (iso_milliseconds(seconds), hours_since_epoch(seconds)) == (text, hours)


def test_a_record_is_called_by_its_request_or_by_its_place() -> None:
    alone = Record("49", "shardId-0", 0.0, b"x", place="49")
    assert alone.id == "shardId-0:49.0"
    assert replace(alone, place="49.2").id == "shardId-0:49.2"
    envelope = Envelope("r-1", 0, "no-such", "", b"", replay="job")
    assert replace(alone, envelope=envelope).id == "r-1@job"


@pytest.fixture
def event(catalog: Catalog) -> Event:
    """A valid event of GitHub."""
    data = github({"zen": "x", "n": 1.10}, event="kind", delivery="d-1", request="r-1")
    (found,) = examine(
        [Record("1", "shardId-0", 1.0, data, place="1")],
        Outcomes(),
        catalog,
        only(SECRET.encode()),
    )
    return found


def test_outcomes_of_good_events_carry_what_was_remarked(event: Event) -> None:
    assert (delivered(event).kind, delivered(event).reason) == ("delivered", None)
    event.remark, event.remark_explanation = Reason.ID_REUSED, "as r-0"
    assert (delivered(event).reason, delivered(event).explanation) == ("id_reused", "as r-0")
    copy = duplicate(event, "of r-0", Reason.BODY_REUSED)
    assert (copy.kind, copy.reason, copy.explanation) == ("duplicate", "body_reused", "of r-0")
    assert copy.event is event


@pytest.mark.parametrize(
    ("shape", "details"),
    [
        (None, '{"event":"kind","request_id":"d-1","github":{"zen":"x","n":1.1}}'),
        ({"all": "$body"}, '{"all":{"zen":"x","n":1.1}}'),
        (
            {"t": "$type", "d": "$delivery_id", "h": "$header.X-GitHub-Event", "p": "zen"},
            '{"t":"kind","d":"d-1","h":"kind","p":"x"}',
        ),
        ({"h": "$header.X-None", "p": "no.such"}, '{"h":null,"p":null}'),
        ({}, "{}"),
    ],
)
def test_details_have_the_shape_that_the_source_gives(
    event: Event, shape: dict[str, str] | None, details: str
) -> None:
    settings = replace(event.source.mozdef, details=shape)
    event.source = replace(event.source, mozdef=settings)
    assert write_message(event) is None
    assert orjson.loads(event.message)["details"] == orjson.loads(details)
    assert event.message.endswith(b'"details":' + details.encode() + b"}")


def envelope(**more: Any) -> Envelope:
    return Envelope("r-1", NOW_MS, "github", "192.0.2.1", b"body\n", **more)


@pytest.mark.parametrize(
    "one",
    [
        envelope(),
        envelope(key="ü & = % + \n ~"),
        envelope(headers={"x-a": "1 2", "x-b": ""}, replay="job", force=True, replays=3),
        envelope(key="".join(map(chr, range(128)))),
        envelope()._replace(ip=""),
    ],
)
def test_an_envelope_is_read_as_it_was_written(one: Envelope) -> None:
    data = encode_envelope(one)
    assert decode_envelope(data) == one
    assert (data.index(b"\n") + 1) % 3 == 0, "its base64 needs no padding"


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (b"", "lacks|distinct"),
        (b"v=1&id=r&ts=1", "lacks source"),
        (b"v=1&id=&ts=1&source=s", "lacks id"),
        (b"v=2&id=r&ts=1&source=s", "version '2', expected '1'"),
        (b"id=r&ts=1&source=s", "version 'missing'"),
        (b"v=1&id=r&ts=x&source=s", "ts is no time"),
        (b"v=1&id=r&ts=123456789012345&source=s", "ts is no time"),
        (b"v=1&id=r&ts=1&source=s&replays=x", "replays is no number"),
        (b"v=1&id=r&ts=1&source=s&replays=12345", "replays is no number"),
        (b"v=1&v=1&id=r&ts=1&source=s", "distinct"),
        (b"v=1&id=r&ts=1&source=s&alone", "distinct"),
        (b"v=1&id=\xff&ts=1&source=s", "not ASCII"),
    ],
)
def test_what_is_no_envelope_is_said(line: bytes, fault: str) -> None:
    with pytest.raises(EnvelopeError, match=fault):
        decode_envelope(line + b"\nbody")


def test_the_metadata_line_has_a_bound() -> None:
    start = b"v=1&id=r&ts=1&source=s&key="
    for room, fits in ((64 * 1024 - 1, True), (64 * 1024, False)):
        data = start + b"x" * (room - len(start)) + b"\n"
        if fits:
            assert len(decode_envelope(data).key) == room - len(start)
        else:
            with pytest.raises(EnvelopeError, match="no metadata line"):
                decode_envelope(data)


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("d-1", "d-1"),
        ("A.b_c*d-9", "A.b_c*d-9"),
        ("a b", "a+b"),
        ("a~b", "a%7Eb"),
        ("ü", "%C3%BC"),
        ("x" * 256, "x" * 256),
        ("x" * 257, "r-1"),
        ("", "r-1"),
        ("ü" * 43, "r-1"),
    ],
)
def test_a_partition_key_is_what_the_front_door_makes_of_the_key(key: str, expected: str) -> None:
    assert partition_key(envelope(key=key)) == expected
    long = envelope()._replace(id="i" * 300)
    assert partition_key(long) == "i" * 256


def keyed(catalog: Catalog, data: bytes, **settings: Any) -> Event:
    """The event of an envelope, of a source with changed settings."""
    source = decode_envelope(data).source
    sources = {**catalog.sources, source: replace(catalog.sources[source], **settings)}
    (found,) = examine(
        [Record("1", "shardId-0", 1.0, data, place="1")],
        Outcomes(),
        type(catalog)(sources),
        only(SECRET.encode()),
    )
    return found


def test_an_event_without_an_id_is_known_by_its_body(catalog: Catalog) -> None:
    bodies = (b'{"n":1}', b'{"n":2}', b'{"n": 1}', b'{"n":1}')
    events = [keyed(catalog, generic(body), body_hash_seconds=7_200) for body in bodies]
    keys = [event.deduplication_key for event in events]
    assert keys[0] == keys[3]
    assert len(set(keys)) == 3
    assert {event.remembered_seconds for event in events} == {7_200}
    assert {len(event.fingerprint) for event in events} == {32}
    assert not any("\n" in event.fingerprint for event in events)
    assert all(event.delivery_id == "" for event in events)


def test_a_header_that_is_missing_or_empty_is_no_id(catalog: Catalog) -> None:
    for headers in ({}, {"x-github-delivery": ""}):
        found = find_identity(catalog.sources["github"], headers, {}, b"{}")
        assert found == ("", "", False)
    given = {"x-github-delivery": "d-1"}
    assert find_identity(catalog.sources["github"], given, {}, b"{}")[::2] == ("d-1", True)


def test_parts_of_an_id_stand_in_the_order_of_their_paths(catalog: Catalog) -> None:
    names = "zhamcbyq"  # so many that no set has them in this order by chance
    source = replace(
        catalog.sources["generic"],
        delivery_id_header="",
        delivery_id_paths=PathSet([path_of(name) for name in names]),
        delivery_id_needed=len(names),
    )
    body: dict[str, Any] = {name: str(place) for place, name in enumerate(names)}
    found = find_identity(source, {}, body, orjson.dumps(body))
    assert (found.text, found.complete) == ("0|1|2|3|4|5|6|7", True)
    del body["m"]
    assert find_identity(source, {}, body, orjson.dumps(body)).complete is False


def test_an_id_that_is_used_again_gets_a_key_with_its_body_in_it(catalog: Catalog) -> None:
    one, other = (keyed(catalog, github({"n": n}, event="kind", delivery="d-1")) for n in (1, 2))
    assert one.deduplication_key == other.deduplication_key
    keys = {reused_key(one), reused_key(other), one.deduplication_key}
    assert len(keys) == 3
    assert all(key.startswith("github") and "d-1" in key for key in keys)
    assert one.fingerprint in reused_key(one)


def test_a_list_of_events_at_the_root_is_named_so(catalog: Catalog) -> None:
    outcomes = Outcomes()
    source = replace(catalog.sources["generic"], split=())
    bodies: list[Any] = [{}, [{}]]
    events = examine(
        [Record(str(n), "s", 1.0, generic(one), place=str(n)) for n, one in enumerate(bodies)],
        outcomes,
        type(catalog)({"generic": source}),
        only(SECRET.encode()),
    )
    assert [event.place for event in events] == ["1#0"]
    assert [one.explanation for one in outcomes.all] == ["the body: no list with events"]


def test_the_words_of_reasons_are_those_of_the_documents() -> None:
    """They stand in archives, tables and alarms: a word that changes is lost there."""
    text = (Path(__file__).parents[3] / "docs" / "architecture.md").read_text()
    for word in (*Reason, *OutcomeKind):
        if word not in {OutcomeKind.FAILED, OutcomeKind.UNSETTLED}:
            assert re.search(rf"\b{word.value}\b", text), word
