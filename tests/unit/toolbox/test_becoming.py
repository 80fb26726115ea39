"""What became of what a replay sent: from the ledger and the failure records, within bounds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from pipeline.archive.listing import ArchiveListing
from pipeline.archive.objects import Objects
from pipeline.replay.job import Job
from tests.support.bench import generic, record
from tests.support.replay import HOUR, JOB, FakeArchive
from tests.support.terminal import shown
from toolbox.cli.replay_wait import is_well, print_fate
from toolbox.replaying.becoming import ReplayFate, wait_until_settled

BEGUN = datetime(2026, 11, 23, 21, tzinfo=UTC)
LEDGER = "ledger/" + HOUR.replace("hr=20", "hr=21")


def entry(name: str, outcome: str, reason: str | None = None, **more: Any) -> dict[str, Any]:
    return {
        "id": name, "source": "github", "outcome": outcome, "reason": reason,
        "shard_id": "s", "sequence_number": "1", "arrived": BEGUN.isoformat(), **more,
    }  # fmt: skip


def fate_of(archive: FakeArchive, sent: int) -> ReplayFate:
    job = Job(JOB, {}, BEGUN.isoformat(), {}, {}, counts={"sent": sent})
    return ReplayFate(job, ArchiveListing(archive, "a"), Objects(archive, "a"))


def test_each_outcome_is_counted_once_for_the_job_that_sent_it() -> None:
    archive = FakeArchive()
    lines: list[dict[str, Any] | bytes] = [
        entry(f"a@{JOB}", "delivered"),
        entry("a", "rejected", "too_deep"),
        entry(f"b@{JOB}#0", "delivered", elements=2),
        entry(f"b@{JOB}#1", "rejected", "schema_violation", elements=2),
        entry(f"c@{JOB}", "duplicate"),
        entry("d@replay-20261123T210000-ffff", "delivered"),
        b"no line",
    ]
    archive.add(f"{LEDGER}/shardId-0-1.jsonl.gz", lines)
    archive.add(f"{LEDGER}/shardId-0-2.jsonl.gz", lines[:3])
    fate = fate_of(archive, 4)
    fate.look(BEGUN + timedelta(minutes=1))
    fate.look(BEGUN + timedelta(minutes=2))
    assert fate.to_json() == {
        "delivered": 2, "duplicate": 1, "rejected": 1, "ignored": 0, "failed": 0,
        "rejected_by_reason": {"schema_violation": 1}, "open": 1, "unreadable": 1,
    }  # fmt: skip
    assert not is_well(fate)
    told = shown(lambda: print_fate(fate))
    assert "became: 2 delivered, 1 duplicate, 0 ignored" in told
    assert "1 rejected: schema_violation" in told
    assert "1 requests have no outcome yet" in told


def test_what_failed_with_its_batch_is_no_longer_open(monkeypatch: pytest.MonkeyPatch) -> None:
    archive = FakeArchive()
    payload = orjson.dumps({"Records": [record(generic({}, request="a", replay=JOB))]}).decode()
    # The form of AWS's own record: Lambda Developer Guide, retaining discarded records in S3.
    content = {"requestContext": {"condition": "RetryAttemptsExhausted"}, "payload": payload}
    archive.objects["aws/lambda/u/shardId-0/2026/11/23/x"] = orjson.dumps(content)
    monkeypatch.setattr(
        archive,
        "_listed",
        lambda one: {"Key": one, "Size": len(archive.objects[one]), "LastModified": BEGUN},
    )
    fate = fate_of(archive, 1)
    fate.look(BEGUN, failures=False)
    assert fate.still_open == 1
    fate.look(BEGUN)
    assert (fate.still_open, fate.counts["failed"]) == (0, 1)


@pytest.mark.parametrize(("stops", "looks"), [(99, 6), (2, 2)])
def test_the_waiting_ends_by_itself_or_when_it_is_told_to(stops: int, looks: int) -> None:
    fate = fate_of(FakeArchive(), 1)
    told: list[int] = []
    clock = [BEGUN]

    def wait(seconds: float) -> None:
        clock[0] += timedelta(seconds=seconds)

    wait_until_settled(
        fate,
        6,
        now=lambda: clock[0],
        stop=lambda: len(told) >= stops,
        wait=wait,
        progress=lambda one: told.append(one.still_open),
    )
    assert told == [1] * looks


def test_nothing_is_waited_for_where_all_is_settled() -> None:
    archive = FakeArchive()
    archive.add(f"{LEDGER}/shardId-0-1.jsonl.gz", [entry(f"a@{JOB}", "delivered")])
    fate = fate_of(archive, 1)
    wait_until_settled(
        fate, 900, now=lambda: BEGUN + timedelta(seconds=9), stop=lambda: False,
        wait=lambda _: pytest.fail("it waits"), progress=lambda _: None,
    )  # fmt: skip
    assert is_well(fate)


def test_a_look_that_had_enough_goes_on_with_the_next_one() -> None:
    archive = FakeArchive()
    for number in (1, 2):
        archive.add(f"{LEDGER}/shardId-0-{number}.jsonl.gz", [entry(f"{number}@{JOB}", "ignored")])
    fate = fate_of(archive, 2)
    now, seen = BEGUN + timedelta(minutes=1), []
    for _ in range(3):
        all_read = fate.look(now, enough=lambda: True)
        seen.append((all_read, fate.still_open))
    assert seen == [(False, 1), (False, 0), (True, 0)]
