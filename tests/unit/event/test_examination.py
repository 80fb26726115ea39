"""From a record to a valid event: what each step finds, and what it says of what does not go on."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from pipeline.event.compiled_source import Catalog, CatalogError, load_catalog
from pipeline.event.envelope import Envelope, encode_envelope
from pipeline.event.events import Event, Outcomes, Record, unsettled
from pipeline.event.identity import partition_text
from pipeline.event.json_text import BodyError
from pipeline.event.mozdef_event import write_message
from pipeline.event.outcomes import OutcomeKind, Reason
from pipeline.event.parsing import json_in
from pipeline.event.secrets import only
from pipeline.event.steps import examine
from tests.support.bench import NOW_MS, SECRET, aggregate, generic, github, record, tally
from tests.support.receiving import compile_sources

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.support.bench import Bench

FORM = "application/x-www-form-urlencoded"


@pytest.fixture(scope="module")
def private(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    return compile_sources(tmp_path_factory.mktemp("examined"), "catalog_of_examined", sys.path)


secrets_of = only(SECRET.encode())


def examined(catalog: Catalog, *data: bytes, fault: str = "") -> tuple[list[Event], Outcomes]:
    outcomes = Outcomes()
    records = [Record(str(number), "shardId-0", 1.0, one, fault) for number, one in enumerate(data)]
    return examine(records, outcomes, catalog, secrets_of), outcomes


def rejection(catalog: Catalog, data: bytes, **more: str) -> tuple[Reason | None, str]:
    """The reason and the explanation of the one outcome."""
    events, outcomes = examined(catalog, data, **more)
    assert events == []
    (outcome,) = outcomes.all
    assert outcome.kind is OutcomeKind.REJECTED
    return outcome.reason, outcome.explanation


def batch(body: bytes, **more: Any) -> bytes:
    envelope = Envelope("r-1", NOW_MS, "batches", "192.0.2.1", body, "", {}, **more)
    return encode_envelope(envelope)


def test_an_event_keeps_where_it_was_and_what_it_came_in(catalog: Catalog) -> None:
    data = github({"zen": "x"}, event="kind", delivery="d-1", request="r-1", replay="job")
    (event,), outcomes = examined(catalog, data)
    assert outcomes.all == []
    assert (event.sequence_number, event.shard_id, event.arrived) == ("0", "shardId-0", 1.0)
    assert (event.id, event.source_name, event.envelope.id) == ("r-1@job", "github", "r-1")
    assert (event.event_type, event.delivery_id) == ("kind", "d-1")
    assert (event.body, event.body_json) == ({"zen": "x"}, b'{"zen":"x"}')
    assert event.queue == catalog.sources["github"].queue


def test_what_is_no_envelope_or_of_no_source_is_said(catalog: Catalog) -> None:
    reason, explanation = rejection(catalog, b"x")
    assert (reason, bool(explanation)) == (Reason.MALFORMED_ENVELOPE, True)
    assert rejection(catalog, b"x", fault="its MD5") == (Reason.MALFORMED_ENVELOPE, "its MD5")
    data = generic({}, request="r-1").replace(b"source=generic", b"source=" + b"n" * 99)
    reason, explanation = rejection(catalog, data)
    assert (reason, explanation) == (
        Reason.UNKNOWN_SOURCE,
        f"no source '{'n' * 60}' in this deployment",
    )


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b'{"a":1}x'])
def test_what_is_no_json_is_said(catalog: Catalog, body: bytes) -> None:
    reason, explanation = rejection(catalog, generic(body))
    assert (reason, bool(explanation)) == (Reason.INVALID_JSON, True)


@pytest.mark.parametrize(
    ("body", "kind"),
    [(b"[]", "list"), (b"1", "int"), (b'"x"', "str"), (b"null", "NoneType"), (b"true", "bool")],
)
def test_an_event_is_an_object(catalog: Catalog, body: bytes, kind: str) -> None:
    assert rejection(catalog, generic(body)) == (
        Reason.SCHEMA_VIOLATION,
        f"body must be a JSON object, not {kind} (rule 'type')",
    )


def test_the_json_of_a_form_is_in_its_field(catalog: Catalog) -> None:
    raw = urlencode({"payload": '{"a":"ü"}'}).encode()
    assert json_in(catalog.sources["github"], raw) == '{"a":"ü"}'.encode()


@pytest.mark.parametrize("body", [b'{"a":"&payload={}&"}', b"", b"a=1&payload={}", b" payload={}"])
def test_what_does_not_begin_as_the_form_is_left_as_it_is(catalog: Catalog, body: bytes) -> None:
    assert json_in(catalog.sources["github"], body) == body


def test_a_source_without_a_form_has_none(catalog: Catalog) -> None:
    assert json_in(catalog.sources["generic"], b"payload=%7B%7D") == b"payload=%7B%7D"


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (b"payload=1&payload=2", "form: 2 fields, expected 'payload' alone"),
        (b"payload={}&other=", "form: 2 fields, expected 'payload' alone"),
        (b"payload=%ff", "form: not ASCII, or its escapes are no UTF-8"),
        (b"payload=\xff", "form: not ASCII, or its escapes are no UTF-8"),
        (b"payload=1&b=2&c=3", "form: Max number of fields exceeded"),
    ],
)
def test_a_form_with_more_than_the_one_field_is_said(
    catalog: Catalog, body: bytes, fault: str
) -> None:
    with pytest.raises(BodyError, match=fault):
        json_in(catalog.sources["github"], body)


@pytest.mark.parametrize("content_type", [FORM, "application/json", f"{FORM}; charset=utf-8", ""])
def test_the_bytes_say_what_a_body_is_and_not_a_header_that_nobody_signed(
    bench: Bench, content_type: str
) -> None:
    """A signed JSON body with a form's field in it is sent again as a form (or the reverse)."""
    signed = b'{"zen":"&payload=%7B%22forged%22%3A1%7D&"}'
    settlement = bench.run(record(github(signed, event="x", content_type=content_type)))
    assert tally(settlement.outcomes) == {"delivered": 1}
    form = b"payload=%7B%22real%22%3A1%7D"
    bench.run(record(github(form, event="x", delivery="d-2", content_type=content_type)))
    bodies = [message["details"]["github"] for message in bench.sqs.bodies()]
    assert bodies == [{"zen": "&payload=%7B%22forged%22%3A1%7D&"}, {"real": 1}]


