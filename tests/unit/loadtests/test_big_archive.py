"""The archive that is made while it is read: its parts agree, and what it is asked is answered."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast

import pytest

from loadtests.bench import big_archive
from loadtests.bench.generated_archive import BEGINS, BUCKET, GeneratedBucket
from pipeline.archive.listing import ArchiveListing
from pipeline.archive.objects import Objects
from pipeline.archive.reading import Unreadable, read_object


def test_keys_are_listed_in_pages_and_name_objects_that_are_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("loadtests.bench.generated_archive._PAGE", 7)
    bucket = cast("Any", GeneratedBucket(1, 24 * 4 * 250))
    listing = ArchiveListing(bucket, BUCKET)
    folder = "dt=2026-10-24/hr=05/"
    assert len(listing.sources("raw/")) == 6
    for prefix in (
        f"raw/source=github/{folder}",
        f"ledger/{folder}",
        f"rejected/source=slack/{folder}",
    ):
        keys = [ref.key for ref in listing.objects(prefix)]
        assert keys == sorted(set(keys))
        assert all(key.startswith(prefix) for key in keys)
        middle = keys[len(keys) // 2]
        assert [ref.key for ref in listing.objects(prefix, after=middle)] == keys[
            len(keys) // 2 + 1 :
        ]
    assert sum(1 for _ in listing.objects("ledger/dt=2026-10-24/")) == 24 * 4 * 250
    raw = next(listing.objects(f"raw/source=github/{folder}"))
    lines = [item for _, item in read_object(raw.key, Objects(bucket, BUCKET).chunks(raw.key))]
    assert lines
    assert not any(isinstance(one, Unreadable) for one in lines)
    arrived = {cast("Any", one).arrived for one in lines}
    begins = (BEGINS + timedelta(hours=5)).timestamp()
    assert all(begins <= at < begins + 3_600 for at in arrived)


@pytest.mark.parametrize("part", ["audit", "dry_run"])
def test_a_part_finds_what_the_archive_was_made_with(part: str) -> None:
    found = big_archive.measured(part, 1, 24 * 4 * 6)
    assert found["events"] == 24 * 4 * 6
    assert found["rejected"] == 24 * 4
    assert found["objects_read"] > 0
    assert found["samples_mb"]


def test_dead_letters_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(big_archive, "TICKETS", 250)
    found = big_archive.measured("dead_letters", 1, 24 * 4)
    assert (found["tickets"], found["groups"], found["pages"]) == (250, 6, 3)
