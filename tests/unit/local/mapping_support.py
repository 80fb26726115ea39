"""What the tests of the mapping's decisions share."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from local.invocation import Invocation
from local.mapping.decision import (
    Failure,
    Pending,
    decide,
)
from local.mapping.records import StreamRecord

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


def records_of(count: int, first: int = 100) -> tuple[StreamRecord, ...]:
    return tuple(
        StreamRecord(str(first + number), f"key-{number}", "ZGF0YQ==", 1000.0 + number)
        for number in range(count)
    )


def failures_of(*identifiers: Any) -> Invocation:
    return Invocation({"batchItemFailures": [{"itemIdentifier": name} for name in identifiers]})


def carry_out(
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
