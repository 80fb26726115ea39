"""What was delivered before is not delivered again by a replay, however long ago it was."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from pipeline.archive.keys import ArchiveKind
from pipeline.archive.lines import read_line
from pipeline.archive.listing import ArchiveListing
from pipeline.archive.objects import Objects
from pipeline.event.envelope import Envelope
from pipeline.replay import memory
from pipeline.replay.history import (
    DeliveryHistory,
    Standing,
    earlier_jobs,
    replayed_since,
)
from pipeline.replay.job import DISTRIBUTED, DONE, Job
from pipeline.replay.memory import DigestSet, TooManyRequestsError
from pipeline.replay.settled import LedgerUnreadableError, SettledRequests
from pipeline.replay.windows import DeduplicationWindow, windows_of_catalog
from tests.support.replay import ARRIVED, HOUR, Bench, FakeArchive, line
from toolbox.cli.replay_history import windows_of_settings

if TYPE_CHECKING:
    from pipeline.event.compiled_source import Catalog

SHARD = "shardId-000000000000"
RAW = f"raw/source=github/{HOUR}/{SHARD}-"
LEDGER = f"ledger/{HOUR}/{SHARD}-"
AT = datetime.fromisoformat(ARRIVED).timestamp()
WEEK = 168 * 3_600.0
EARLIER = "replay-20261123T203000-aaaa"


def entry(
    identifier: str, outcome: str, reason: str | None = None, arrived: str = ARRIVED
) -> dict[str, Any]:
    """A line of the ledger."""
    return {
        "id": identifier,
        "source": "github",
        "outcome": outcome,
        "reason": reason,
        "shard_id": SHARD,
        "sequence_number": "1",
        "arrived": arrived,
    }


class Replayed:
    """A replay of `raw/` some time after the events arrived."""

    def __init__(self, *lines: dict[str, Any], age: float = 30 * 86_400.0, **options: Any) -> None:
        self.bench = Bench(**options)
        self.age = age
        self.window = DeduplicationWindow(WEEK, 2 * 3_600.0, header="x-github-event")
        self.bench.s3.add(f"{RAW}1.jsonl.gz", lines)

    def ledger(self, *entries: dict[str, Any], name: str = f"{LEDGER}1") -> None:
        self.bench.s3.add(f"{name}.jsonl.gz", entries)

    def earlier(self, status: str = DONE, **more: Any) -> None:
        begun = "2026-11-23T20:30:00+00:00"
        job = Job(EARLIER, {}, begun, {}, {}, status=status, counts={"sent": 1}, **more)
        self.bench.store.save(job)

    def run(self, since: float | None = None) -> dict[str, int]:
        bench = self.bench
        listing = ArchiveListing(bench.s3, "archive")
        objects = Objects(bench.s3, "archive", part_bytes=97)
        replayed = replayed_since(earlier_jobs(bench.store, bench.job.id), since, listing, objects)
        history = DeliveryHistory(
            listing, objects, replayed, {"github": self.window}, clock=lambda: AT + self.age
        )
        assert bench.run(history=history)
        return {name: n for name, n in bench.job.counts.items() if name not in {"read", "matched"}}


@pytest.mark.parametrize("age", [60.0, WEEK - 60, WEEK + 60, 300 * 86_400.0])
def test_what_the_ledger_knows_as_delivered_is_left_out_at_any_age(age: float) -> None:
    replay = Replayed(line(1), line(2), line(3), age=age)
    replay.ledger(entry("request-1", "delivered"), entry("request-2", "duplicate"))
    late = {"sent_late": 1} if age > WEEK - 3_600 else {}
    assert replay.run() == {"sent": 1, "delivered": 2, **late}
    assert replay.bench.kinesis.ids() == ["request-3"]
    assert replay.bench.job.before["delivered/github"] == 2


def test_what_is_forced_is_sent_and_counted_as_sent_again() -> None:
    replay = Replayed(line(1), line(2), force=True)
    replay.ledger(entry("request-1", "delivered"))
    assert replay.run() == {"sent": 2, "sent_again": 1}
    assert replay.bench.kinesis.ids() == ["request-1", "request-2"]
    assert {one.force for one in replay.bench.kinesis.envelopes()} == {True}


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        ("rejected", "schema_violation"),
        ("rejected", "id_reused"),
        ("ignored", None),
        ("duplicate", "id_reused"),
    ],
)
def test_what_was_not_delivered_is_sent(outcome: str, reason: str | None) -> None:
    replay = Replayed(line(1), age=60.0)
    replay.ledger(entry("request-1", outcome, reason))
    assert replay.run() == {"sent": 1}


@pytest.mark.parametrize(
    ("outcome", "reason"), [("duplicate", "body_reused"), ("delivered", "id_reused")]
)
def test_what_was_delivered_under_another_id_is_left_out(outcome: str, reason: str) -> None:
    replay = Replayed(line(1))
    replay.ledger(entry("request-1", outcome, reason))
    assert replay.run() == {"delivered": 1}


@pytest.mark.parametrize(("most_kept", "reads"), [(1_000_000, 1), (0, 2)])
def test_an_hour_of_the_ledger_is_read_once_while_it_fits(most_kept: int, reads: int) -> None:
    """Two sources ask for eight hours each, one after the other, as their keys come."""
    s3 = FakeArchive()
    names = [f"{LEDGER}1".replace("hr=20", f"hr={hour:02d}") + ".jsonl.gz" for hour in range(8)]
    for hour, name in enumerate(names):
        s3.add(name, [entry(f"request-{hour}", "delivered")])
    listing, objects = ArchiveListing(s3, "archive"), Objects(s3, "archive")
    history = DeliveryHistory(listing, objects, SettledRequests(), {}, most_kept=most_kept)
    for source in ("github", "okta"):
        for hour in range(8):
            at = f"2026-11-23T{hour:02d}:00:00+00:00"
            event = read_line(ArchiveKind.RAW, orjson.dumps(line(hour, source=source, arrived=at)))
            assert event.envelope is not None
            found = history.standing(RAW, event, event.envelope)
            assert found is Standing.DELIVERED
    assert len(s3.ranges) == 8 * reads


def test_the_ledger_is_asked_in_the_hour_of_each_event_and_on_its_shard() -> None:
    replay = Replayed(line(1), line(2, arrived="2026-11-23T21:00:00+00:00"))
    other = LEDGER.replace("shardId-000000000000", "shardId-000000000009")
    replay.ledger(entry("request-1", "delivered"), name=f"{other}1")
    replay.ledger(entry("request-2", "delivered"), name=f"{LEDGER}1".replace("hr=20", "hr=21"))
    assert replay.run() == {"sent": 1, "sent_late": 1, "delivered": 1}


def test_a_failure_record_is_looked_up_by_its_shard() -> None:
    replay = Replayed()
    reads = replay.bench.s3.ranges
    replay.bench.s3.add(f"rejected/source=github/{HOUR}/no-shard.jsonl.gz", [line(7)])
    replay.ledger(entry("request-7", "delivered"), name=f"ledger/{HOUR}/shardId-000000000004-1")
    assert replay.run() == {"delivered": 1}
    assert any(key.startswith("ledger/") for key, _, _ in reads)


def test_a_split_request_is_left_out_only_when_all_of_it_was_delivered() -> None:
    replay = Replayed(line(1), line(2), line(3))
    replay.ledger(
        *(entry(f"request-1#{n}", "delivered") for n in range(3)),
        entry("request-1#3", "ignored"),
        entry("request-2#0", "delivered"),
        entry("request-2#1", "rejected", "schema_violation"),
        entry("request-3#0", "rejected", "schema_violation"),
        entry("request-3#1", "ignored"),
    )
    assert replay.run() == {"sent": 1, "sent_late": 1, "delivered": 1, "partly_delivered": 1}
    assert replay.bench.kinesis.ids() == ["request-3"]
    (problem,) = replay.bench.job.problems
    assert problem["what"] == "partly_delivered"
    assert problem["line"] == 2


def test_a_partly_delivered_request_is_sent_while_the_table_remembers_it() -> None:
    replay = Replayed(line(2), age=WEEK - 3_700)
    replay.ledger(entry("request-2#0", "delivered"), entry("request-2#1", "rejected"))
    assert replay.run() == {"sent": 1, "sent_partly": 1}
    assert replay.bench.job.before == {"sent_partly/github": 1}


def test_a_partly_delivered_request_whose_rest_a_replay_delivered_is_left_out() -> None:
    replay = Replayed(line(2))
    replay.ledger(entry("request-2#0", "delivered"), entry("request-2#1", "rejected"))
    replay.earlier(finished="2026-11-23T21:30:00+00:00")
    replay.ledger(
        entry(f"request-2@{EARLIER}#0", "duplicate"),
        entry(f"request-2@{EARLIER}#1", "delivered"),
        name=f"ledger/dt=2026-11-23/hr=21/{SHARD}-5",
    )
    assert replay.run() == {"delivered": 1}


@pytest.mark.parametrize("since", [None, AT])
@pytest.mark.parametrize(
    "ended",
    [
        {"finished": "2026-11-23T21:30:00+00:00"},
        {"status": "failed", "updated": "2026-11-23T21:30:00+00:00"},
        {"status": "running", "updated": "2026-11-23T21:30:00+00:00"},
    ],
)
def test_what_an_earlier_replay_delivered_is_left_out(
    ended: dict[str, Any], since: float | None
) -> None:
    replay = Replayed(line(1), line(2))
    replay.ledger(entry("request-1", "rejected"), entry("request-2", "rejected"))
    replay.earlier(**ended)
    replay.ledger(
        entry(f"request-1@{EARLIER}", "delivered"),
        entry(f"request-2@{EARLIER}", "rejected"),
        entry("request-9", "delivered"),
        name=f"ledger/dt=2026-11-23/hr=21/{SHARD}-5",
    )
    assert replay.run(since) == {"sent": 1, "sent_late": 1, "delivered": 1}
    assert replay.bench.kinesis.ids() == ["request-2"]


def test_what_a_distributed_replay_delivered_is_found_to_its_manifest() -> None:
    replay = Replayed(line(1))
    replay.ledger(entry("request-1", "rejected"))
    replay.earlier(DISTRIBUTED)
    late = entry(f"request-1@{EARLIER}", "delivered")
    replay.ledger(late, name=f"ledger/dt=2026-11-23/hr=20/{SHARD}-5")
    replay.bench.s3.add(f"jobs/replay/{EARLIER}/run/manifest.json", [{}])
    assert replay.run() == {"delivered": 1}


def test_nothing_after_the_manifest_is_read() -> None:
    replay = Replayed(line(1))
    replay.earlier(DISTRIBUTED)
    replay.bench.s3.add(f"jobs/replay/{EARLIER}/run/manifest.json", [{}])
    replay.ledger(entry("x@y", "delivered"), name=f"ledger/dt=2026-11-24/hr=20/{SHARD}-5")
    replay.run()
    assert not any("dt=2026-11-24" in key for key, _, _ in replay.bench.s3.ranges)


def test_what_a_job_sent_in_its_last_second_is_found_in_the_next_hour() -> None:
    replay = Replayed(line(1))
    replay.earlier(finished="2026-11-23T21:59:59+00:00")
    last = entry(f"request-1@{EARLIER}", "delivered")
    replay.ledger(last, name=f"ledger/dt=2026-11-23/hr=22/{SHARD}-5")
    assert replay.run() == {"delivered": 1}


def test_the_windows_are_those_of_ids_or_of_bodies(catalog: Catalog) -> None:
    windows = windows_of_catalog(catalog)
    assert windows == {name: windows_of_settings()[name] for name in windows}
    github = windows["github"]
    assert (github.ids, github.header) == (WEEK, "x-github-delivery")
    assert any(not one.header and not one.needed for one in windows.values())
    assert any(one.optional for one in windows.values())


@pytest.mark.parametrize(
    ("window", "body", "hours"),
    [
        (DeduplicationWindow(10, 2), b"{}", 2),
        (DeduplicationWindow(0, 0), b"{}", 0),
        (DeduplicationWindow(0, 0, needed=(("id",),)), b'{"id":1}', 0),
        (DeduplicationWindow(10, 2, header="x-id"), b"{}", 2),
        (DeduplicationWindow(10, 2, header="content-type"), b"{}", 10),
        (DeduplicationWindow(10, 2, needed=(("id",),)), b'{"id":1}', 10),
        (DeduplicationWindow(10, 2, needed=(("id",),)), b'{"id":""}', 2),
        (DeduplicationWindow(10, 2, needed=(("id",), ("a", "b"))), b'{"id":1}', 2),
        (DeduplicationWindow(10, 2, needed=(("id",), ("a", "b"))), b'{"id":1,"a":{"b":"x"}}', 10),
        (DeduplicationWindow(10, 2, needed=(("id",),), optional=(("a",), ("b",))), b'{"id":1}', 2),
        (
            DeduplicationWindow(10, 2, needed=(("id",),), optional=(("a",), ("b",))),
            b'{"id":1,"b":2}',
            10,
        ),
        (
            DeduplicationWindow(10, 2, needed=(("id",),), split=("events",)),
            b'{"events":[{"id":1}]}',
            10,
        ),
        (
            DeduplicationWindow(10, 2, needed=(("id",),), split=("events",)),
            b'{"events":[{"id":1},{}]}',
            2,
        ),
        (DeduplicationWindow(10, 2, needed=(("id",),), split=("events",)), b'{"events":7}', 2),
        (DeduplicationWindow(10, 2, needed=(("id",),)), b"payload=%7B%7D", 2),
    ],
)
def test_a_window_is_that_of_the_event_that_is_forgotten_first(
    window: DeduplicationWindow, body: bytes, hours: int
) -> None:
    envelope = Envelope("a", 0, "s", "", body, "", {"content-type": "x"})
    assert [age for age in range(12) if not window.forgets(envelope, age)] == list(range(hours))


def test_a_request_with_an_event_without_id_is_forgotten_sooner() -> None:
    def after_a_day(body: str) -> dict[str, int]:
        replay = Replayed(line(2, body=body), age=86_400.0)
        replay.window = DeduplicationWindow(WEEK, 7_200.0, needed=(("id",),), split=("events",))
        replay.ledger(entry("request-2#0", "delivered"), entry("request-2#1", "rejected"))
        return replay.run()

    assert after_a_day('{"events":[{"id":1},{"id":2}]}') == {"sent": 1, "sent_partly": 1}
    assert after_a_day('{"events":[{"n":1},{"id":2}]}') == {"partly_delivered": 1}


def test_a_job_whose_state_is_broken_is_taken_to_go_on_until_now() -> None:
    now = datetime.now(UTC)
    begun = now - timedelta(hours=2)
    name = f"replay-{begun:%Y%m%dT%H%M%S}-bbbb"
    replay = Replayed(line(1))
    replay.bench.s3.objects[f"jobs/replay/{name}.json"] = b"{"
    hour = f"{now - timedelta(hours=1):dt=%Y-%m-%d/hr=%H/}"
    replay.ledger(entry(f"request-1@{name}", "delivered"), name=f"ledger/{hour}{SHARD}-5")
    assert replay.run() == {"delivered": 1}


def test_jobs_before_the_span_are_not_read() -> None:
    replay = Replayed(line(1))
    replay.earlier(finished="2026-11-23T20:30:10+00:00")
    replay.run(since=AT + 3_600)
    assert not any(key.startswith("ledger/dt=2026-11-23/hr=20/") and "-5" in key
                   for key, _, _ in replay.bench.s3.ranges)  # fmt: skip


def test_what_came_out_of_a_replay_is_known_by_its_original() -> None:
    again = line(1, name=f"request-1@{EARLIER}", replay=EARLIER, replays=1,
                 arrived="2026-11-24T09:00:00+00:00")  # fmt: skip
    replay = Replayed(again)
    replay.ledger(entry("request-1", "delivered"))
    rejected = entry(f"request-1@{EARLIER}", "rejected", "schema_violation")
    replay.ledger(rejected, name=f"ledger/dt=2026-11-24/hr=09/{SHARD}-8")
    assert replay.run() == {"delivered": 1}


@pytest.mark.parametrize(
    "content",
    [b"no gzip", None, b'{"id": 1}', b"[]", b"{", b'{"id":"a","outcome":"lost"}'],
)
def test_a_ledger_that_cannot_be_read_stops_the_job(content: bytes | None) -> None:
    replay = Replayed(line(1))
    objects, key = replay.bench.s3.objects, f"{LEDGER}1.jsonl.gz"
    replay.bench.s3.add(key, [entry("request-1", "delivered") if content is None else content])
    if content is None:
        objects[key] = objects[key][:-9]
    elif content == b"no gzip":
        objects[key] = content
    with pytest.raises(LedgerUnreadableError, match="--force"):
        replay.run()
    assert replay.bench.kinesis.ids() == []


def test_digests_are_found_in_every_chunk_and_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "CHUNK_DIGESTS", 16)
    found = DigestSet(most=1_000)
    for number in range(999):
        found.add(f"request-{number}")
    assert len(found) == 999
    assert all(f"request-{number}" in found for number in range(999))
    assert not any(f"request-{number}" in found for number in range(999, 3_000))
    for number in range(999, 1_007):
        found.add(f"request-{number}")
    with pytest.raises(TooManyRequestsError, match="1,000"):
        found.add("request-1007")