def test_a_request_with_many_events_is_taken_apart(private: Catalog) -> None:
    body = b'{"events": [{"id":"a","n": 1.10}, {"id":"b"}, {"id":"a","n": 1.10}]}'
    events, outcomes = examined(private, batch(body))
    assert [event.id for event in events] == ["r-1#0", "r-1#1", "r-1#2"]
    assert [event.body_json for event in events] == [
        b'{"id":"a","n": 1.10}',
        b'{"id":"b"}',
        b'{"id":"a","n": 1.10}',
    ]
    assert [event.delivery_id for event in events] == ["a", "b", "a"]
    assert len({event.place for event in events}) == 3
    assert list(outcomes.parts.values()) == [3]


def test_an_element_that_is_none_takes_no_other_along(private: Catalog) -> None:
    events, outcomes = examined(private, batch(b'{"events":[{"id":"a"},{"n":01},7,{"id":"b"}]}'))
    assert [event.delivery_id for event in events] == ["a", "b"]
    assert [(one.event.id, one.reason) for one in outcomes.all] == [
        ("r-1#1", Reason.INVALID_JSON),
        ("r-1#2", Reason.SCHEMA_VIOLATION),
    ]


@pytest.mark.parametrize(
    ("body", "reason", "explanation"),
    [
        (b"{", Reason.INVALID_JSON, ""),
        (b'{"events":[1', Reason.INVALID_JSON, ""),
        (b'{"events":[1],', Reason.INVALID_JSON, ""),
        (b'{"a" 1,"events":[1]}', Reason.INVALID_JSON, ""),
        (b'{a:1,"events":[1]}', Reason.INVALID_JSON, ""),
        (b"{}", Reason.SCHEMA_VIOLATION, "events: no list with events"),
        (b"[]", Reason.SCHEMA_VIOLATION, "events: no list with events"),
        (b'{"events":[]}', Reason.SCHEMA_VIOLATION, "events: no list with events"),
        (b'{"events":{}}', Reason.SCHEMA_VIOLATION, "events: no list with events"),
        (b'{"events":[{}],"events":1}', Reason.SCHEMA_VIOLATION, "events: no list with events"),
    ],
)
def test_a_request_without_a_list_of_events_is_one_rejection(
    private: Catalog, body: bytes, reason: Reason, explanation: str
) -> None:
    found, said = rejection(private, batch(body))
    assert found is reason
    assert said == explanation or (not explanation and said)


