"""Requests that are no events, and lines that are: from the record to the outcome."""

from __future__ import annotations

import gzip
import hmac
import sys
from typing import TYPE_CHECKING

import pytest

from pipeline.event.compiled_source import Catalog, load_catalog
from pipeline.event.envelope import Envelope, encode_envelope
from pipeline.event.events import Event, Outcome, Outcomes, Record
from pipeline.event.outcomes import OutcomeKind, Reason
from pipeline.event.secrets import only
from pipeline.event.steps import examine
from settings.source.compiler import write_compiled_catalog
from settings.source.loader import load_sources
from tests.support.bench import NOW_MS, SECRET

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SOURCES = {
    # developers.line.biz, "Verify webhook URL": a signed request without events.
    "line": """\
version: 1
title: LINE
authentication: {type: hmac, header: X-Line-Signature, encoding: hex}
headers: {keep: [X-Line-Signature, X-State]}
skip: [{path: events, empty: true}, {header: X-State, equals: sync}]
split: {path: events}
delivery_id: {path: webhookEventId}
""",
    # developers.google.com/workspace/admin/reports/v1/guides/push: the sync message has no body.
    "google-push": """\
version: 1
title: Google's push notifications
authentication: {type: token, header: X-Goog-Channel-Token}
headers: {keep: [X-Goog-Resource-State]}
skip: [{header: X-Goog-Resource-State, equals: sync}, {path: ".", empty: true}]
""",
    # developers.cloudflare.com/logs/logpush: the upload that tests a destination.
    "logpush": """\
version: 1
title: Cloudflare Logpush
authentication: {type: token}
content_types: [text/plain, application/json]
body: {format: ndjson}
split: {path: ".", most: 3}
skip: [{path: 0.content, equals: tests}]
delivery_id: {path: RayID}
""",
}


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    folder: Path = tmp_path_factory.mktemp("skipping")
    for name, text in SOURCES.items():
        (folder / "sources" / name).mkdir(parents=True)
        (folder / "sources" / name / "source.yaml").write_text(text, encoding="utf-8")
    sources = load_sources(sorted(SOURCES), folder / "sources")
    write_compiled_catalog(sources, folder, "catalog_of_skipping")
    sys.path.insert(0, str(folder))
    return load_catalog("catalog_of_skipping")


def examined(
    catalog: Catalog, source: str, body: bytes, headers: Mapping[str, str] | None = None
) -> tuple[list[Event], list[Outcome]]:
    envelope = Envelope("r-1", NOW_MS, source, "192.0.2.1", body, "", dict(headers or {}))
    outcomes = Outcomes()
    record = Record("1", "shardId-0", 1.0, encode_envelope(envelope), place="1")
    return examine([record], outcomes, catalog, only(SECRET.encode())), outcomes.all


def signed(body: bytes, **more: str) -> dict[str, str]:
    return {"x-line-signature": hmac.new(SECRET.encode(), body, "sha256").hexdigest(), **more}


def kinds(outcomes: list[Outcome]) -> list[OutcomeKind | Reason]:
    return [one.reason or one.kind for one in outcomes]


def test_a_signed_request_without_events_is_ignored(catalog: Catalog) -> None:
    body = b'{"destination":"U1","events":[]}'
    events, (outcome,) = examined(catalog, "line", body, signed(body))
    assert events == []
    assert (outcome.kind, outcome.explanation) == (OutcomeKind.IGNORED, "events is empty")


def test_it_is_not_ignored_without_its_signature(catalog: Catalog) -> None:
    body = b'{"destination":"U1","events":[]}'
    _, outcomes = examined(catalog, "line", body, signed(b"another"))
    assert kinds(outcomes) == [Reason.BAD_SIGNATURE]


def test_an_event_beside_is_no_reason_to_ignore(catalog: Catalog) -> None:
    body = b'{"events":[{"webhookEventId":"01"}],"other":[]}'
    events, outcomes = examined(catalog, "line", body, signed(body))
    assert [one.delivery_id for one in events] == ["01"]
    assert outcomes == []


def test_a_missing_list_is_no_empty_one(catalog: Catalog) -> None:
    for body in (b'{"destination":"U1"}', b'{"events":null}', b'{"events":0}'):
        _, outcomes = examined(catalog, "line", body, signed(body))
        assert kinds(outcomes) == [Reason.SCHEMA_VIOLATION]


def test_a_repeated_event_that_is_called_a_heartbeat_takes_nothing_from_the_event(
    catalog: Catalog,
) -> None:
    """The header is not signed: whoever saw the request can send it again with another one."""
    body = b'{"events":[{"webhookEventId":"01"}]}'
    events, outcomes = examined(catalog, "line", body, signed(body, **{"x-state": "sync"}))
    assert (events, kinds(outcomes)) == ([], [OutcomeKind.IGNORED])
    assert outcomes[0].event.place == "1"
    assert isinstance(outcomes[0].event, Event)
    # Nothing of it is remembered, so the request itself is no copy of it.
    assert outcomes[0].event.deduplication_key == ""
    assert len(examined(catalog, "line", body, signed(body))[0]) == 1


@pytest.mark.parametrize(
    ("headers", "body", "outcome"),
    [
        ({"x-goog-resource-state": "sync"}, b"", OutcomeKind.IGNORED),
        ({"x-goog-resource-state": "exists"}, b"", OutcomeKind.IGNORED),
        ({}, b" \r\n", OutcomeKind.IGNORED),
        ({"x-goog-resource-state": "exists"}, b"{}", OutcomeKind.IGNORED),
        ({"x-goog-resource-state": "exists"}, b"nothing", Reason.INVALID_JSON),
        ({"x-goog-resource-state": "exists"}, b"null", Reason.SCHEMA_VIOLATION),
    ],
)
def test_a_body_that_is_not_there(
    catalog: Catalog, headers: dict[str, str], body: bytes, outcome: OutcomeKind | Reason
) -> None:
    events, outcomes = examined(catalog, "google-push", body, headers)
    assert (events, kinds(outcomes)) == ([], [outcome])


def test_each_line_is_an_event_and_a_broken_one_its_own_affair(catalog: Catalog) -> None:
    body = b'{"RayID":"1"}\n{"RayID":\n{"RayID":"3"}\n'
    for sent in (body, gzip.compress(body)):
        events, outcomes = examined(catalog, "logpush", sent)
        assert [(one.delivery_id, one.place) for one in events] == [("1", "1#0"), ("3", "1#2")]
        assert [(one.reason, one.event.place) for one in outcomes] == [
            (Reason.SCHEMA_VIOLATION, "1#1")
        ]


def test_the_test_upload_is_ignored(catalog: Catalog) -> None:
    for body in (b'{"content":"tests"}', gzip.compress(b'{"content":"tests"}\n')):
        assert kinds(examined(catalog, "logpush", body)[1]) == [OutcomeKind.IGNORED]
    events, _ = examined(catalog, "logpush", b'{"content":"tests2"}')
    assert len(events) == 1


def test_too_many_lines_are_rejected_as_a_request(catalog: Catalog) -> None:
    _, outcomes = examined(catalog, "logpush", b"{}\n" * 4)
    assert kinds(outcomes) == [Reason.TOO_MANY_EVENTS]


def test_what_no_line_holds_is_rejected(catalog: Catalog) -> None:
    for body in (b"\n\n", gzip.compress(b"{}")[:-4]):
        assert kinds(examined(catalog, "logpush", body)[1]) == [Reason.INVALID_JSON]
