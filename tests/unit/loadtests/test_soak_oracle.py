"""The judge of the soak run: it must find what a run is made to find."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import orjson
import pytest

from loadtests.soak.books import Books, digest
from loadtests.soak.evidence import read_calls, read_queues, read_table
from loadtests.soak.oracle import judge
from loadtests.soak.plan import Strike, make_plan
from loadtests.soak.requests import RequestKind
from loadtests.soak.senders import SendersJournal
from local.credentials import RunCredentials
from local.endpoints import Endpoints
from tests.unit.loadtests.soak_support import (
    AGoodRun,
    FakeShard,
    FakeStream,
    envelope,
    read_stream,
    sent,
    verdict_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_sqs import SQSClient


def test_a_good_run_adds_up() -> None:
    verdict = verdict_of(lambda _: None)
    assert verdict.violations == []
    assert verdict.violated == 0
    names = ("delivered", "duplicate", "rejected", "failed", "lost")
    assert [verdict.outcomes[name] for name in names] == [2, 1, 1, 1, 0]
    assert verdict.outcomes["rejected:bad_signature"] == 1
    assert verdict.figures["unanswered_arrived"] == 1
    assert verdict.figures["unknown"] == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r: r.drop("ledger", "delivered"), "no outcome"),
        (lambda r: r.drop("messages", "soak-1-1", "token"), "delivered, and on no queue"),
        (lambda r: r.drop("failed", "poison"), "no outcome"),
        (lambda r: r.drop("places", "copy"), "not in raw/"),
        (lambda r: r.put("kept", "forged", "bad_signature", digest(b"x")), "not kept as it was"),
        (
            lambda r: r.put("kept", "forged", "other", digest(sent(RequestKind.FORGED, 2).body)),
            "not kept",
        ),
        (lambda r: r.drop("kept", "forged"), "not kept as it was"),
        (lambda r: r.put("failed", "poison", "s:4", digest(b"x")), "failed with another body"),
        (lambda r: r.settle("forged", "delivered"), "on no queue"),
        (lambda r: r.settle("delivered", "duplicate"), "github ended as duplicate"),
        (lambda r: r.settle("forged", "rejected:invalid_json"), "ended as rejected:invalid_json"),
        (
            lambda r: r.in_ledger("delivered", 1, "duplicate"),
            "delivered at s:1: delivered, duplicate",
        ),
        (lambda r: r.drop("unanswered", column="token"), "broken-off (soak-1-4): nobody sent it"),
        (lambda r: r.on_queue("m-9", "soak-1-9"), "on a queue, and nobody sent it"),
        (lambda r: r.in_ledger("other", 9, "delivered"), "other (): nobody sent it"),
        (lambda r: r.put("places", "other", "s:9"), "other (): nobody sent it"),
        (lambda r: r.put("failed", "other", "s:9", digest(b"x")), "other (): nobody sent it"),
        (lambda r: r.on_queue("m-9", None), "without the token of one event"),
        (lambda r: r.on_queue("m-9", "soak-1-1"), "0 answers of SQS were lost"),
        (lambda r: r.drop("tickets", column="key"), "aws/lambda/m/s/poison: no ticket"),
        (lambda r: r.answer(sent(RequestKind.GITHUB, 8), ""), "answered 200 without an id"),
        (
            lambda r: r.answer(sent(RequestKind.GITHUB, 8), "copy"),
            "2 requests were answered with this id",
        ),
    ],
)
def test_what_must_not_be_is_found(change: Callable[[AGoodRun], object], message: str) -> None:
    verdict = verdict_of(change)
    assert any(message in line for line in verdict.violations), verdict.violations
    assert verdict.violated == len(verdict.violations)


def test_lost_and_unknown_are_counted() -> None:
    assert verdict_of(lambda r: r.drop("ledger", "delivered")).outcomes["lost"] == 1
    assert verdict_of(lambda r: r.drop("messages", "soak-1-1", "token")).outcomes["lost"] == 1
    assert verdict_of(lambda r: r.drop("ledger", "batch#1")).outcomes["lost"] == 1
    assert verdict_of(lambda r: r.drop("messages", "soak-1-5.1", "token")).outcomes["lost"] == 1
    unsent = verdict_of(lambda r: r.drop("unanswered", column="token"))
    assert unsent.figures["unknown"] == 2


def test_what_was_not_answered_may_be_there_once_for_each_attempt() -> None:
    def arrived(*attempts: str) -> Callable[[AGoodRun], None]:
        def change(run: AGoodRun) -> None:
            for number, identifier in enumerate(attempts, 8):
                run.on_stream(identifier, sent(RequestKind.GENERIC, 4), number)
                run.in_ledger(identifier, number, "duplicate")
            run.read()

        return change

    def tried_again(run: AGoodRun) -> None:
        arrived("attempt-2")(run)
        run.journal.note(sent(RequestKind.GENERIC, 4), 502, b"")

    verdict = verdict_of(tried_again)
    assert verdict.violations == []
    assert verdict.figures["unanswered_arrived"] == 2
    verdict = verdict_of(arrived("attempt-2", "attempt-3"))
    assert verdict.figures["unanswered_arrived"] == 1
    assert verdict.figures["unknown"] == 2


def test_a_second_delivery_is_explained_by_a_cut_call_or_a_lost_answer() -> None:
    def twice(run: AGoodRun) -> None:
        run.on_queue("m-9", "soak-1-1")

    def twice_after_a_kill(run: AGoodRun) -> None:
        twice(run)
        run.put("retried", "s:1")

    verdict = verdict_of(twice_after_a_kill)
    assert verdict.violations == []
    assert verdict.figures["delivered_twice"] == verdict.figures["twice_after_cut_call"] == 1
    verdict = verdict_of(twice, sqs_answer_cut=1)
    assert verdict.violations == []
    assert verdict.figures["twice_after_lost_answer"] == 1


def test_an_event_that_was_put_twice_has_one_outcome() -> None:
    def put_again(run: AGoodRun) -> None:
        run.on_stream("delivered", sent(RequestKind.GITHUB, 1), 9)
        run.read()
        run.in_ledger("delivered", 9, "duplicate")

    verdict = verdict_of(put_again)
    assert verdict.violations == []
    assert verdict.figures["put_twice"] == 1
    assert verdict.outcomes["delivered"] == 2


def test_what_the_table_remembers_was_delivered() -> None:
    def not_in_the_ledger(run: AGoodRun) -> None:
        run.put("failed", "delivered", "s:1", digest(b'{"n":"soak-1-1"}'))
        run.drop("ledger", "delivered")
        run.put("remembered", "delivered")

    verdict = verdict_of(not_in_the_ledger)
    assert verdict.violations == []
    assert verdict.outcomes["delivered"] == 2
    assert verdict.figures["failed_and_settled"] == 1


def test_every_violation_is_counted_and_the_first_of_each_check_are_kept() -> None:
    def lose_many(run: AGoodRun) -> None:
        for number in range(1_000):
            run.answer(sent(RequestKind.GENERIC, 100 + number), f"gone-{number}")
        run.drop("tickets", column="key")

    verdict = verdict_of(lose_many)
    assert verdict.outcomes["lost"] == 1_000
    assert verdict.figures["lost_at_the_door"] == 1_000
    assert verdict.violated == 2_001  # no outcome, not on the stream, and the ticket
    assert len(verdict.violations) == 401
    assert verdict.violations[-1] == "aws/lambda/m/s/poison: no ticket"


def test_memory_does_not_grow_with_the_events(tmp_path: Path) -> None:
    """Three times the events, and next to no more of it: 50,000 in dictionaries were 1 GB."""

    def peak(count: int) -> int:
        shard = FakeShard()
        with Books(tmp_path / f"{count}.sqlite") as books:
            journal = SendersJournal(books)
            for number in range(count):
                request = sent(RequestKind.GENERIC, number)
                shard.records.append((str(number), envelope(f"e-{number}", request)))
            tracemalloc.start()
            read_stream(FakeStream({"s": shard}), books)
            for number in range(count):
                request = sent(RequestKind.GENERIC, number)
                event, place = f"e-{number}", f"s:{number}"
                journal.note(request, 200, orjson.dumps({"id": event}))
                books.add("ledger", [(event, place, "delivered", event, "")])
                books.add("places", [(event, place)])
                books.add("messages", [(f"m-{number}", request.token, request.token)])
            verdict = judge(journal, books, {})
            _, most = tracemalloc.get_traced_memory()
            tracemalloc.stop()
        assert verdict.violations == []
        assert verdict.outcomes["delivered"] == count
        return most

    peak(10)  # what is made once
    # An id alone, kept for each event, would be 60 bytes; garbage that waits makes some difference.
    assert (peak(6_000) - peak(2_000)) / 4_000 < 40


class Queue:
    """One queue of SQS: what was handed out is in flight until it is deleted."""

    def __init__(self, bodies: Sequence[str]) -> None:
        self.waiting = [(f"m-{number}", body) for number, body in enumerate(bodies)]
        self.in_flight: dict[str, str] = {}

    def receive_message(
        self,
        *,
        QueueUrl: str,
        MaxNumberOfMessages: int,
        VisibilityTimeout: int,
        WaitTimeSeconds: int,
    ) -> dict[str, Any]:
        del QueueUrl
        assert WaitTimeSeconds == 0, "the queue's own would hold up the reading of the last ones"
        assert 1 <= MaxNumberOfMessages <= 10
        assert 0 <= VisibilityTimeout <= 43_200
        taken, self.waiting = self.waiting[:MaxNumberOfMessages], self.waiting[MaxNumberOfMessages:]
        self.in_flight |= {f"handle {identifier}": identifier for identifier, _ in taken}
        messages = [
            {"MessageId": identifier, "ReceiptHandle": f"handle {identifier}", "Body": body}
            for identifier, body in taken
        ]
        return {"Messages": messages} if messages else {}

    def delete_message_batch(self, *, QueueUrl: str, Entries: list[dict[str, str]]) -> None:
        del QueueUrl
        assert len({entry["Id"] for entry in Entries}) == len(Entries) <= 10
        for entry in Entries:
            del self.in_flight[entry["ReceiptHandle"]]


class Queues:
    """SQS with several queues, by their addresses."""

    def __init__(self, **queues: Queue) -> None:
        self.queues = queues

    def receive_message(self, **request: Any) -> dict[str, Any]:
        return self.queues[request["QueueUrl"]].receive_message(**request)

    def delete_message_batch(self, **request: Any) -> None:
        self.queues[request["QueueUrl"]].delete_message_batch(**request)


def test_each_message_is_read_once_and_deleted() -> None:
    tokens = [f"soak-1-{number}" for number in range(25)]
    queue = Queue([*tokens, "none", "soak-1-1 and soak-1-2"])
    notice = {"Records": [{"s3": {"object": {"key": "rejected/a%3Db+c"}}}]}
    tickets = Queue([orjson.dumps(notice).decode(), '{"Event":"s3:TestEvent"}'])
    where = Endpoints(
        api="",
        aws_endpoint_url="",
        region="",
        queues={"one": "queue", "other": "queue"},
        dead_letter_queue="tickets",
        archive_bucket="",
        dedupe_table="",
        stream="",
        parameters={},
        credentials=RunCredentials("id", "secret"),
    )
    with Books(Path(":memory:")) as books:
        read_queues(books, cast("SQSClient", Queues(queue=queue, tickets=tickets)), where)
        read = [token for _, token in books.rows("SELECT id, token FROM messages")]
        assert sorted(token for token in read if token) == sorted(tokens)
        assert read.count(None) == 2
        assert list(books.rows("SELECT key FROM tickets")) == [("rejected/a=b c",)]
    for each in (queue, tickets):
        assert not each.waiting
        assert not each.in_flight


class Table:
    """DynamoDB with one table; a page holds what is asked for, and not everything."""

    def __init__(self, count: int) -> None:
        self.items = [{"id": {"S": f"e-{number}"}} for number in range(count)]
        self.longest = 0

    def get_paginator(self, operation: str) -> Table:
        assert operation == "scan"
        return self

    def paginate(
        self, *, TableName: str, PaginationConfig: dict[str, int]
    ) -> Iterator[dict[str, Any]]:
        del TableName
        size = PaginationConfig["PageSize"]
        for start in range(0, len(self.items), size):
            page = self.items[start : start + size]
            self.longest = max(self.longest, len(page))
            yield {"Items": page}


def test_the_table_is_read_in_pages() -> None:
    table = Table(12_000)
    with Books(Path(":memory:")) as books:
        read_table(books, cast("DynamoDBClient", table), "dedupe")
        assert books.number("SELECT COUNT(*) FROM remembered") == 12_000
    assert table.longest <= 5_000


def test_calls_that_did_not_end_well_are_found(tmp_path: Path) -> None:
    lines = [
        '{"call": "a", "records": ["s:1"]}',
        '{"end": "a", "error": null, "reported": false}',
        '{"call": "b", "records": ["s:2"]}',
        '{"end": "b", "error": "Runtime.ExitError", "reported": false}',
        '{"call": "c", "records": ["s:3"]}',
        '{"end": "c", "error": null, "reported": true}',
        '{"fault": "handler_killed"}',
        '{"call": "d", "records": ["s:4"]}',
        '{"end": "d", "err',
    ]
    log = tmp_path / "calls.jsonl"
    log.write_text("\n".join(lines))
    with Books(Path(":memory:")) as books:
        assert read_calls(books, log) == {"handler_killed": 1}
        assert list(books.rows("SELECT place FROM retried")) == [("s:2",), ("s:3",), ("s:4",)]


def test_a_seed_repeats_its_plan() -> None:
    assert make_plan(3, 180) == make_plan(3, 180)
    assert make_plan(3, 180) != make_plan(4, 180)
    for seed in range(20):
        for seconds in (5, 14, 60, 180):
            plan = make_plan(seed, seconds)
            strikes = {planned.strike for planned in plan}
            assert strikes >= {Strike.WEATHER, Strike.KILL_RUNTIME, Strike.POISON}
            assert all(0 < planned.at < seconds for planned in plan)