def test_a_schema_says_where_the_body_broke_it(catalog: Catalog) -> None:
    body = {
        "forkee": 7,
        "repository": {"full_name": "a/r", "id": 1, "name": "r", "html_url": "https://x.test/"},
        "sender": {"login": "mona", "id": 1},
    }
    assert rejection(catalog, github(body)) == (
        Reason.SCHEMA_VIOLATION,
        "body.forkee must be object (rule 'type')",
    )
    events, _ = examined(catalog, github({"forkee": 7}, event="no-such-type"))
    assert len(events) == 1, "a type without a schema may be anything"


def changed(catalog: Catalog, **settings: Any) -> Catalog:
    source = replace(catalog.sources["github"], **settings)
    return Catalog({**catalog.sources, "github": source})


def test_an_unknown_type_is_rejected_where_the_source_says_so(catalog: Catalog) -> None:
    strict = changed(catalog, reject_unknown_types=True)
    assert rejection(strict, github({}, event="n" * 99)) == (
        Reason.SCHEMA_VIOLATION,
        f"event type '{'n' * 60}' is unknown to github (unknown_types)",
    )
    reason, explanation = rejection(strict, github({}, event="fork"))
    assert (reason, "unknown_types" in explanation) == (Reason.SCHEMA_VIOLATION, False)


def test_an_ignored_type_ends_and_one_with_a_queue_of_its_own_goes_there(catalog: Catalog) -> None:
    chosen = changed(catalog, ignored_types=frozenset({"dull"}), queue_by_type={"loud": "the-loud"})
    events, outcomes = examined(
        chosen, *(github({}, event=name, delivery=name) for name in ("dull", "loud", "else"))
    )
    assert [event.queue for event in events] == ["the-loud", catalog.sources["github"].queue]
    assert [(one.kind, one.explanation) for one in outcomes.all] == [
        (OutcomeKind.IGNORED, "type 'dull' is ignored")
    ]


def test_a_fault_of_the_code_meets_one_event_and_is_told_in_short(catalog: Catalog) -> None:
    def deep(number: int) -> None:
        if number == 0:
            raise RuntimeError("x" * 9_000)
        deep(number - 1)

    def work(one: Event) -> None:
        if one.id != "r-3":
            deep(20 if one.id == "r-1" else 0)

    events, _ = examined(catalog, *(generic({}, request=f"r-{n}") for n in (1, 2, 3)))
    outcomes = Outcomes()
    assert [event.id for event in outcomes.each(events, work)] == ["r-3"]
    assert {one.reason for one in outcomes.all} == {Reason.PROCESSING_ERROR}
    assert all(len(one.explanation) == 4_000 for one in outcomes.all)
    assert all(one.explanation.startswith("RuntimeError: xxx") for one in outcomes.all)
    assert all('in deep\n    raise RuntimeError("x"' in one.explanation for one in outcomes.all)
    opened = Outcomes()
    records = [Record("1", "s", 0.0, b""), Record("2", "s", 0.0, b"")]

    def open_first(one: Record) -> Event:
        if one.sequence_number == "2":
            raise RuntimeError("a bug")
        return events[0]

    assert opened.open(records, open_first) == [events[0]]
    assert "RuntimeError: a bug" in opened.all[0].explanation


