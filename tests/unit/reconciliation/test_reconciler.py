"""Two readers of one stream account for the same records, or somebody is told."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from pipeline.archive.listing import ArchiveListing
from pipeline.archive.objects import ArchiveReadError, Objects
from pipeline.archive.writer import ArchiveWriter
from pipeline.reconciliation.comparison import ShardComparison, StreamReader, UserRecord
from pipeline.reconciliation.reconciler import RESERVE_SECONDS, Reconciler, due_hour
from pipeline.runtime.deadline import Deadline
from stream_processors import reconciler as module
from stream_processors.archiver import Archiver
from tests.support.bench import NOW_MS, SECRET, Bench, aggregate, generic, github, record
from tests.support.fakes import client_error
from tests.support.replay import HOUR as FOLDER
from tests.support.replay import FakeArchive

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Iterable

    from pipeline.event.compiled_source import Catalog
    from pipeline.reconciliation.report import Reconciliation

HOUR = datetime(2026, 11, 23, 20, tzinfo=UTC)
FUNCTIONS = {"the-fan-out": StreamReader.FAN_OUT, "the-archiver": StreamReader.ARCHIVER}
PLENTY = Deadline(lambda: 600.0)
NONE = {"fan-out": 0, "archiver": 0}


@dataclass
class Pipeline:
    """The two consumers themselves, on one archive."""

    bench: Bench
    s3: FakeArchive

    def fan_out(self, *records: dict[str, Any]) -> None:
        assert self.bench.run(*records).checkpoint is None

    def archive(self, *records: dict[str, Any]) -> None:
        writer = ArchiveWriter(self.s3, "archive")
        assert Archiver(self.bench.catalog, writer).process(records, PLENTY)

    def give_up(
        self, function: str, *records: dict[str, Any], name: str = "one", payload: Any = None
    ) -> None:
        """Write a failure record, as an event source mapping does."""
        arn = f"arn:aws:lambda:us-west-2:000000000000:function:{function}"
        context = {"functionArn": arn, "condition": "RetryAttemptsExhausted"}
        document = {
            "requestContext": context,
            "payload": json.dumps({"Records": records}) if payload is None else payload,
        }
        key = f"aws/lambda/a-mapping/shardId-000000000000/2026/11/23/{name}"
        self.s3.objects[key] = json.dumps(document).encode()

    def reconcile(self, hour: datetime = HOUR, deadline: Deadline = PLENTY) -> Reconciliation:
        return reconciler(self.s3).reconcile(hour, deadline)


def reconciler(s3: FakeArchive) -> Reconciler:
    return Reconciler(ArchiveListing(s3, "archive"), Objects(s3, "archive"), FUNCTIONS)


@pytest.fixture
def pipeline(catalog: Catalog) -> Pipeline:
    bench, s3 = Bench(catalog), FakeArchive()
    bench.s3 = s3
    bench.new_process()
    return Pipeline(bench, s3)


def batch(number: int = 6) -> list[dict[str, Any]]:
    """Records of every kind: two sources, aggregates, a forgery, a copy, and one of no sense."""
    kinds = [
        github({"n": 1}, delivery="d-1"),
        aggregate(github({"n": 2}, delivery="d-2"), generic({"n": 3}), generic(b"{")),
        github({"n": 4}, delivery="d-4", secret=SECRET[::-1]),
        github({"n": 1}, delivery="d-1"),
        b"no envelope",
        generic({}).replace(b"source=generic", b"source=..%2Fx"),
    ]
    return [record(kind) for kind in kinds[:number]]


def sequence(one: dict[str, Any]) -> str:
    return str(one["kinesis"]["sequenceNumber"])


def named(report: Reconciliation, reader: StreamReader) -> list[str]:
    return [example["sequence_number"] for example in report.lacking[reader].examples]


def at(moment: datetime, records: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    moved = copy.deepcopy(list(records))
    for one in moved:
        one["kinesis"]["approximateArrivalTimestamp"] = moment.timestamp()
    return moved


def test_equal_accounts_match_whatever_the_batches_are(pipeline: Pipeline) -> None:
    records = batch()
    pipeline.archive(*records)
    pipeline.fan_out(*records[:2])
    pipeline.fan_out(*records[2:])
    report = pipeline.reconcile()
    assert report.matches
    assert report.complete
    assert (report.compared, report.unmatched) == (8, NONE)


def test_a_batch_that_was_tried_again_in_other_parts_is_no_difference(pipeline: Pipeline) -> None:
    records = batch()
    for parts in ([records], [records[:1], records[1:]], [records[:3], records[3:]]):
        for part in parts:
            pipeline.archive(*part)
            pipeline.fan_out(*part)
    report = pipeline.reconcile()
    assert report.matches
    assert report.complete
    assert report.compared == 8


@pytest.mark.parametrize("lost", range(6))
def test_what_the_fan_out_lost_is_named(pipeline: Pipeline, lost: int) -> None:
    records = batch()
    pipeline.archive(*records)
    pipeline.fan_out(*records[:lost], *records[lost + 1 :])
    report = pipeline.reconcile()
    number = 3 if lost == 1 else 1
    assert not report.matches
    assert report.complete
    assert report.unmatched == {"fan-out": number, "archiver": 0}
    assert named(report, StreamReader.FAN_OUT) == [sequence(records[lost])] * number


@pytest.mark.parametrize("lost", range(6))
def test_what_the_archiver_lost_is_named(pipeline: Pipeline, lost: int) -> None:
    records = batch()
    pipeline.archive(*records[:lost], *records[lost + 1 :])
    pipeline.fan_out(*records)
    report = pipeline.reconcile()
    number = 3 if lost == 1 else 1
    assert report.unmatched == {"fan-out": 0, "archiver": number}
    assert named(report, StreamReader.ARCHIVER) == [sequence(records[lost])] * number


def test_a_reader_that_wrote_nothing_lacks_all(pipeline: Pipeline) -> None:
    pipeline.archive(*batch())
    report = pipeline.reconcile()
    assert report.unmatched == {"fan-out": 8, "archiver": 0}
    assert len(report.lacking[StreamReader.FAN_OUT].examples) == 5, "a log line has an end"


def test_a_request_that_is_lost_of_an_aggregate_shows(pipeline: Pipeline) -> None:
    one, other = generic({"n": 1}, request="r-1"), generic({"n": 2}, request="r-2")
    whole, part = record(aggregate(one, other), sequence=7), record(aggregate(one), sequence=7)
    pipeline.archive(whole)
    pipeline.fan_out(part)
    report = pipeline.reconcile()
    assert report.unmatched == {"fan-out": 1, "archiver": 0}
    (example,) = report.lacking[StreamReader.FAN_OUT].examples
    assert example == {
        "shard": "shardId-000000000000",
        "sequence_number": sequence(whole),
        "id": "r-2",
    }


def test_the_events_of_a_split_request_are_its_own(pipeline: Pipeline) -> None:
    place = {"shard_id": "shardId-000000000000", "sequence_number": "5"}
    pipeline.s3.add(
        f"raw/source=github/{FOLDER}/shardId-000000000000-5.jsonl.gz", [{"id": "r@job", **place}]
    )
    pipeline.s3.add(
        f"ledger/{FOLDER}/shardId-000000000000-5.jsonl.gz",
        [{"id": f"r@job#{number}", **place} for number in range(3)],
    )
    report = pipeline.reconcile()
    assert report.matches
    assert report.complete
    assert report.compared == 1


def test_shards_are_compared_each_by_itself(pipeline: Pipeline) -> None:
    for shard, number in (("shardId-1", "5"), ("shardId-2", "6")):
        lines = [{"id": "r", "shard_id": shard, "sequence_number": number}]
        pipeline.s3.add(f"raw/source=github/{FOLDER}/{shard}-{number}.jsonl.gz", lines)
    pipeline.s3.add(f"ledger/{FOLDER}/shardId-1-6.jsonl.gz", [{"id": "r", "sequence_number": "6"}])
    report = pipeline.reconcile()
    assert report.unmatched == {"fan-out": 2, "archiver": 1}


@pytest.mark.parametrize("qualifier", ["", ":$LATEST"])
def test_what_the_mapping_gave_up_is_accounted_for(pipeline: Pipeline, qualifier: str) -> None:
    records = batch()
    pipeline.archive(*records)
    pipeline.fan_out(*records[:3])
    pipeline.give_up(f"the-fan-out{qualifier}", *records[3:])
    report = pipeline.reconcile()
    assert report.matches
    assert report.complete
    assert (report.compared, report.given_up) == (8, 3)


def test_a_failure_record_speaks_for_its_own_reader_alone(pipeline: Pipeline) -> None:
    records = batch()
    pipeline.fan_out(*records[:5])
    pipeline.archive(*records[:4])
    # Of the last two the archiver has only failure records; the fan-out has lost the last.
    pipeline.give_up("the-archiver", *records[4:])
    report = pipeline.reconcile()
    assert report.unmatched == {"fan-out": 1, "archiver": 0}
    assert named(report, StreamReader.FAN_OUT) == [sequence(records[5])]


def test_a_failure_record_of_another_function_explains_nothing(pipeline: Pipeline) -> None:
    records = batch()
    pipeline.archive(*records)
    pipeline.fan_out(*records[:5])
    pipeline.give_up("somebody-else", *records)
    assert pipeline.reconcile().unmatched == {"fan-out": 1, "archiver": 0}


def test_a_batch_of_which_all_was_given_up_by_one_is_a_difference(pipeline: Pipeline) -> None:
    records = batch()
    pipeline.give_up("the-fan-out", *records)
    assert pipeline.reconcile().unmatched == {"fan-out": 0, "archiver": 8}


def test_failure_records_of_other_hours_are_left_alone(pipeline: Pipeline) -> None:
    pipeline.give_up("the-fan-out", *at(HOUR - timedelta(seconds=1), batch()))
    assert pipeline.reconcile().matches
    pipeline.give_up("the-fan-out", *at(HOUR + timedelta(hours=1), batch()), name="two")
    report = pipeline.reconcile()
    assert (report.matches, report.given_up) == (True, 0)
    # Written before the hour began: not even opened.
    pipeline.s3.ranges.clear()
    assert pipeline.reconcile(HOUR + timedelta(hours=1)).compared == 0
    assert pipeline.s3.ranges == []


def test_an_hour_ends_for_both_at_the_same_record(pipeline: Pipeline) -> None:
    edge = HOUR + timedelta(hours=1)
    before = at(edge - timedelta(milliseconds=1), batch(2))
    after = at(edge, batch(3))
    pipeline.archive(*before, *after)
    pipeline.fan_out(*before, *after[:2])
    first, second = pipeline.reconcile(), pipeline.reconcile(edge)
    assert (first.matches, first.compared) == (True, 4)
    assert second.compared == 5
    assert named(second, StreamReader.FAN_OUT) == [sequence(after[2])]


def corrupt(data: bytes) -> bytes:
    return data[: len(data) // 2]


@pytest.mark.parametrize("prefix", ["raw/", "ledger/"])
def test_a_damaged_object_is_counted_and_named(pipeline: Pipeline, prefix: str) -> None:
    records = batch(1)
    pipeline.archive(*records)
    pipeline.fan_out(*records)
    (key,) = (key for key in pipeline.s3.objects if key.startswith(prefix))
    pipeline.s3.objects[key] = corrupt(pipeline.s3.objects[key])
    report = pipeline.reconcile()
    assert not report.complete
    assert report.unreadable.count == 1
    assert report.unreadable.examples == [f"{key}: cut off before its end"]
    reader = "archiver" if prefix == "raw/" else "fan-out"
    assert report.unmatched == {**NONE, reader: 1}


def test_a_damaged_line_costs_no_other(pipeline: Pipeline) -> None:
    good = [{"id": f"r-{n}", "sequence_number": str(n)} for n in range(5, 8)]
    pipeline.s3.add(f"raw/source=github/{FOLDER}/shardId-1-5.jsonl.gz", good)
    bad: list[bytes | dict[str, Any]] = [
        b"{",
        b"[]",
        {"id": "x"},
        {"id": 7, "sequence_number": "5"},
    ]
    bad.append({"id": "x", "sequence_number": "-1"})
    pipeline.s3.add(f"ledger/{FOLDER}/shardId-1-5.jsonl.gz", [*good[:1], *bad, *good[1:]])
    report = pipeline.reconcile()
    assert report.unmatched == NONE
    assert report.unreadable.count == 5
    assert "line 2: no JSON object" in report.unreadable.examples[0]
    assert not report.complete


def test_a_damaged_failure_record_is_counted_and_named(pipeline: Pipeline) -> None:
    pipeline.give_up("the-fan-out", payload="{")
    pipeline.give_up("the-fan-out", {"kinesis": {"data": "eA=="}}, name="two")
    strange = batch(1)[0]
    strange["kinesis"]["sequenceNumber"] = "first"
    pipeline.give_up("the-fan-out", strange, name="three")
    report = pipeline.reconcile()
    assert report.unreadable.count == 3
    said = " ".join(report.unreadable.examples)
    for what in ("'payload' is not JSON", "without 'sequenceNumber'", "is no number"):
        assert what in said


def test_an_archive_out_of_reach_is_an_error(pipeline: Pipeline) -> None:
    pipeline.archive(*batch())
    pipeline.s3.faults.append(client_error("AccessDenied", status=403))
    with pytest.raises(ArchiveReadError):
        pipeline.reconcile()


class Clock:
    """The time that is left: so many looks with plenty, and none after that."""

    def __init__(self, looks: int) -> None:
        self.looks = looks

    def __call__(self) -> float:
        self.looks -= 1
        return RESERVE_SECONDS if self.looks >= 0 else RESERVE_SECONDS - 0.1


@pytest.fixture
def three_shards(pipeline: Pipeline) -> Pipeline:
    for shard in "123":
        for n in (5, 6):
            lines = [{"id": f"r-{n}", "sequence_number": str(n)}]
            name = f"{FOLDER}/shardId-{shard}-{n}.jsonl.gz"
            pipeline.s3.add(f"raw/source=github/{name}", lines)
            pipeline.s3.add(f"ledger/{name}", lines)
    return pipeline


@pytest.mark.parametrize(
    ("looks", "compared", "left"),
    [
        (0, 0, ["shardId-1", "shardId-2", "shardId-3"]),
        (5, 2, ["shardId-2", "shardId-3"]),
        (8, 2, ["shardId-2", "shardId-3"]),
        (10, 4, ["shardId-3"]),
        (15, 6, []),
    ],
)
def test_it_works_until_the_deadline_and_says_what_it_did_not_do(
    three_shards: Pipeline, looks: int, compared: int, left: list[str]
) -> None:
    """A look for each shard, and one for each of its four objects."""
    report = three_shards.reconcile(deadline=Deadline(Clock(looks)))
    assert report.not_compared.examples == left
    assert report.compared == compared
    assert report.unmatched == NONE, "what was not read to its end is not judged"
    assert report.complete is (not left)


def test_without_time_for_the_failure_records_no_shard_is_judged(three_shards: Pipeline) -> None:
    three_shards.give_up("the-fan-out", *batch())
    report = three_shards.reconcile(deadline=Deadline(Clock(0)))
    assert report.not_compared.count == 3
    assert report.unmatched == NONE


def test_with_the_reserve_left_there_is_time_for_all(three_shards: Pipeline) -> None:
    gone = "ledger/" + FOLDER + "/shardId-2-6.jsonl.gz"
    del three_shards.s3.objects[gone]
    records = batch()
    three_shards.give_up("the-fan-out", *records)
    three_shards.archive(*records)
    report = three_shards.reconcile(deadline=Deadline(lambda: RESERVE_SECONDS))
    assert (report.complete, report.given_up) == (True, 8)
    assert report.unmatched == {"fan-out": 1, "archiver": 0}


class Watched(ShardComparison):
    """Keeps the most that any of them held, and settles early."""

    most = 0

    def __init__(self, on_unmatched: Callable[[StreamReader, UserRecord], None]) -> None:
        super().__init__(on_unmatched, settle_at=30)

    def settle(self, before: int) -> None:
        Watched.most = max(Watched.most, self.held)
        super().settle(before)


def test_an_hour_is_never_in_memory_as_a_whole(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thousand records in batches of twenty and ten; the readers' objects begin elsewhere."""
    monkeypatch.setattr("pipeline.reconciliation.reconciler.ShardComparison", Watched)
    lines = [{"id": f"r-{n}", "sequence_number": str(n)} for n in range(1_000)]
    for prefix, size in (("raw/source=github", 20), ("ledger", 10)):
        for start in range(0, 1_000, size):
            pipeline.s3.add(
                f"{prefix}/{FOLDER}/shardId-1-{start}.jsonl.gz", lines[start : start + size]
            )
    report = pipeline.reconcile()
    assert (report.matches, report.compared) == (True, 1_000)
    assert 30 <= Watched.most <= 90, "what is due to be looked at, and one object more"


