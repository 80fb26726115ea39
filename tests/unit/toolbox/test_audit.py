"""The audit's join: each event has one outcome, whatever the batches were."""

from __future__ import annotations

import random
import tracemalloc
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from pipeline.archive.ledger import LedgerEntry
from pipeline.archive.lines import Received
from pipeline.archive.listing import ShardObject
from toolbox.audit.join import AuditReport, join_shard
from toolbox.audit.known import KnownElsewhere
from toolbox.audit.run import Audit, AuditSpan, merge_overlapping
from toolbox.audit.verdicts import Verdicts, newest_entries

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

START = datetime(2026, 11, 23, 20, tzinfo=UTC)
SHARD = "shardId-000000000000"
SPAN = AuditSpan(START, START + timedelta(hours=1))


def line(sequence: int, **more: Any) -> dict[str, Any]:
    return {
        "sequence_number": str(sequence),
        "id": f"e{sequence}",
        "source": "github",
        "arrived": START.isoformat(),
        **more,
    }


class FakeArchive:
    """Objects with lines, in the place of S3."""

    def __init__(self) -> None:
        self.objects: dict[str, list[dict[str, Any]]] = {}
        self.open = 0
        self.most_open = 0

    def put(self, prefix: str, lines: list[dict[str, Any]]) -> None:
        first = lines[0]["sequence_number"]
        self.objects[f"{prefix}/dt=2026-11-23/hr=20/{SHARD}-{first}.jsonl.gz"] = lines

    def sources(self, prefix: str) -> list[str]:
        return sorted({key.split("source=")[1].split("/")[0] for key in self.objects
                       if key.startswith(prefix)})  # fmt: skip

    def newest_by_shard(self, prefix: str) -> dict[str, ShardObject]:
        return {shard: items[-1] for shard, items in self.by_shard(prefix).items()}

    def by_shard(self, prefix: str) -> dict[str, list[ShardObject]]:
        found = [
            ShardObject(int(lines[0]["sequence_number"]), key, 1)
            for key, lines in self.objects.items()
            if key.startswith(prefix)
        ]
        return {SHARD: sorted(found)} if found else {}

    def lines(self, key: str) -> Iterator[dict[str, Any]]:
        self.open += 1
        self.most_open = max(self.open, self.most_open)
        yield from self.objects[key]
        self.open -= 1

    def received(self, item: ShardObject) -> Iterator[Received]:
        for one in self.lines(item.key):
            yield Received(
                int(one["sequence_number"]), one["id"], one["source"], START.timestamp(), item.key
            )

    def received_of(self, items: Iterable[ShardObject]) -> Iterator[Iterator[Received]]:
        return map(self.received, items)

    def entries_of(self, items: Iterable[ShardObject]) -> Iterator[Iterator[LedgerEntry]]:
        return map(self.entries, items)

    def entries(self, item: ShardObject) -> Iterator[LedgerEntry]:
        for one in self.lines(item.key):
            yield LedgerEntry(
                int(one["sequence_number"]),
                one["id"],
                one["source"],
                one["outcome"],
                one["reason"],
                START.timestamp(),
                one.get("elements", 0),
            )


def audit(
    archive: FakeArchive,
    *,
    failed: set[str] = frozenset(),  # type: ignore[assignment]
    delivered: set[str] = frozenset(),  # type: ignore[assignment]
    later: timedelta = timedelta(hours=2),
) -> AuditReport:
    known = KnownElsewhere(failed, lambda event: event.id in delivered)
    now = (START + later).timestamp
    newest = newest_entries(archive, archive, SPAN.start, SPAN.end, now())  # type: ignore[arg-type]
    runner = Audit(archive, archive, Verdicts(known, newest, clock=now))  # type: ignore[arg-type]
    report = AuditReport()
    runner.run(SPAN, report, lambda _done, _total: None)
    return report


def entry(sequence: int, outcome: str = "delivered", **more: Any) -> dict[str, Any]:
    return line(sequence, outcome=outcome, reason=None) | more


def test_each_outcome() -> None:
    archive = FakeArchive()
    archive.put("raw/source=github", [line(n) for n in range(1, 9)])
    archive.put(
        "ledger",
        [
            entry(1),
            entry(2, "duplicate"),
            entry(3, "rejected", reason="invalid_json"),
            entry(7),
        ],
    )
    report = audit(archive, failed={"e4"}, delivered={"e5"})
    assert report.totals == Counter(
        {
            "delivered": 3,
            "duplicate": 1,
            "rejected": 1,
            "rejected:invalid_json": 1,
            "failed": 1,
            "missing": 1,
            "pending": 1,
        }
    )
    assert report.received == 8
    assert [event.id for event in report.missing] == ["e6"], "the ledger has passed it"


def test_a_young_event_is_pending_and_an_old_one_is_not() -> None:
    archive = FakeArchive()
    archive.put("raw/source=github", [line(1)])
    archive.put("ledger", [entry(0, id="x"), entry(2, id="y")])
    assert audit(archive, later=timedelta(minutes=10)).totals["pending"] == 1
    assert audit(archive, later=timedelta(minutes=16)).totals["missing"] == 1
    del archive.objects[next(key for key in archive.objects if key.startswith("ledger"))]
    assert audit(archive, later=timedelta(hours=30)).totals["pending"] == 1
    assert audit(archive, later=timedelta(days=8)).totals["missing"] == 1


