"""Searching the archive: what fits, in which order, page by page, and what is read for it."""

from __future__ import annotations

import json
from collections import deque
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.archive.listing import ArchiveListing
from pipeline.archive.objects import Objects
from settings.source.loader import available_sources
from tests.support.replay import HOUR, FakeArchive, line
from toolbox.explaining import event_search
from toolbox.explaining.event_search import OPEN, CursorError, EventFilter, EventSearch, FoundPage
from toolbox.explaining.found import ReadingNotes
from toolbox.sources.type_rules import types_by

if TYPE_CHECKING:
    from collections.abc import Iterator

SHARD = "shardId-000000000000"
START, END = (datetime(2026, 11, 23, hour, tzinfo=UTC) for hour in (0, 23))


def settled(number: int, outcome: str, reason: str | None = None, **more: Any) -> dict[str, Any]:
    return {**line(number), "outcome": outcome, "reason": reason, **more}


class Archive(FakeArchive):
    """Events 1 to 40 of github in objects of ten, of which the last four are not settled."""

    def __init__(self) -> None:
        super().__init__()
        for first in (1, 11, 21, 31):
            numbers = range(first, first + 10)
            self.add(f"raw/source=github/{HOUR}/{SHARD}-{first}.jsonl.gz", map(line, numbers))
            self.add(
                f"ledger/{HOUR}/{SHARD}-{first}.jsonl.gz",
                [self.outcome(number) for number in numbers if number <= 36],
            )

    @staticmethod
    def outcome(number: int) -> dict[str, Any]:
        if number % 10 == 3:
            return settled(number, "rejected", "schema_violation")
        return settled(number, "delivered")


class Searching:
    def __init__(self, archive: FakeArchive) -> None:
        self.archive = archive
        self.notes = ReadingNotes()

    def page(self, after: str = "", most: int = 100, **wanted: Any) -> FoundPage:
        listing, objects = ArchiveListing(self.archive, "a"), Objects(self.archive, "a")
        types = types_by(available_sources(Path("nowhere")))
        search = EventSearch(listing, objects, self.notes, types, now=lambda: 0.0)
        return search.page(EventFilter(START, END, **wanted), after, most)

    def numbers(self, **wanted: Any) -> list[int]:
        return [int(one.id.partition("-")[2]) for one in self.page(**wanted).events]

    def all_pages(self, most: int, **wanted: Any) -> Iterator[FoundPage]:
        after = ""
        while True:
            page = self.page(after, most, **wanted)
            yield page
            if not (after := page.after):
                return


@pytest.fixture
def searching() -> Searching:
    return Searching(Archive())


@pytest.fixture
def listed(searching: Searching, monkeypatch: pytest.MonkeyPatch) -> deque[str]:
    """The prefixes below `raw/` that were listed; of two further sources nothing was rejected."""
    for source in ("gitlab", "slack"):
        for number in range(4):
            key = f"raw/source={source}/{HOUR}/{SHARD}-{number}.jsonl.gz"
            searching.archive.add(key, [line(number, source=source, name=f"o-{number}")])
    found, real = deque[str](), searching.archive.list_objects_v2

    def list_objects_v2(**request: Any) -> Any:
        if request["Prefix"].startswith("raw/source=") and not request.get("ContinuationToken"):
            found.append(request["Prefix"].removeprefix("raw/source="))
        return real(**request)

    monkeypatch.setattr(searching.archive, "list_objects_v2", list_objects_v2)
    return found


def test_folders_of_sources_that_the_ledger_does_not_name_are_not_listed(
    searching: Searching, listed: deque[str]
) -> None:
    assert searching.numbers(outcome="rejected") == [33, 23, 13, 3]
    assert [one for one in listed if HOUR in one] == [f"github/{HOUR}/"]


@pytest.mark.parametrize("wanted", [{}, {"outcome": "rejected"}, {"text": '"n":7'}])
def test_a_day_that_one_answer_holds_is_listed_once_for_a_source(
    searching: Searching, listed: deque[str], wanted: Any
) -> None:
    by_hour = searching.page(**wanted)
    assert len([one for one in listed if HOUR in one]) == (1 if "outcome" in wanted else 3)
    listed.clear()
    searching.archive.page = 1_000
    assert searching.page(**wanted) == by_hour
    day = HOUR.partition("/")[0]
    assert sorted(listed) == ["", *(f"{one}/{day}/" for one in ("github", "gitlab", "slack"))]


def test_the_newest_comes_first_with_what_became_of_it(searching: Searching) -> None:
    page = searching.page(most=8)
    assert [one.id for one in page.events] == [f"request-{n}" for n in range(40, 32, -1)]
    assert [one.outcomes for one in page.events[:4]] == [{}] * 4
    assert page.events[4].outcomes == {"delivered": 1}
    assert page.events[7].outcomes == {"rejected: schema_violation": 1}
    first = page.events[0]
    assert (first.source, first.event_type, first.delivery_id) == ("github", "push", "delivery-40")
    assert first.arrived.startswith("2026-11-23T20:08:23.123")


@pytest.mark.parametrize("most", [1, 7, 10, 39, 40])
def test_pages_have_each_event_once(searching: Searching, most: int) -> None:
    pages = list(searching.all_pages(most))
    found = [one.id for page in pages for one in page.events]
    assert found == [f"request-{n}" for n in range(40, 0, -1)]
    assert len(pages[-1].events) <= most
    assert pages[-1].after == ""


