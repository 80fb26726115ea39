"""What is written into the archive, where, and what follows where it cannot be."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from pipeline.archive.ledger import LedgerEntry, read_entry
from pipeline.archive.line_fields import LineError
from pipeline.archive.writer import ArchiveWriter
from pipeline.event.events import Outcome, delivered, rejected, unsettled
from pipeline.event.outcomes import Reason
from pipeline.runtime.deadline import Deadline
from pipeline.stream.records import read_records
from tests.support.bench import NOW_MS, github, record
from tests.support.fakes import FIRST_SEQUENCE_NUMBER, FakeS3, client_error, out_of_reach

if TYPE_CHECKING:
    from pipeline.event.events import Event
    from tests.support.bench import Bench

HOUR = "dt=2026-11-23/hr=20"
SHARD = "shardId-000000000000"


@pytest.fixture
def s3() -> FakeS3:
    return FakeS3()


@pytest.fixture
def writer(s3: FakeS3) -> ArchiveWriter:
    return ArchiveWriter(s3, "archive")


def deadline(seconds: float = 4.0) -> Deadline:
    """Some attempts where there is time, and one where there is none."""
    left = seconds

    def sleep(some: float) -> None:
        nonlocal left
        left -= some

    return Deadline(lambda: left, reserve=0.0, sleep=sleep)


def events(bench: Bench, count: int = 1) -> list[Event]:
    batch = [record(github({"n": n}, event="x", delivery=f"d-{n}")) for n in range(count)]
    return [outcome.event for outcome in bench.run(*batch).outcomes]  # type: ignore[misc]


def name(sequence: int) -> str:
    return f"{SHARD}-{FIRST_SEQUENCE_NUMBER + sequence}.jsonl.gz"


def test_rejections_lie_by_what_a_stranger_can_cause(
    bench: Bench, writer: ArchiveWriter, s3: FakeS3
) -> None:
    reasons = [Reason.STALE_SIGNATURE, Reason.SCHEMA_VIOLATION, Reason.BAD_SIGNATURE]
    outcomes = [
        rejected(event, reason, f"why {reason}")
        for event, reason in zip(events(bench, 3), reasons, strict=True)
    ]
    assert writer.write_rejected(outcomes, deadline()) == []
    folder = f"source=github/{HOUR}"
    assert set(s3.objects) == {
        f"quarantine/{folder}/{name(0)}",
        f"rejected/{folder}/{name(1)}",
    }
    assert [line["reason"] for line in s3.lines("quarantine/")] == [reasons[0], reasons[2]]
    (line,) = s3.lines("rejected/")
    assert (line["explanation"], line["key"]) == ("why schema_violation", "d-1")


def test_a_rejection_that_cannot_be_written_is_unsettled_and_the_others_are_not(
    bench: Bench, writer: ArchiveWriter, s3: FakeS3
) -> None:
    first, second = events(bench, 2)
    outcomes = [
        rejected(first, Reason.BAD_SIGNATURE, ""),
        rejected(second, Reason.INVALID_JSON, ""),
    ]
    s3.faults.append(client_error("SlowDown", status=503))
    failed = writer.write_rejected(outcomes, deadline(0.0))
    assert [(one.event, one.kind) for one in failed] == [(first, "unsettled")]
    assert failed[0].explanation == (
        f"quarantine/source=github/{HOUR}/{name(0)}: the archive could not be written"
    )
    assert [key.partition("/")[0] for key in s3.objects] == ["rejected"]


@pytest.mark.parametrize("fault", [out_of_reach(), client_error("SlowDown", status=503)])
def test_what_cannot_be_written_is_tried_again_until_the_time_is_up(
    bench: Bench, writer: ArchiveWriter, s3: FakeS3, fault: Exception
) -> None:
    (event,) = events(bench)
    s3.faults.append(fault)
    assert writer.write_raw([event], deadline()) is True
    assert s3.calls == 2
    s3.broken = fault
    assert writer.write_raw([event], deadline()) is False
    assert s3.calls > 3
    calls = s3.calls
    assert writer.write_ledger([delivered(event)], deadline(0.0)) is False
    assert s3.calls == calls + 1, "without time it is tried once"


def test_an_objects_name_is_its_first_record_by_number(
    bench: Bench, writer: ArchiveWriter, s3: FakeS3
) -> None:
    found = events(bench, 6)
    assert writer.write_raw(found[::-1], deadline()) is True
    assert writer.write_ledger([delivered(one) for one in found[::-1]], deadline()) is True
    assert list(s3.objects) == [f"raw/source=github/{HOUR}/{name(0)}", f"ledger/{HOUR}/{name(0)}"]
    for prefix in ("raw/", "ledger/"):
        assert [line["id"] for line in s3.lines(prefix)] == [one.id for one in found]


def test_the_same_lines_are_the_same_bytes(
    bench: Bench, writer: ArchiveWriter, s3: FakeS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = events(bench)
    writer.write_raw(found, deadline())
    before = dict(s3.objects)
    monkeypatch.setattr(gzip.time, "time", lambda: 2_000_000_000.0)  # type: ignore[attr-defined]
    writer.write_raw(found, deadline())
    assert s3.objects == before


def test_the_ledger_has_what_became_of_an_event_and_no_more(
    bench: Bench, writer: ArchiveWriter, s3: FakeS3
) -> None:
    (event,) = events(bench)
    outcomes = [delivered(event), rejected(event, Reason.INVALID_JSON, "quotes the body")]
    assert writer.write_ledger(outcomes, deadline()) is True
    lines = s3.lines("ledger/")
    arrived = datetime.fromtimestamp(NOW_MS / 1000, UTC).isoformat(timespec="milliseconds")
    place: dict[str, Any] = {
        "id": event.id,
        "source": "github",
        "shard_id": SHARD,
        "sequence_number": str(FIRST_SEQUENCE_NUMBER),
        "arrived": arrived,
    }
    shown = [{key: line[key] for key in (*place, "outcome", "reason")} for line in lines]
    assert shown == [
        place | {"outcome": "delivered", "reason": None},
        place | {"outcome": "rejected", "reason": "invalid_json"},
    ]
    assert b"quotes" not in orjson.dumps(lines)
    entry = read_entry(lines[1])
    assert (
        entry[:6]
        == LedgerEntry(
            FIRST_SEQUENCE_NUMBER, event.id, "github", "rejected", "invalid_json", NOW_MS / 1000
        )[:6]
    )


@pytest.mark.parametrize(
    "change",
    [{"outcome": "unsettled"}, {"outcome": "failed"}, {"outcome": None}, {"id": 1}, {"source": 1}],
)
def test_what_no_writer_writes_is_no_entry(
    bench: Bench, writer: ArchiveWriter, s3: FakeS3, change: dict[str, Any]
) -> None:
    writer.write_ledger([delivered(events(bench)[0])], deadline())
    (line,) = s3.lines("ledger/")
    assert read_entry(line).outcome == "delivered"
    with pytest.raises(LineError):
        read_entry(line | change)


def test_a_record_without_an_envelope_is_kept_in_full(writer: ArchiveWriter, s3: FakeS3) -> None:
    (one,) = read_records([record(b"\xff no envelope")])
    outcome: Outcome = unsettled(one, "")
    assert writer.write_raw([outcome.event], deadline())
    (line,) = s3.lines("raw/source=_unknown/")
    assert line["record_base64"] == "/yBubyBlbnZlbG9wZQ=="
    assert "body" not in line
