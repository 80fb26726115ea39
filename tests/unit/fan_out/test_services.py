"""What the services answer, and when: entries without an answer, limits to the byte, replicas."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.event.events import Event
from pipeline.event.fields import PathSet
from pipeline.fan_out.delivery import pack
from pipeline.fan_out.former_keys import former_key
from pipeline.runtime.deadline import Deadline
from tests.support.bench import NOW_MS, generic, github, record, tally
from tests.support.fakes import client_error, out_of_reach

if TYPE_CHECKING:
    from tests.support.bench import Bench

MEBIBYTE = 1_048_576


@pytest.fixture
def event(bench: Bench) -> Event:
    """An event that was delivered."""
    (outcome,) = bench.run(record(generic({}))).outcomes
    assert isinstance(outcome.event, Event)
    return outcome.event


def test_a_message_that_sqs_says_nothing_of_was_not_taken(bench: Bench) -> None:
    bench.sqs.leave_out = lambda body: '"n":1' in body
    batch = [record(generic({"n": n})) for n in range(3)]
    settlement = bench.run(*batch)
    assert tally(settlement.outcomes) == {"delivered": 2, "unsettled": 1}
    assert settlement.checkpoint == batch[1]["kinesis"]["sequenceNumber"]
    bench.sqs.leave_out = lambda _body: False
    assert tally(bench.run_until_settled(*batch[1:])) == {"delivered": 2}
    assert sorted(body["details"]["n"] for body in bench.sqs.bodies()) == [0, 1, 2]


def test_a_message_that_sqs_says_nothing_of_is_sent_again_in_the_same_batch(bench: Bench) -> None:
    seen: list[str] = []

    def first_time(body: str) -> bool:
        seen.append(body)
        return seen.count(body) == 1

    bench.sqs.leave_out = first_time
    assert tally(bench.run(record(generic({"n": 1}))).outcomes) == {"delivered": 1}
    assert len(seen) == 2


@pytest.mark.parametrize(
    ("sizes", "batches"),
    [
        ([MEBIBYTE - 1, 1], [2]),
        ([MEBIBYTE - 1, 2], [1, 1]),
        ([MEBIBYTE, 1], [1, 1]),
        ([MEBIBYTE], [1]),
        ([1, MEBIBYTE - 1, 1], [2, 1]),
        ([1] * 10, [10]),
        ([1] * 11, [10, 1]),
        ([MEBIBYTE - 1] + [1] * 11, [2, 10]),
    ],
)
def test_a_batch_has_a_mebibyte_and_not_a_byte_more(
    event: Event, sizes: list[int], batches: list[int]
) -> None:
    packed = list(pack([replace(event, message=b"x" * size) for size in sizes]))
    assert [len(batch) for batch in packed] == batches
    assert all(sum(len(one.message) for one in batch) <= MEBIBYTE for batch in packed)


def test_a_batch_is_for_one_queue(event: Event) -> None:
    events = [replace(event, queue=queue) for queue in ("a", "b", "a", "b")]
    assert [[one.queue for one in batch] for batch in pack(events)] == [["a", "a"], ["b", "b"]]
    assert list(pack([])) == []


def test_a_forced_replay_is_not_sent_again_when_its_batch_is(bench: Bench) -> None:
    bench.run(record(github({}, event="x", request="r-1")))
    forced = record(github({}, event="x", request="r-1", replay="job", force=True))
    other = record(generic({"n": 1}))
    bench.sqs.leave_out = lambda body: '"n":1' in body
    assert tally(bench.run(forced, other).outcomes) == {"delivered": 1, "unsettled": 1}
    assert len(bench.sqs.bodies()) == 2
    bench.sqs.leave_out = lambda _body: False
    bench.new_process()
    assert tally(bench.run_until_settled(forced, other)) == {"delivered": 2}
    assert len(bench.sqs.bodies()) == 3


def test_the_checkpoint_is_the_least_number_and_not_the_least_text(bench: Bench) -> None:
    batch = [record(generic({"n": n}), sequence=n) for n in range(6)]
    numbers = [one["kinesis"]["sequenceNumber"] for one in batch]
    assert {len(number) for number in numbers} == {55, 56}
    assert min(numbers) != numbers[0]
    bench.sqs.broken = out_of_reach()
    settlement = bench.run(*batch)
    assert settlement.response() == {"batchItemFailures": [{"itemIdentifier": numbers[0]}]}
    assert settlement.settled == []


def test_what_stands_is_what_has_a_lesser_number(bench: Bench) -> None:
    batch = [record(generic({"n": n}), sequence=n) for n in range(6)]
    bench.sqs.leave_out = lambda body: '"n":4' in body
    settlement = bench.run(*batch)
    assert settlement.checkpoint == batch[4]["kinesis"]["sequenceNumber"]
    assert [one.event.sequence_number for one in settlement.settled] == [
        one["kinesis"]["sequenceNumber"] for one in batch[:4]
    ]


def test_what_was_delivered_a_moment_ago_is_a_duplicate_in_another_process(bench: Bench) -> None:
    """A read without consistency would come from a replica that has not seen it."""
    bench.run(record(github({}, event="x", delivery="d-1")))
    bench.new_process()
    again = bench.run(record(github({}, event="x", delivery="d-1")))
    assert tally(again.outcomes) == {"duplicate": 1}
    assert len(bench.sqs.bodies()) == 1


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize(
    "fault", [client_error("RequestThrottled", status=403), out_of_reach()], ids=str
)
def test_a_call_that_was_throttled_is_made_again_and_rejects_nothing(
    bench: Bench, fault: Exception, count: int
) -> None:
    bench.sqs.faults.append(fault)
    settlement = bench.run(*(record(generic({"n": n})) for n in range(count)))
    assert tally(settlement.outcomes) == {"delivered": count}
    assert bench.time_left < 60.0, "a moment later"


def test_a_batch_that_goes_well_waits_for_nothing_and_calls_each_service_once(
    bench: Bench,
) -> None:
    bench.run(*(record(github({"n": n}, event="x", delivery=f"d-{n}")) for n in range(3)))
    assert bench.time_left == 60.0
    assert bench.sqs.calls == 1
    assert bench.dynamodb.calls == 2, "one to read, one to write"
    assert bench.s3.calls == 1, "the ledger"


def test_why_it_was_not_taken_is_said(bench: Bench) -> None:
    explained = {}
    for name, fault in (("code", client_error("RequestThrottled")), ("class", out_of_reach())):
        bench.sqs.broken, bench.time_left = fault, 5.0
        (outcome,) = bench.run(record(generic({"n": name}))).outcomes
        explained[name] = outcome.explanation
    assert explained == {"code": "SQS: RequestThrottled", "class": "SQS: EndpointConnectionError"}
    bench.sqs.broken, bench.sqs.fail_entry = None, lambda _body: ("InternalError", False)
    (outcome,) = bench.run(record(generic({"n": 1}))).outcomes
    assert (outcome.kind, outcome.explanation) == (
        "unsettled",
        "SQS: InternalError: InternalError",
    )
    bench.sqs.fail_entry, bench.sqs.leave_out = lambda _body: None, lambda _body: True
    (outcome,) = bench.run(record(generic({"n": 1}))).outcomes
    assert outcome.explanation == "SQS: no answer for a message: "


def test_an_item_is_gone_at_the_second_at_which_it_expires(bench: Bench) -> None:
    bench.run(record(generic({"n": 1})), record(github({}, event="x")))
    week = {str(int(NOW_MS / 1000) + 7 * 86_400)}
    assert {item["expires"]["N"] for item in bench.dynamodb.items.values()} == week
    known = list(bench.dynamodb.items)
    deadline = Deadline(lambda: 60.0)
    bench.now = float(week.pop())
    assert bench.fan_out.table.find(known, deadline) == ({}, set())
    bench.now -= 0.001
    assert set(bench.fan_out.table.find(known, deadline)[0]) == set(known)


def test_only_what_could_not_be_written_down_is_unsettled(bench: Bench) -> None:
    bench.dynamodb.write_faults.append(out_of_reach())
    bench.time_left = 5.0
    settlement = bench.run(*(record(generic({"n": n})) for n in range(30)))
    assert tally(settlement.outcomes) == {"unsettled": 25, "delivered": 5}


def test_what_shares_an_id_in_a_batch_is_no_duplicate_before_the_first_is_delivered(
    bench: Bench,
) -> None:
    source = replace(bench.catalog.sources["github"], same_id="duplicate")
    bench.catalog = replace(bench.catalog, sources={**bench.catalog.sources, "github": source})
    bench.new_process()
    batch = [record(github({"n": n}, event="x", delivery="d-1")) for n in (1, 2)]
    bench.sqs.broken, bench.time_left = out_of_reach(), 5.0
    assert tally(bench.run(*batch).outcomes) == {"unsettled": 2}
    bench.sqs.broken = None
    assert tally(bench.run_until_settled(*batch)) == {"delivered": 1, "duplicate": 1}


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({}, "github#d-1"),
        ({"delivery_id_header": ""}, "github#one|"),
        ({"split": ("events",)}, "github#d-1#3"),
    ],
)
def test_a_former_key_is_what_the_version_before_wrote(
    bench: Bench, settings: dict[str, Any], key: str
) -> None:
    (outcome,) = bench.run(record(github({"a": "one"}, event="x", delivery="d-1"))).outcomes
    assert isinstance(outcome.event, Event)
    paths = PathSet([("a",), ("b",)])
    source = replace(outcome.event.source, delivery_id_paths=paths, **settings)
    assert former_key(replace(outcome.event, source=source, id="r-1#3")) == key


def test_the_former_key_of_an_element_is_the_hash_of_it_written_anew(bench: Bench) -> None:
    (outcome,) = bench.run(record(generic(b'{"a": 1}'))).outcomes
    assert isinstance(outcome.event, Event)
    source = replace(outcome.event.source, split=("events",), body_hash_seconds=7_200)
    # printf '{"a":1}' | sha256sum
    digest = "015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862"
    assert former_key(replace(outcome.event, source=source)) == f"generic#sha256:{digest}"
