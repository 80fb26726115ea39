"""Which objects a job reads, and what an operator's words mean."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pipeline.archive.keys import ArchiveKind
from pipeline.archive.listing import ArchiveListing
from pipeline.archive.objects import ArchiveReadError
from pipeline.errors import PipelineError
from pipeline.replay.filters import Filter, FilterError, filter_from_json
from pipeline.replay.selection import may_hold, measure, select
from pipeline.replay.times import TimeError, parse_time
from tests.support.fakes import client_error
from tests.support.replay import FakeArchive
from toolbox.cli.replay_distributed import list_prefix
from toolbox.cli.replay_history import types_of_settings
from toolbox.replaying.wishes import Wishes, make_filter
from toolbox.terminal.archived import body_text
from toolbox.terminal.printable import printable

NOW = datetime(2026, 11, 23, 21, 30, tzinfo=UTC)


def at(hour: int, minute: int = 0, day: int = 23) -> float:
    return datetime(2026, 11, day, hour, minute, tzinfo=UTC).timestamp()


@pytest.fixture
def archive() -> FakeArchive:
    s3 = FakeArchive()
    for source in ("a", "a-b", "_unknown"):
        for day, hour in ((22, 23), (23, 0), (23, 20), (23, 21)):
            for number in range(2):
                s3.objects[
                    f"raw/source={source}/dt=2026-11-{day}/hr={hour:02}/s-{number}.jsonl.gz"
                ] = b"xx"
    for day in (20, 22, 23):
        s3.objects[f"aws/lambda/1/shardId-0/2026/11/{day}/x"] = b"x"
    s3.objects["raw/source=a/"] = b""
    s3.objects["jobs/replay/x.json"] = b"x"
    return s3


def keys(archive: FakeArchive, wanted: Filter, after: str = "") -> list[str]:
    return [ref.key for ref in select(ArchiveListing(archive, "archive"), wanted, after)]


@pytest.mark.parametrize(
    ("wanted", "count"),
    [
        ({}, 24),
        ({"sources": frozenset({"a"})}, 16),
        ({"start": at(0)}, 18),
        ({"start": at(20, 59)}, 12),
        ({"end": at(0, 1)}, 12),
        ({"start": at(20), "end": at(20, 59), "sources": frozenset({"a"})}, 4),
        ({"start": at(22)}, 0),
        ({"end": 0.0}, 0),
    ],
)
def test_times_and_sources_narrow_the_listing(
    archive: FakeArchive, wanted: dict[str, Any], count: int
) -> None:
    found = Filter(frozenset({ArchiveKind.RAW}), **wanted)
    listed = keys(archive, found)
    assert len(listed) == count
    assert listed == sorted(listed)
    listed_objects = [key for key in archive.objects if not key.endswith("/")]
    assert sorted(key for key in listed_objects if may_hold(key, found)) == listed
    assert measure(ArchiveListing(archive, "archive"), found) == (count, 2 * count)


def test_failures_are_narrowed_by_the_day_they_were_written(archive: FakeArchive) -> None:
    wanted = Filter(frozenset({ArchiveKind.FAILED}), start=at(1), end=at(2))
    assert [key[-4:] for key in keys(archive, wanted)] == ["22/x", "23/x"]


def test_a_listing_goes_on_after_any_key(archive: FakeArchive) -> None:
    for wanted in (Filter(frozenset(ArchiveKind)), Filter(frozenset(ArchiveKind), start=at(20))):
        everything = keys(archive, wanted)
        for number, key in enumerate(everything):
            assert keys(archive, wanted, key) == everything[number + 1 :]


def test_an_archive_that_cannot_be_listed(archive: FakeArchive) -> None:
    archive.broken = client_error("AccessDenied", "ListObjectsV2", 403)
    with pytest.raises(ArchiveReadError, match="cannot be listed"):
        keys(archive, Filter(frozenset({ArchiveKind.RAW})))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2h", "2026-11-23T19:30:00+00:00"),
        ("30m", "2026-11-23T21:00:00+00:00"),
        ("1w", "2026-11-16T21:30:00+00:00"),
        ("2026-11-23", "2026-11-23T00:00:00+00:00"),
        (" 2026-11-23T14:30Z ", "2026-11-23T14:30:00+00:00"),
        ("2026-11-23T14:30+02:00", "2026-11-23T12:30:00+00:00"),
        ("2026-11-23 14:30", "2026-11-23T14:30:00+00:00"),
    ],
)
def test_times(text: str, expected: str) -> None:
    assert parse_time(text, NOW).isoformat() == expected


@pytest.mark.parametrize("text", ["", "yesterday", "2x", "-2h", "999999w", "2026-13-01"])
def test_times_that_are_none(text: str) -> None:
    with pytest.raises(TimeError):
        parse_time(text, NOW)


def test_no_filter_at_all_is_refused() -> None:
    with pytest.raises(FilterError, match="--all"):
        make_filter(Wishes(), NOW)
    with pytest.raises(FilterError, match="--all"):
        make_filter(Wishes(kinds=["raw"]), NOW)
    assert make_filter(Wishes(everything=True), NOW).end == NOW.timestamp()


@pytest.mark.parametrize(
    ("wishes", "kinds"),
    [
        ({"sources": ["github"]}, {"rejected", "failed"}),
        ({"reasons": ["bad_signature"]}, {"quarantine"}),
        ({"reasons": ["bad_signature", "invalid_json"]}, {"quarantine", "rejected"}),
        ({"ids": ["x"]}, {"raw"}),
        ({"ids": ["x"], "kinds": ["failed"]}, {"failed"}),
    ],
)
def test_where_to_look(wishes: dict[str, Any], kinds: set[str]) -> None:
    assert make_filter(Wishes(**wishes), NOW).kinds == kinds


def test_a_job_never_looks_into_the_future() -> None:
    assert make_filter(Wishes(end="2027-01-01", sources=["a"]), NOW).end == NOW.timestamp()
    with pytest.raises(FilterError, match="--from"):
        make_filter(Wishes(start="2027-01-01"), NOW)
    with pytest.raises(FilterError, match="no such reason"):
        make_filter(Wishes(reasons=["bad"]), NOW)


def test_what_the_audit_found_missing(tmp_path: Path) -> None:
    file = tmp_path / "missing.jsonl"
    rows = [
        {"id": "a", "source": "github", "arrived": "2026-11-23T20:08:23.123+00:00"},
        {"id": "b@replay-1", "source": "generic", "arrived": at(20, 30)},
    ]
    file.write_text("\n".join(json.dumps(row) for row in rows) + "\n\n")
    wanted = make_filter(Wishes(missing=file), NOW)
    assert wanted.kinds == {"raw"}
    assert wanted.ids == frozenset({"a", "b@replay-1"})
    assert wanted.sources == {"github", "generic"}
    assert wanted.start is not None
    assert wanted.end is not None
    assert at(20, 8) < wanted.start < at(20, 9)
    assert at(20, 30) < wanted.end < at(20, 31)


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"id":1,"source":"a","arrived":1}', "1"])
def test_a_broken_file_of_missing_events(tmp_path: Path, text: str) -> None:
    file = tmp_path / "missing.jsonl"
    file.write_text(text)
    with pytest.raises(PipelineError, match="line 1"):
        make_filter(Wishes(missing=file), NOW)


def test_files_of_ids(tmp_path: Path) -> None:
    file = tmp_path / "ids"
    file.write_text("a\n\n b \n")
    assert make_filter(Wishes(ids_file=file, ids=["c"]), NOW).ids == frozenset("abc")
    with pytest.raises(FilterError, match="cannot be read"):
        make_filter(Wishes(ids_file=tmp_path / "none"), NOW)
    file.write_bytes(b"\xff")
    with pytest.raises(FilterError, match="cannot be read"):
        make_filter(Wishes(ids_file=file), NOW)


def test_a_filter_is_read_back() -> None:
    wanted = Filter(
        frozenset({ArchiveKind.RAW}),
        frozenset({"a"}),
        frozenset({"push"}),
        frozenset({"x"}),
        1.0,
        2.0,
        frozenset({"id"}),
        "jobs/replay/ids",
    )
    assert filter_from_json(wanted.to_json(), frozenset({"id"})) == wanted
    assert filter_from_json({}) == Filter(frozenset(ArchiveKind))


@pytest.mark.parametrize(
    "document",
    [
        [],
        {"surces": ["a"]},
        {"kinds": ["row"]},
        {"sources": "a"},
        {"sources": [1]},
        {"from": "1"},
        {"from": True},
        {"to": 1e300},
        {"ids": 1},
        {"ids": "jobs/replay/gone"},
    ],
)
def test_a_filter_that_is_not_understood_matches_nothing(document: Any) -> None:
    with pytest.raises(FilterError):
        filter_from_json(document)


def test_the_prefix_of_a_workflow() -> None:
    def prefix(**more: Any) -> str:
        return list_prefix(Filter(frozenset({ArchiveKind.RAW}), **more))

    one = frozenset({"a"})
    assert prefix() == "raw/"
    assert prefix(start=at(1), end=at(2)) == "raw/"
    assert prefix(sources=one) == "raw/source=a/"
    assert prefix(sources=one, start=at(1), end=at(1, day=24)) == "raw/source=a/"
    assert prefix(sources=one, start=at(1), end=at(2)) == "raw/source=a/dt=2026-11-23/"
    assert prefix(sources=one, start=at(1), end=at(1, 9)) == "raw/source=a/dt=2026-11-23/hr=01/"
    assert list_prefix(Filter(frozenset({ArchiveKind.FAILED}), one)) == "aws/lambda/"
    with pytest.raises(FilterError, match="--kind"):
        list_prefix(Filter(frozenset(ArchiveKind)))


def test_the_rules_for_event_types_come_from_the_sources() -> None:
    assert types_of_settings(Filter(frozenset(ArchiveKind))).rules == {}
    rules = types_of_settings(Filter(frozenset(ArchiveKind), event_types=frozenset({"push"}))).rules
    assert rules["github"].header == "x-github-event"
    assert rules["github"].form_field == "payload"


def test_text_of_strangers_does_not_reach_the_terminal() -> None:
    assert printable("a\x1b[31m\x9b\u202eü\r\n") == "a\\x1b[31m\\x9b\\u202eü\\r\\n"
    assert body_text(b"\xff\x00" + b"x" * 100, 10).startswith("\\xff\x00xxxxx… (105 characters")