@pytest.mark.parametrize(
    ("now", "hour"),
    [
        ("22:15:00", "20:00:00"),
        ("22:00:00", "20:00:00"),
        ("21:59:59", "19:00:00"),
        ("22:59:59", "20:00:00"),
    ],
)
def test_an_hour_is_due_when_it_is_over_for_an_hour(now: str, hour: str) -> None:
    day = "2026-11-23T{}+00:00"
    moment = datetime.fromisoformat(day.format(now)).timestamp()
    assert due_hour(moment) == datetime.fromisoformat(day.format(hour))


class Context:
    function_name = "reconciler"
    memory_limit_in_mb = 1769
    invoked_function_arn = "arn:aws:lambda:us-west-2:000000000000:function:reconciler"
    aws_request_id = "1"

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def get_remaining_time_in_millis(self) -> int:
        return int(self.seconds * 1000)


class Told(NamedTuple):
    """What the handler told: the metrics, and its line of the log."""

    metrics: dict[str, float]
    line: logging.LogRecord
    answer: dict[str, Any]


@pytest.fixture
def handle(
    pipeline: Pipeline,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> Callable[..., Told]:
    """Run the handler two hours after the records came."""
    monkeypatch.setattr(module, "reconciler", lambda: reconciler(pipeline.s3))
    monkeypatch.setattr("time.time", lambda: NOW_MS / 1000 + 7_200)

    def run(seconds: float = 600.0) -> Told:
        capsys.readouterr()
        answer = module.handler({}, Context(seconds))  # type: ignore[arg-type]
        lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        metrics = {
            f"{metric['Name']} {line.get('consumer', '')}".strip(): line[metric["Name"]][0]
            for line in lines
            if "_aws" in line
            for metric in line["_aws"]["CloudWatchMetrics"][0]["Metrics"]
        }
        (line,) = (one for one in caplog.records if one.message.startswith("accounts"))
        return Told(metrics, line, answer)

    return run


def test_the_handler_writes_zeros_too(handle: Callable[..., Told]) -> None:
    told = handle()
    assert told.metrics == {
        "RecordsCompared": 0,
        "ShardsNotCompared": 0,
        "UnreadableLines": 0,
        "UnmatchedRecords fan-out": 0,
        "UnmatchedRecords archiver": 0,
    }
    assert (told.line.levelname, told.line.message) == ("INFO", "accounts match")
    assert told.answer == {
        "hour": HOUR.isoformat(),
        "compared": 0,
        "given_up": 0,
        "unmatched": NONE,
        "lacking": {},
        "not_compared": {"shards": 0, "some": []},
        "unreadable": {"lines": 0, "some": []},
    }
    assert vars(told.line).items() >= told.answer.items()


def test_the_handler_counts_and_names_what_does_not_match(
    pipeline: Pipeline, handle: Callable[..., Told]
) -> None:
    records = batch()
    pipeline.archive(*records)
    pipeline.fan_out(*records[1:])
    told = handle()
    assert told.metrics["RecordsCompared"] == 8
    assert told.metrics["UnmatchedRecords fan-out"] == 1
    assert told.metrics["UnmatchedRecords archiver"] == 0
    assert (told.line.levelname, told.line.message) == ("ERROR", "accounts do not match")
    (lacking,) = vars(told.line)["lacking"]["fan-out"]
    assert lacking["sequence_number"] == sequence(records[0])
    assert set(lacking) == {"shard", "sequence_number", "id"}, "no body"


@pytest.mark.usefixtures("three_shards")
def test_the_handler_says_what_it_had_no_time_for(handle: Callable[..., Told]) -> None:
    told = handle(seconds=RESERVE_SECONDS - 1)
    assert told.metrics["ShardsNotCompared"] == 3
    assert (told.line.levelname, told.line.message) == ("ERROR", "accounts were not compared")
    assert vars(told.line)["not_compared"]["some"] == ["shardId-1", "shardId-2", "shardId-3"]