@pytest.mark.parametrize(
    ("wanted", "numbers"),
    [
        ({"outcome": "rejected"}, [33, 23, 13, 3]),
        ({"reason": "schema_violation"}, [33, 23, 13, 3]),
        ({"outcome": "delivered", "reason": "schema_violation"}, []),
        ({"outcome": OPEN}, [40, 39, 38, 37]),
        ({"identifier": "request-12"}, [12]),
        ({"identifier": "request-1"}, [1]),
        ({"identifier": "delivery-40"}, [40]),
        ({"text": '{"n":17}'}, [17]),
        ({"text": "application/jso"}, list(range(40, 0, -1))),
        ({"text": "192.0.2"}, []),
        ({"event_type": "push"}, list(range(40, 0, -1))),
        ({"event_type": "pus"}, []),
        ({"sources": ("gitlab",)}, []),
        ({"outcome": "rejected", "text": '{"n":2'}, [23]),
    ],
)
def test_each_filter_finds_what_it_says(
    searching: Searching, wanted: dict[str, Any], numbers: list[int]
) -> None:
    assert searching.numbers(**wanted) == numbers


def test_text_is_found_as_the_sender_wrote_it(searching: Searching) -> None:
    body = json.dumps({"a": 'ü "quoted" \\ back', "b": "é"}, ensure_ascii=False)
    key = f"raw/source=github/{HOUR}/{SHARD}-50.jsonl.gz"
    searching.archive.add(key, [line(50, body=body)])
    assert searching.numbers(text="é") == [50]
    assert searching.numbers(text='\\"quoted\\" ') == [50]
    assert searching.numbers(text='"quoted"') == []


def test_time_bounds_what_is_found(searching: Searching) -> None:
    at = datetime(2026, 11, 23, 20, 8, 24, tzinfo=UTC)
    for start, end, number in ((START, at, 40), (at, END, 0)):
        types = types_by({})
        search = EventSearch(
            ArchiveListing(searching.archive, "a"),
            Objects(searching.archive, "a"),
            searching.notes,
            types,
        )
        assert len(search.page(EventFilter(start, end), "", 100).events) == number


def test_what_the_ledger_does_not_name_is_not_read(searching: Searching) -> None:
    archive = searching.archive
    assert searching.numbers(reason="bad_signature") == []
    assert {key for key, _, _ in archive.ranges if key.startswith("raw/")} == set()
    archive.add(f"ledger/{HOUR}/{SHARD}-1.jsonl.gz", [settled(3, "rejected", "too_deep")])
    assert searching.numbers(reason="too_deep") == [3]
    read = {key for key, _, _ in archive.ranges if key.startswith("raw/")}
    assert read == {f"raw/source=github/{HOUR}/{SHARD}-1.jsonl.gz"}


def test_a_search_that_read_enough_says_where_to_go_on(
    searching: Searching, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_search, "MOST_BYTES", 900)
    found, bounds, after = list[int](), list[str](), ""
    for _ in range(30):
        searching.notes = ReadingNotes()
        page = searching.page(after, text='"n":1')
        found += [int(one.id.partition("-")[2]) for one in page.events]
        bounds.append(page.bound)
        if not (after := page.after):
            break
    assert found == [*range(19, 9, -1), 1]
    assert len(bounds) > 1
    assert "were read" in bounds[0]
    assert bounds[-1] == ""


def test_a_search_that_took_long_goes_on_at_its_hour(searching: Searching) -> None:
    clock = iter([0.0, 1_000.0])
    types = types_by({})
    search = EventSearch(
        ArchiveListing(searching.archive, "a"),
        Objects(searching.archive, "a"),
        searching.notes,
        types,
        now=lambda: next(clock),
    )
    page = search.page(EventFilter(START, END), "", 10)
    assert (page.events, page.bound) == ([], "15 s were spent")
    assert len(searching.page(page.after, 10).events) == 10


def test_elements_of_a_request_are_told_together(searching: Searching) -> None:
    searching.archive.add(f"raw/source=github/{HOUR}/{SHARD}-60.jsonl.gz", [line(60)])
    entries = [settled(60, "delivered", id=f"request-60#{n}", elements=3) for n in range(2)] + [
        settled(60, "rejected", "too_deep", id="request-60#2", elements=3)
    ]
    searching.archive.add(f"ledger/{HOUR}/{SHARD}-60.jsonl.gz", entries)
    (first, *_) = searching.page(most=1).events
    assert first.outcomes == {"delivered": 2, "rejected: too_deep": 1}
    assert searching.numbers(reason="too_deep") == [60]


@pytest.mark.parametrize(
    "after",
    [
        "x",
        "raw/x:1",
        "../../etc:1",
        f"raw/source=github/{HOUR}/{SHARD}-1.jsonl.gz",
        "raw/source=x/dt=1/hr=2/:1",
    ],
)
def test_a_place_that_is_none_is_refused(searching: Searching, after: str) -> None:
    with pytest.raises(CursorError):
        searching.page(after)


def test_what_cannot_be_read_is_said_and_stops_nothing(searching: Searching) -> None:
    key = f"raw/source=github/{HOUR}/{SHARD}-31.jsonl.gz"
    searching.archive.objects[key] = b"no gzip"
    searching.archive.add(f"raw/source=github/{HOUR}/{SHARD}-21.jsonl.gz", [b"{}", line(22)])
    assert searching.numbers()[0] == 22
    assert any("no gzip" in one for one in searching.notes.not_known)
    assert len(searching.notes.not_known) == 2