def test_an_explanation_of_any_length_is_cut(catalog: Catalog) -> None:
    (event,), _ = examined(catalog, generic({}))
    assert len(unsettled(event, "x" * 5_000).explanation) == 4_000


@pytest.mark.parametrize(("more", "fits"), [(0, True), (1, False)])
def test_a_message_has_a_mebibyte_and_not_a_byte_more(
    catalog: Catalog, more: int, fits: bool
) -> None:
    (small,), _ = examined(catalog, generic({"a": ""}))
    assert write_message(small) is None
    room = 1_048_576 - len(small.message)
    # A list of texts that are short enough for MozDef's index, and commas and marks between them.
    texts = ["x" * 29_997] * ((room + more) // 30_000)
    (event,), _ = examined(catalog, generic({"a": "", "b": texts}))
    assert write_message(event) is None
    texts.append("x" * (1_048_576 - len(event.message) + more - 3))
    (event,), _ = examined(catalog, generic({"a": "", "b": texts}))
    outcome = write_message(event)
    if fits:
        assert (outcome, len(event.message)) == (None, 1_048_576)
    else:
        assert outcome is not None
        assert outcome.reason is Reason.TOO_LARGE
        assert outcome.explanation == "its MozDef message has 1048577 bytes; SQS takes 1048576"


def test_characters_that_sqs_refuses_are_escaped_and_others_are_not(catalog: Catalog) -> None:
    for text, escaped in (("ü", False), ("\ufffe", True), ("\uffff", True), ("\ufffd", False)):
        (event,), _ = examined(catalog, generic({"a": text}))
        write_message(event)
        assert event.message.isascii() is escaped
        assert (text.encode() in event.message) is not escaped


def test_an_aggregates_events_are_examined_each(catalog: Catalog) -> None:
    from pipeline.stream.records import read_records

    outcomes = Outcomes()
    data = aggregate(generic({}, request="a"), b"x", generic({}, request="b"))
    events = examine(read_records([record(data)]), outcomes, catalog, secrets_of)
    assert [event.id for event in events] == ["a", "b"]
    assert len({one.place for one in (*events, *(each.event for each in outcomes.all))}) == 3


def _package(folder: Path, name: str, lines: Iterable[str]) -> str:
    (folder / f"{name}.py").write_text("\n".join(lines))
    return name


def test_a_catalogue_that_was_not_built_or_by_another_version_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(CatalogError, match=r"no_such_catalog: not built .*mozdef-ef synth"):
        load_catalog("no_such_catalog")
    _package(tmp_path, "catalog_without_sources", ["FIELDS = {}"])
    with pytest.raises(CatalogError, match=r"does not fit this code .*build anew"):
        load_catalog("catalog_without_sources")
    lines = [
        "from pipeline.event.compiled_source import CompiledSource",
        "FIELDS = {'CompiledSource': ['name', 'olden']}",
        "SOURCES = {}",
    ]
    _package(tmp_path, "catalog_of_old", lines)
    with pytest.raises(CatalogError, match=r"compiled with other fields \(.*olden.*\); build anew"):
        load_catalog("catalog_of_old")


def test_what_copies_have_in_common_fits_a_partition_key(private: Catalog) -> None:
    from pipeline.event.identity import LONGEST_KEY, Identity

    source = private.sources["batches"]
    for length, kept in ((LONGEST_KEY, True), (LONGEST_KEY + 1, False)):
        text = "x" * length
        identity = Identity(text, key=text, complete=True)
        assert (partition_text(identity, source, b"") == text) is kept
    assert partition_text(Identity("x", key="x", complete=False), source, b"").startswith("sha256:")
