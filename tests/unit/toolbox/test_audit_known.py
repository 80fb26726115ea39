"""What the deduplication table says of a request: it was delivered when all of its events were."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.archive.keys import ArchiveKind
from pipeline.archive.lines import ArchivedEvent, Received
from pipeline.event.envelope import Envelope
from pipeline.event.identity import reused_key
from tests.support.bench import NOW_MS
from tests.support.receiving import compile_sources
from toolbox.audit.known import KnownElsewhere, TableCheck, parts_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.event.compiled_source import Catalog
    from pipeline.event.events import Event

RECEIVED = Received(1, "r-1", "batches", NOW_MS / 1000, "raw/x")


class FakeKeyedTable:
    """One item at a time, as GetItem gives it: no item is an answer without `Item`."""

    def __init__(self) -> None:
        self.items: dict[str, dict[str, Any]] = {}

    def get_item(self, *, TableName: str, Key: Mapping[str, Any]) -> Mapping[str, Any]:
        assert TableName == "dedupe"
        item = self.items.get(Key["pk"]["S"])
        return {} if item is None else {"Item": item}

    def remember(self, event: Event, by: str = "") -> None:
        key = event.deduplication_key
        self.items[key] = {"pk": {"S": key}, "id": {"S": by or event.id}}


@pytest.fixture(scope="module")
def private(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    return compile_sources(tmp_path_factory.mktemp("known"), "catalog_of_known", sys.path)


@pytest.fixture
def table() -> FakeKeyedTable:
    return FakeKeyedTable()


def envelope(body: bytes) -> Envelope:
    return Envelope("r-1", NOW_MS, "batches", "192.0.2.1", body, "", {})


def delivered(table: FakeKeyedTable, catalog: Catalog, found: Envelope | None) -> bool:
    event = ArchivedEvent(ArchiveKind.RAW, "r-1", "batches", NOW_MS / 1000, found)
    return TableCheck(table, "dedupe", catalog, lambda _: event).delivered(RECEIVED)


def test_a_split_request_was_delivered_when_each_of_its_events_was(
    private: Catalog, table: FakeKeyedTable
) -> None:
    whole = envelope(b'{"events":[{"id":"a"},{"id":"b"},{"id":"c"}]}')
    parts = parts_of(whole, private)
    assert len({part.deduplication_key for part in parts}) == 3
    for part in parts:
        assert not delivered(table, private, whole), "some of its events were not"
        table.remember(part)
    assert delivered(table, private, whole)


def test_a_split_request_with_a_part_that_is_refused_was_not_delivered(
    private: Catalog, table: FakeKeyedTable
) -> None:
    sound = parts_of(envelope(b'{"events":[{"id":"a"},{"id":"b"}]}'), private)
    for part in sound:
        table.remember(part)
    for broken in (b'{"id":', b"7"):
        whole = envelope(b'{"events":[{"id":"a"},{"id":"b"},' + broken + b"]}")
        assert parts_of(whole, private) == []
        assert not delivered(table, private, whole)


def test_an_event_with_the_id_of_another_is_known_by_its_own_key(
    private: Catalog, table: FakeKeyedTable
) -> None:
    whole = envelope(b'{"events":[{"id":"a","n":2}]}')
    (part,) = parts_of(whole, private)
    table.remember(part, by="r-0#0")
    part.deduplication_key = reused_key(part)
    table.remember(part)
    assert delivered(table, private, whole)


def test_what_another_request_delivered_is_not_this_ones(
    private: Catalog, table: FakeKeyedTable
) -> None:
    whole = envelope(b'{"events":[{"id":"a"}]}')
    (part,) = parts_of(whole, private)
    table.remember(part, by="r-0#0")
    assert not delivered(table, private, whole)


def test_a_request_without_an_event_was_not_delivered(
    private: Catalog, table: FakeKeyedTable
) -> None:
    assert not delivered(table, private, envelope(b"{"))
    assert not delivered(table, private, envelope(b'{"events":[]}'))
    assert not delivered(table, private, None)


def test_delivered_counts_before_failed() -> None:
    known = KnownElsewhere(["r-1"], lambda event: event.key == "raw/x")
    assert known.outcome(RECEIVED) == "delivered"
    assert known.outcome(RECEIVED._replace(key="raw/y")) == "failed"
    assert known.outcome(RECEIVED._replace(key="raw/y", id="r-2")) is None
