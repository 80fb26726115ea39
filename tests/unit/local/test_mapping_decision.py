"""What the event source mapping does after an invocation, case by case as AWS was recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from local.mapping.decision import (
    Action,
    Condition,
    Failure,
    Pending,
    decide,
    expire,
    not_invoked,
)
from tests.unit.local.mapping_support import (
    DONE,
    ERROR,
    Policy,
    carry_out,
    failures_of,
    records_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from local.invocation import Invocation
    from local.mapping.records import StreamRecord


def test_retries_are_counted_anew_behind_a_checkpoint() -> None:
    """Recorded: batches of 3, 3 retries, the last of 6 fails: delivered 5 times, counted 4 times.

    The first of the five is in a batch of three that ends at a checkpoint; the batch of one behind
    it then has one invocation and three retries of its own.
    """
    records = records_of(6)
    seen: list[tuple[str, ...]] = []

    def handler(batch: Sequence[StreamRecord]) -> Invocation:
        seen.append(tuple(record.sequence_number for record in batch))
        return failures_of("105") if "105" in seen[-1] else DONE

    settled, failures = carry_out(Policy(), [records[:3], records[3:]], handler)

    assert sum("105" in batch for batch in seen) == 5
    assert failures == [Failure(records[5:], Condition.RETRIES, 4, None)]
    assert settled == list(records)


def test_a_failed_partial_response_has_no_function_error() -> None:
    """Recorded: functionError is null after partial responses, "Unhandled" after exceptions."""
    single = Pending(records_of(1), retries=3, invocations=3)

    named = decide(Policy(), single, failures_of("100"))
    raised = decide(Policy(), single, ERROR)

    assert named.failure is not None
    assert named.failure.function_error is None
    assert raised.failure is not None
    assert raised.failure.function_error == "Unhandled"


def test_a_batch_is_given_up_after_its_retries() -> None:
    """MaximumRetryAttempts 2 is three invocations; the batch then goes to the destination."""
    records = records_of(2)
    calls: list[int] = []

    def handler(batch: Sequence[StreamRecord]) -> Invocation:
        calls.append(len(batch))
        return ERROR

    settled, failures = carry_out(Policy(retries=2), [records], handler)

    assert calls == [2, 2, 2]
    assert failures == [Failure(records, Condition.RETRIES, 3, "Unhandled")]
    assert settled == list(records)


def test_no_limit_of_retries() -> None:
    """The default of -1 retries until the records expire."""
    pending = Pending(records_of(1), retries=10_000, invocations=10_001)

    assert decide(Policy(retries=-1), pending, ERROR).action is Action.RETRIED


def test_an_error_splits_the_batch_in_two_and_uses_up_no_retry() -> None:
    """Documented: bisect splits a failed batch, and splitting does not consume the quota."""
    records = records_of(5)

    decision = decide(Policy(retries=0, bisect=True), Pending(records), ERROR)

    assert decision.action is Action.SPLIT
    assert decision.todo == (Pending(records[:2]), Pending(records[2:]))
    assert decision.wait == 0


def test_a_single_record_is_retried_and_not_split() -> None:
    policy = Policy(bisect=True)

    assert decide(policy, Pending(records_of(1)), ERROR).action is Action.RETRIED


def test_with_a_partial_response_the_split_is_at_the_lowest_number() -> None:
    """Documented: bisect and a partial response split at the number; only the remainder is retried.

    Where it names the first record there is nothing before the split: that is a retry.
    """
    policy, records = Policy(bisect=True), records_of(4)

    middle = decide(policy, Pending(records), failures_of("102"))
    first = decide(policy, Pending(records), failures_of("100"))

    assert (middle.settled, middle.todo) == (records[:2], (Pending(records[2:]),))
    assert first.todo == (Pending(records, retries=1, invocations=1),)


def test_an_invalid_response_splits_as_an_error_does() -> None:
    """It is a complete failure, and nothing tells where."""
    decision = decide(Policy(bisect=True), Pending(records_of(4)), failures_of(""))

    assert decision.action is Action.SPLIT


@pytest.mark.parametrize(("place", "most"), [(0, 25), (250, 25), (499, 25)])
def test_a_poison_record_in_500_ends_alone(place: int, most: int) -> None:
    """Every other record is settled; how many invocations that takes is about 2·log2(500)."""
    records = records_of(500)
    calls: list[int] = []

    def handler(batch: Sequence[StreamRecord]) -> Invocation:
        calls.append(len(batch))
        return ERROR if records[place] in batch else DONE

    settled, failures = carry_out(Policy(retries=2, bisect=True), [records], handler)

    assert [failure.records for failure in failures] == [records[place : place + 1]]
    assert settled == list(records)
    assert len(calls) <= most


def test_only_the_expired_records_of_a_batch_are_given_up() -> None:
    """Recorded: the record age drops the expired records; the rest of the batch is processed."""
    records = records_of(4)  # they arrived at 1000 … 1003

    failure, rest = expire(Policy(record_age=60), Pending(records, 1, 8), now=1062.0)

    assert failure == Failure(records[:2], Condition.AGE, 8, None)
    assert rest == Pending(records[2:], 1, 8)


def test_a_record_that_expired_before_its_first_use_counts_one_invocation() -> None:
    """Recorded: approximateInvokeCount is 1 where the record had expired before."""
    failure, rest = expire(Policy(record_age=60), Pending(records_of(1)), now=2000.0)

    assert failure is not None
    assert failure.invocations == 1
    assert failure.condition.value == "RecordAgeExceeded"
    assert rest is None


@pytest.mark.parametrize("age", [-1.0, 1000.0])
def test_nothing_expires_without_a_limit_or_before_it(age: float) -> None:
    pending = Pending(records_of(2))

    assert expire(Policy(record_age=age), pending, now=1500.0) == (None, pending)


def test_a_call_that_reaches_no_handler_uses_up_no_retry() -> None:
    """Documented: throttling before the handler is retried until the record expires."""
    pending = Pending(records_of(2), retries=3, invocations=3)

    decision = not_invoked(pending, attempts=7)

    assert decision.todo == (pending,)
    assert decision.wait == 7
