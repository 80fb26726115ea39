"""How a function's response is read, case by case as AWS was recorded."""

from __future__ import annotations

from typing import Any

import pytest

from local.invocation import Invocation
from local.mapping.decision import (
    Action,
    Decision,
    Pending,
    decide,
)
from tests.unit.local.mapping_support import (
    ERROR,
    Policy,
    failures_of,
    records_of,
)


@pytest.mark.parametrize(
    "payload",
    ["", [], None, {}, {"batchItemFailures": []}, {"batchItemFailures": None}],
    ids=["empty text", "empty list", "null", "empty object", "no failures", "null failures"],
)
def test_the_recorded_forms_of_success(payload: Any) -> None:
    """Recorded: each of these six responses acknowledges the whole batch."""
    records = records_of(3)

    decision = decide(Policy(), Pending(records), Invocation(payload))

    assert decision == Decision(Action.SETTLED, settled=records)


@pytest.mark.parametrize("payload", ["done", ["x"], 7, True, {"statusCode": 500}])
def test_another_response_is_success(payload: Any) -> None:
    """Nothing but the key batchItemFailures is looked at, as in the recorded empty object."""
    assert decide(Policy(), Pending(records_of(3)), Invocation(payload)).action is Action.SETTLED


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
    records = records_of(3)

    decision = decide(Policy(), Pending(records), Invocation({"batchItemFailures": items}))

    assert decision.settled == ()
    assert decision.todo == (Pending(records, retries=1, invocations=1),)
    assert decision.action is Action.RETRIED


def test_an_unhandled_exception_fails_the_whole_batch() -> None:
    """Recorded: an exception counts as a complete failure."""
    records = records_of(3)

    decision = decide(Policy(), Pending(records), ERROR)

    assert decision.todo == (Pending(records, retries=1, invocations=1),)
    assert decision.wait == 1


def test_the_lowest_number_is_the_checkpoint() -> None:
    """Documented: the lowest returned number is the checkpoint; all from it on comes again."""
    records = records_of(5)

    decision = decide(Policy(), Pending(records), failures_of("103", "101", "104"))

    assert decision.action is Action.CHECKPOINTED
    assert decision.settled == records[:1]
    assert decision.todo == (Pending(records[1:]),)


def test_numbers_are_found_whatever_their_length() -> None:
    """Sequence numbers are numbers: the order of the batch counts, not that of their texts."""
    records = records_of(3, first=98)

    decision = decide(Policy(), Pending(records), failures_of("100", "99"))

    assert decision.settled == records[:1]


@pytest.mark.parametrize("invocation", [failures_of("101"), failures_of("")])
def test_a_partial_response_is_ignored_where_it_is_not_switched_on(invocation: Invocation) -> None:
    """Documented: without ReportBatchItemFailures the response has no meaning."""
    decision = decide(Policy(partial_responses=False), Pending(records_of(3)), invocation)

    assert decision.action is Action.SETTLED
