"""What the event source mapping does after an invocation, case by case as AWS was recorded."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.local.invocation import Invocation
from pipeline.local.mapping.decision import (
    Action,
    Condition,
    Decision,
    Failure,
    Pending,
    decide,
    expire,
    not_invoked,
)
from pipeline.local.mapping.records import StreamRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ERROR = Invocation({"errorType": "KeyError", "errorMessage": "no"}, "Unhandled")
DONE = Invocation(None)


@dataclass(frozen=True)
class Policy:
    retries: int = 3
    record_age: float = -1
    bisect: bool = False
    partial_responses: bool = True


def _records(count: int, first: int = 100) -> tuple[StreamRecord, ...]:
    return tuple(
        StreamRecord(str(first + number), f"key-{number}", "ZGF0YQ==", 1000.0 + number)
        for number in range(count)
    )


def _failures(*identifiers: Any) -> Invocation:
    return Invocation({"batchItemFailures": [{"itemIdentifier": name} for name in identifiers]})


@pytest.mark.parametrize(
    "payload",
    ["", [], None, {}, {"batchItemFailures": []}, {"batchItemFailures": None}],
    ids=["empty text", "empty list", "null", "empty object", "no failures", "null failures"],
)
def test_the_recorded_forms_of_success(payload: Any) -> None:
    """Recorded: each of these six responses acknowledges the whole batch."""
    records = _records(3)

    decision = decide(Policy(), Pending(records), Invocation(payload))

    assert decision == Decision(Action.SETTLED, settled=records)


@pytest.mark.parametrize("payload", ["done", ["x"], 7, True, {"statusCode": 500}])
def test_another_response_is_success(payload: Any) -> None:
    """Nothing but the key batchItemFailures is looked at, as in the recorded empty object."""
    assert decide(Policy(), Pending(_records(3)), Invocation(payload)).action is Action.SETTLED


@pytest.mark.parametrize(
    "items",
    [
        [{"itemIdentifier": ""}],
        [{"itemIdentifier": None}],
        [{"itemIdentifier": 123}],
        [{"itemIdentifier": "999"}],
        [{"foo": "101"}],
        [{"itemIdentifier": "101"}, {"itemIdentifier": "999"}],
        ["101"],
        "101",
    ],
    ids=["empty", "null", "number", "unknown", "wrong key", "one unknown", "no object", "no list"],
)
def test_an_invalid_identifier_fails_the_whole_batch(items: Any) -> None:
    """Recorded: an identifier that is empty, null, a number, or under a wrong key fails it all."""
    records = _records(3)

    decision = decide(Policy(), Pending(records), Invocation({"batchItemFailures": items}))

    assert decision.settled == ()
    assert decision.todo == (Pending(records, retries=1, invocations=1),)
    assert decision.action is Action.RETRIED


def test_an_unhandled_exception_fails_the_whole_batch() -> None:
    """Recorded: an exception counts as a complete failure."""
    records = _records(3)

    decision = decide(Policy(), Pending(records), ERROR)

    assert decision.todo == (Pending(records, retries=1, invocations=1),)
    assert decision.wait == 1


def test_the_lowest_number_is_the_checkpoint() -> None:
    """Documented: the lowest returned number is the checkpoint; all from it on comes again."""
    records = _records(5)

    decision = decide(Policy(), Pending(records), _failures("103", "101", "104"))

    assert decision.action is Action.CHECKPOINTED
    assert decision.settled == records[:1]
    assert decision.todo == (Pending(records[1:]),)


def test_numbers_are_found_whatever_their_length() -> None:
    """Sequence numbers are numbers: the order of the batch counts, not that of their texts."""
    records = _records(3, first=98)

    decision = decide(Policy(), Pending(records), _failures("100", "99"))

    assert decision.settled == records[:1]


@pytest.mark.parametrize("invocation", [_failures("101"), _failures("")])
def test_a_partial_response_is_ignored_where_it_is_not_switched_on(invocation: Invocation) -> None:
    """Documented: without ReportBatchItemFailures the response has no meaning."""
    decision = decide(Policy(partial_responses=False), Pending(_records(3)), invocation)

    assert decision.action is Action.SETTLED


def test_retries_are_counted_anew_behind_a_checkpoint() -> None:
    """Recorded: batches of 3, 3 retries, the last of 6 fails: delivered 5 times, counted 4 times.

    The first of the five is in a batch of three that ends at a checkpoint; the batch of one behind
    it then has one invocation and three retries of its own.
    """
    records = _records(6)
    seen: list[tuple[str, ...]] = []

    def handler(batch: Sequence[StreamRecord]) -> Invocation:
        seen.append(tuple(record.sequence_number for record in batch))
        return _failures("105") if "105" in seen[-1] else DONE

    settled, failures = _run(Policy(), [records[:3], records[3:]], handler)

    assert sum("105" in batch for batch in seen) == 5
    assert failures == [Failure(records[5:], Condition.RETRIES, 4, None)]
    assert settled == list(records)


def test_a_failed_partial_response_has_no_function_error() -> None:
    """Recorded: functionError is null after partial responses, "Unhandled" after exceptions."""
    single = Pending(_records(1), retries=3, invocations=3)

    named = decide(Policy(), single, _failures("100"))
    raised = decide(Policy(), single, ERROR)

    assert named.failure is not None
    assert named.failure.function_error is None
    assert raised.failure is not None
    assert raised.failure.function_error == "Unhandled"


def test_a_batch_is_given_up_after_its_retries() -> None:
    """MaximumRetryAttempts 2 is three invocations; the batch then goes to the destination."""
    records = _records(2)
    calls: list[int] = []

    def handler(batch: Sequence[StreamRecord]) -> Invocation:
        calls.append(len(batch))
        return ERROR

    settled, failures = _run(Policy(retries=2), [records], handler)

    assert calls == [2, 2, 2]
    assert failures == [Failure(records, Condition.RETRIES, 3, "Unhandled")]
    assert settled == list(records)


def test_no_limit_of_retries() -> None:
    """The default of -1 retries until the records expire."""
    pending = Pending(_records(1), retries=10_000, invocations=10_001)

    assert decide(Policy(retries=-1), pending, ERROR).action is Action.RETRIED


def test_an_error_splits_the_batch_in_two_and_uses_up_no_retry() -> None:
    """Documented: bisect splits a failed batch, and splitting does not consume the quota."""
    records = _records(5)

    decision = decide(Policy(retries=0, bisect=True), Pending(records), ERROR)

    assert decision.action is Action.SPLIT
    assert decision.todo == (Pending(records[:2]), Pending(records[2:]))
    assert decision.wait == 0


def test_a_single_record_is_retried_and_not_split() -> None:
    policy = Policy(bisect=True)

    assert decide(policy, Pending(_records(1)), ERROR).action is Action.RETRIED


def test_with_a_partial_response_the_split_is_at_the_lowest_number() -> None:
    """Documented: bisect and a partial response split at the number; only the remainder is retried.

    Where it names the first record there is nothing before the split: that is a retry.
    """
    policy, records = Policy(bisect=True), _records(4)

    middle = decide(policy, Pending(records), _failures("102"))
    first = decide(policy, Pending(records), _failures("100"))

    assert (middle.settled, middle.todo) == (records[:2], (Pending(records[2:]),))
    assert first.todo == (Pending(records, retries=1, invocations=1),)


def test_an_invalid_response_splits_as_an_error_does() -> None:
    """It is a complete failure, and nothing tells where."""
    decision = decide(Policy(bisect=True), Pending(_records(4)), _failures(""))

    assert decision.action is Action.SPLIT


@pytest.mark.parametrize(("place", "most"), [(0, 25), (250, 25), (499, 25)])
def test_a_poison_record_in_500_ends_alone(place: int, most: int) -> None:
    """Every other record is settled; how many invocations that takes is about 2·log2(500)."""
    records = _records(500)
    calls: list[int] = []

    def handler(batch: Sequence[StreamRecord]) -> Invocation:
        calls.append(len(batch))
        return ERROR if records[place] in batch else DONE

    settled, failures = _run(Policy(retries=2, bisect=True), [records], handler)

    assert [failure.records for failure in failures] == [records[place : place + 1]]
    assert settled == list(records)
    assert len(calls) <= most


def test_only_the_expired_records_of_a_batch_are_given_up() -> None:
    """Recorded: the record age drops the expired records; the rest of the batch is processed."""
    records = _records(4)  # they arrived at 1000 … 1003

    failure, rest = expire(Policy(record_age=60), Pending(records, 1, 8), now=1062.0)

    assert failure == Failure(records[:2], Condition.AGE, 8, None)
    assert rest == Pending(records[2:], 1, 8)


def test_a_record_that_expired_before_its_first_use_counts_one_invocation() -> None:
    """Recorded: approximateInvokeCount is 1 where the record had expired before."""
    failure, rest = expire(Policy(record_age=60), Pending(_records(1)), now=2000.0)

    assert failure is not None
    assert failure.invocations == 1
    assert failure.condition.value == "RecordAgeExceeded"
    assert rest is None


@pytest.mark.parametrize("age", [-1.0, 1000.0])
def test_nothing_expires_without_a_limit_or_before_it(age: float) -> None:
    pending = Pending(_records(2))

    assert expire(Policy(record_age=age), pending, now=1500.0) == (None, pending)


def test_a_call_that_reaches_no_handler_uses_up_no_retry() -> None:
    """Documented: throttling before the handler is retried until the record expires."""
    pending = Pending(_records(2), retries=3, invocations=3)

    decision = not_invoked(pending, attempts=7)

    assert decision.todo == (pending,)
    assert decision.wait == 7


def _run(
    policy: Policy,
    batches: Sequence[tuple[StreamRecord, ...]],
    handler: Callable[[Sequence[StreamRecord]], Invocation],
) -> tuple[list[StreamRecord], list[Failure]]:
    """Carry the decisions out; checks that records are settled in order, each of them once."""
    settled: list[StreamRecord] = []
    failures: list[Failure] = []
    for batch in batches:
        todo = deque([Pending(batch)])
        while todo:
            pending = todo.popleft()
            decision = decide(policy, pending, handler(pending.records))
            settled += decision.settled
            failures += [decision.failure] if decision.failure else []
            todo.extendleft(reversed(decision.todo))
    numbers = [record.number for record in settled]
    assert numbers == sorted(set(numbers))
    return settled, failures