def test_split_events_belong_to_their_request() -> None:
    archive = FakeArchive()
    archive.put("raw/source=github", [line(1), line(2)])
    archive.put(
        "ledger",
        [entry(1, id="e1#0"), entry(1, "rejected", id="e1#1", reason="too_large"), entry(2)],
    )
    report = audit(archive)
    assert report.totals["delivered"] == 2
    assert report.totals["rejected"] == 1
    assert not report.unarchived


def test_an_element_of_a_request_that_the_ledger_lacks_is_missing() -> None:
    archive = FakeArchive()
    archive.put("raw/source=github", [line(1), line(2)])
    lines = [entry(1, id=f"e1#{n}", elements=3) for n in (0, 2)]
    archive.put("ledger", [*lines, entry(2)])
    report = audit(archive)
    assert report.totals == Counter({"delivered": 3, "missing": 1})
    assert [event.id for event in report.missing] == ["e1"]
    assert not report.holds


def test_events_with_the_id_or_body_of_another_are_counted_however_they_ended() -> None:
    archive = FakeArchive()
    archive.put("raw/source=github", [line(n) for n in range(1, 5)])
    archive.put(
        "ledger",
        [
            entry(1, reason="id_reused"),
            entry(2, "duplicate", reason="id_reused"),
            entry(3, "rejected", reason="body_reused"),
            entry(4),
        ],
    )
    report = audit(archive)
    assert report.reused == {"id_reused": 2, "body_reused": 1}
    assert report.received == 4


def test_what_the_archiver_has_not_kept_is_counted_and_said() -> None:
    archive = FakeArchive()
    archive.put("raw/source=github", [line(1)])
    archive.put("ledger", [entry(1), entry(2)])
    young = audit(archive, later=timedelta(minutes=10))
    assert (young.received, young.unarchived, young.lost_by_archiver) == (2, 1, 0)
    assert young.holds, "the archiver's window is a minute, the fan-out's a second"
    report = audit(archive, later=timedelta(minutes=16))
    assert (report.received, report.unarchived, report.lost_by_archiver) == (2, 1, 1)
    assert [entry.sequence for entry in report.unmatched] == [2]
    assert not report.holds


def test_what_the_archiver_gave_up_is_not_lost() -> None:
    archive = FakeArchive()
    archive.put("raw/source=github", [line(1)])
    archive.put("ledger", [entry(1), entry(2, id="e2#0"), entry(2, id="e2#1")])
    assert audit(archive).lost_by_archiver == 1
    report = audit(archive, failed={"e2"})
    assert (report.unarchived, report.lost_by_archiver) == (1, 0)
    assert report.holds


def test_a_missing_event_does_not_hold() -> None:
    archive = FakeArchive()
    archive.put("raw/source=github", [line(1), line(2)])
    archive.put("ledger", [entry(2)])
    assert not audit(archive).holds


def test_a_replay_recovers() -> None:
    archive = FakeArchive()
    archive.put("raw/source=github", [line(1), line(2, id="e1@job")])
    archive.put("ledger", [entry(1, "rejected", reason="schema_violation"), entry(2, id="e1@job")])
    report = audit(archive)
    assert report.recovered == 1
    assert report.totals["replays"] == 1


OUTCOMES = st.sampled_from(["delivered", "duplicate", "rejected", None])


@given(
    outcomes=st.lists(OUTCOMES, min_size=1, max_size=60),
    raw_cuts=st.sets(st.integers(1, 60)),
    ledger_cuts=st.sets(st.integers(1, 60)),
    lanes=st.integers(1, 3),
    seed=st.integers(0, 9),
)
def test_batches_do_not_matter(
    outcomes: list[str | None],
    raw_cuts: set[int],
    ledger_cuts: set[int],
    lanes: int,
    seed: int,
) -> None:
    """Raw and ledger are cut at other places, by lanes that overlap, some of it written twice."""
    chance = random.Random(seed)
    archive = FakeArchive()
    for lane in range(lanes):
        batch: list[dict[str, Any]] = []
        for n in range(lane, len(outcomes), lanes):
            batch.append(line(n))
            if n in raw_cuts or n + lanes >= len(outcomes):
                archive.put(f"raw/source={chance.choice('ab')}", batch)
                batch = []
        for n in range(lane, len(outcomes), lanes):
            outcome = outcomes[n]
            if outcome:
                batch.append(entry(n, outcome))
            if batch and (n in ledger_cuts or n + lanes >= len(outcomes)):
                archive.put("ledger", batch)
                batch = []
    report = audit(archive)
    assert report.received == len(outcomes)
    expected = Counter(outcome for outcome in outcomes if outcome)
    assert {name: report.totals[name] for name in expected} == dict(expected)
    assert report.totals["missing"] + report.totals["pending"] == outcomes.count(None)


def test_objects_are_opened_when_they_are_due() -> None:
    archive = FakeArchive()
    for start in range(0, 1000, 10):
        archive.put("raw/source=github", [line(n) for n in range(start, start + 10)])
    objects = archive.by_shard("raw/")[SHARD]
    merged = merge_overlapping(objects, archive.received_of)
    assert [event.sequence for event in merged] == list(range(1000))
    assert archive.most_open <= 2


def test_the_join_needs_no_memory_for_what_it_has_passed() -> None:
    many = 50_000
    received = (Received(n, f"e{n}", "s", 0.0, "k") for n in range(many))
    ledger = (LedgerEntry(n, f"e{n}", "s", "delivered", None, 0.0) for n in range(many))
    report = AuditReport()
    tracemalloc.start()
    try:
        join_shard(received, ledger, report, lambda _event: "missing", lambda _entry: True)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert report.totals["delivered"] == many
    assert peak < 200_000, f"{peak:,} bytes"
