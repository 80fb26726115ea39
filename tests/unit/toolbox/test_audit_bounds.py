"""What an audit holds in memory, and how often it reads, however many events there are."""

from __future__ import annotations

import sqlite3
import tracemalloc
from datetime import UTC, datetime, timedelta

from pipeline.archive.ledger import LedgerEntry
from pipeline.archive.lines import Received
from pipeline.archive.listing import ArchiveListing, ShardObject
from pipeline.archive.objects import ObjectRef, Objects
from tests.support.replay import HOUR, FakeArchive, line
from toolbox.audit.forecast import duration, forecast
from toolbox.audit.ids import IdsOnDisk
from toolbox.audit.join import MOST_FAULTS, AuditReport, join_shard
from toolbox.audit.reading import ArchiveReader
from toolbox.audit.run import AuditSpan

START = datetime(2026, 11, 23, 20, tzinfo=UTC)
SHARD = "shardId-000000000000"


def raw(first: int) -> str:
    return f"raw/source=github/{HOUR}/{SHARD}-{first}.jsonl.gz"


def test_ids_are_kept_by_kind_and_counted_once() -> None:
    ids = IdsOnDisk()
    assert not ids.holds("bad", "a")
    for name in ("a", "b", "b", "\ud800"):
        ids.add("bad", name)
    assert ids.holds("bad", "a")
    assert not ids.holds("good", "a")
    for name in ("b", "c", "\ud800", "b"):
        ids.add("good", name)
    assert ids.count("bad", also="good").total() == ids.count("good", also="bad").total() == 2


def test_events_that_ended_badly_take_no_memory() -> None:
    many = 8_000
    received = (Received(n, f"e{n}", "s", 0.0, "k") for n in range(many))
    ledger = (LedgerEntry(n, f"e{n}", "s", "rejected", "invalid_json", 0.0) for n in range(many))
    report = AuditReport()
    tracemalloc.start()
    try:
        join_shard(received, ledger, report, lambda _: "missing", lambda _: True)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert report.totals["rejected"] == many
    assert peak < 400_000, f"{peak:,} bytes"


def test_what_was_replayed_and_what_ended_badly_meet_wherever_they_were() -> None:
    report = AuditReport()
    for number in range(5_000):
        report.add("s", "rejected", f"e{number}#0", "invalid_json")
    for number in range(0, 6_000, 3):
        report.add("s", "delivered", f"e{number}@job#0")
    assert report.recovered == len(range(0, 5_000, 3))


def test_faults_are_counted_and_some_are_kept() -> None:
    report = AuditReport()
    for number in range(MOST_FAULTS + 7):
        report.add_unreadable(str(number))
    assert (len(report.unreadable), report.faults) == (MOST_FAULTS, MOST_FAULTS + 7)


def test_an_object_is_read_once_for_all_of_its_events() -> None:
    s3 = FakeArchive()
    for first in (0, 500):
        s3.add(raw(first), [line(n) for n in range(first, first + 500)])
    reader = ArchiveReader(Objects(s3, "archive"), lambda _: None)
    # Two objects of a shard overlap: their events come by turns.
    for number in range(500):
        for first in (0, 500):
            place = first + number
            wanted = Received(place, f"request-{place}", "github", 0.0, raw(first))
            found = reader.event(wanted)
            assert found is not None
            assert found.id == wanted.id
    assert len(s3.ranges) == 2
    earlier = reader.event(Received(3, "request-3", "github", 0.0, raw(0)))
    assert earlier is not None
    assert len(s3.ranges) == 3
    assert reader.event(Received(3, "request-3#", "github", 0.0, raw(0))) is None
    assert reader.event(Received(3, "request-3", "github", 0.0, "raw/gone")) is None


def test_objects_that_are_not_many_are_opened_lazily() -> None:
    reader = ArchiveReader(Objects(FakeArchive(), "archive"), lambda _: None)
    assert next(iter(reader.entries_of([])), None) is None


def test_the_number_and_the_size_of_what_is_fetched_ahead_are_bounded() -> None:
    s3 = FakeArchive()
    refs = [s3.add(f"raw/{n:02d}", [line(n)]) for n in range(40)]
    asked: list[str] = []

    def told(refs: list[ObjectRef]):  # type: ignore[no-untyped-def]
        for ref in refs:
            asked.append(ref.key)
            yield ref

    ahead = Objects(s3, "archive", objects_ahead=12).ahead(told(refs))
    next(ahead)
    assert len(asked) == 12
    ahead.close()
    asked.clear()
    large = [ObjectRef(ref.key, 10**9) for ref in refs]
    ahead = Objects(s3, "archive", objects_ahead=12).ahead(told(large))
    next(ahead)
    assert len(asked) == 8, "ranges of 4 MiB"
    ahead.close()


def test_the_newest_object_of_each_shard_is_found_without_keeping_the_others() -> None:
    s3 = FakeArchive()
    for shard, first in (("a", 9), ("a", 10), ("b", 3)):
        s3.add(f"ledger/{HOUR}/shardId-{shard}-{first}.jsonl.gz", [line(first)])
    s3.add(f"ledger/{HOUR}/else.txt", [line(1)])
    found = ArchiveListing(s3, "archive").newest_by_shard("ledger/")
    assert {shard: item.sequence for shard, item in found.items()} == {
        "shardId-a": 10,
        "shardId-b": 3,
    }
    assert isinstance(found["shardId-a"], ShardObject)


def test_a_forecast_lists_some_hours_of_many() -> None:
    s3 = FakeArchive()
    s3.page = 1_000
    for hour in range(24):
        place = f"dt=2026-11-23/hr={hour:02d}"
        for number in range(3):
            name = f"{place}/{SHARD}-{number}.jsonl.gz"
            s3.objects[f"raw/source=github/{name}"] = b"x" * 1_000
            s3.objects[f"raw/source=okta/{name}"] = b"x" * 1_000
            s3.objects[f"ledger/{name}"] = b"x" * 100
    listing = ArchiveListing(s3, "archive")
    day = START.replace(hour=0)
    found = forecast(listing, AuditSpan(day, day + timedelta(days=1)))
    assert (found.hours, found.asked, found.objects, found.size) == (24, 4, 216, 151_200)
    assert "by the listing of 4" in str(found)
    one = forecast(listing, AuditSpan(day, day + timedelta(hours=2), "okta"))
    assert (one.hours, one.asked, one.objects, one.size) == (2, 2, 12, 6_600)
    assert "about 12" not in str(one)
    empty = forecast(listing, AuditSpan(day - timedelta(days=30), day - timedelta(days=29)))
    assert empty.seconds == 0


def test_a_length_of_time_is_said_in_its_unit() -> None:
    assert [duration(x) for x in (3, 90, 9_000)] == ["3 s", "1.5 min", "2.5 h"]


def test_the_database_of_ids_needs_no_place_that_is_left_behind() -> None:
    ids = IdsOnDisk()
    ids.add("bad", "a")
    assert ids.count("bad", also="good").total() == 0
    assert isinstance(ids._database, sqlite3.Connection)
    (row,) = ids._database.execute("PRAGMA database_list").fetchall()
    assert row[2] == "", "a file without a name goes with its connection"
