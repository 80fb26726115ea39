"""Keys of the archive: what is written into one is read out of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.archive.keys import (
    FAILED_PREFIX,
    LEDGER_PREFIX,
    ArchiveKind,
    ObjectName,
    Partition,
    day_folder,
    day_written,
    hour_folder,
    hour_folders,
    kind_of,
    name_of,
    object_name,
    partition_of,
    source_folder,
    source_of,
)
from pipeline.event.times import iso_milliseconds

SECONDS = st.floats(0, 4_000_000_000)
SOURCES = st.one_of(st.just("_unknown"), st.from_regex(r"[a-z][a-z0-9-]{0,39}", fullmatch=True))
START = datetime(2026, 11, 23, 20, tzinfo=UTC)


@given(SECONDS)
def test_the_folder_is_that_of_the_time(seconds: float) -> None:
    day, _, hour = iso_milliseconds(seconds).partition("T")
    assert hour_folder(seconds) == f"dt={day}/hr={hour[:2]}/"
    assert day_folder(datetime.fromisoformat(f"{day}T{hour}")) == f"dt={day}/"


@given(st.sampled_from(ArchiveKind), SOURCES, SECONDS, st.integers(0, 10**56))
def test_a_key_says_what_it_was_made_of(
    kind: ArchiveKind, source: str, seconds: float, sequence: int
) -> None:
    folder = kind.prefix + source_folder(source)
    name = object_name("shardId-000000000000", str(sequence))
    key = f"{folder}{hour_folder(seconds)}{name}"
    assert kind_of(key) == kind
    assert source_of(folder) == source
    assert partition_of(key) == Partition(source, hour_folder(seconds))
    assert name_of(key) == ObjectName("shardId-000000000000", sequence)


def test_the_whole_key_is_as_the_documents_have_it() -> None:
    where = ArchiveKind.RAW.prefix + source_folder("github") + hour_folder(START.timestamp())
    assert where + object_name("shardId-000000000000", "49") == (
        "raw/source=github/dt=2026-11-23/hr=20/shardId-000000000000-49.jsonl.gz"
    )


@pytest.mark.parametrize(
    "key",
    [
        "raw/x",
        "ledger/dt=2026-11-23/hr=20/s-1.jsonl",
        "raw/source=a/dt=2026-11-23/hr=20/shardId-1-1.jsonl.gz.tmp",
        "raw/source=a/dt=2026-11-23/hr=20/shardId-1-" + "9" * 129 + ".jsonl.gz",
    ],
)
def test_an_object_that_the_archive_did_not_write_has_no_name(key: str) -> None:
    assert name_of(key) is None


def test_what_holds_no_events_is_of_no_kind() -> None:
    assert kind_of(f"{LEDGER_PREFIX}x") is None
    assert partition_of(f"{LEDGER_PREFIX}dt=2026-11-23/hr=20/x") is None


def test_a_failure_record_says_on_which_day_it_was_written() -> None:
    assert day_written(f"{FAILED_PREFIX}1/shardId-0/2026/11/03/x") == (2026, 11, 3)
    assert day_written(f"{FAILED_PREFIX}x") is None


@pytest.mark.parametrize(("minutes", "expected"), [(0, 0), (1, 1), (60, 1), (61, 2)])
def test_each_hour_of_a_span_has_its_folder(minutes: int, expected: int) -> None:
    folders = list(hour_folders(START, START + timedelta(minutes=minutes)))
    assert folders == ["dt=2026-11-23/hr=20/", "dt=2026-11-23/hr=21/"][:expected]
