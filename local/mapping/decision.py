"""What an event source mapping does after an invocation. No input and no output here.

A batch that is being worked on is a `Pending`. Each invocation settles some of its records, in
order from the first; the rest comes back as one or two batches that are invoked next, the first of
them first. So all that precedes the first open batch is settled, and a checkpoint can stand there.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

from local.mapping.settings import FOREVER

if TYPE_CHECKING:
    from local.invocation import Invocation
    from local.mapping.records import StreamRecord


class FailurePolicy(Protocol):
    """The settings that decide: a part of `MappingSettings`."""

    @property
    def retries(self) -> int:
        """MaximumRetryAttempts; -1 for no limit."""

    @property
    def record_age(self) -> float:
        """MaximumRecordAgeInSeconds; -1 for no limit."""

    @property
    def bisect(self) -> bool:
        """BisectBatchOnFunctionError."""

    @property
    def partial_responses(self) -> bool:
        """Whether ReportBatchItemFailures is on."""


class Action(StrEnum):
    """What became of an invocation."""

    SETTLED = "settled"
    CHECKPOINTED = "checkpointed"
    SPLIT = "split"
    RETRIED = "retried"
    GAVE_UP = "gave_up"


class Condition(StrEnum):
    """Why records were given up: the words of the record that goes to the failure destination."""

    RETRIES = "RetryAttemptsExhausted"
    AGE = "RecordAgeExceeded"


@dataclass(frozen=True)
class Pending:
    """Records that are to be invoked together.

    Parameters
    ----------
    records : tuple[StreamRecord, ...]
        The records, at least one.
    retries : int
        How many of the allowed retries are used.
    invocations : int
        How often exactly these records were invoked.
    """

    records: tuple[StreamRecord, ...]
    retries: int = 0
    invocations: int = 0


@dataclass(frozen=True)
class Failure:
    """Records that are given up, for the failure destination.

    Parameters
    ----------
    invocations : int
        How often they were invoked; at least one, also where they expired before.
    function_error : str | None
        `Unhandled` where the function failed, None where its response named a failure.
    """

    records: tuple[StreamRecord, ...]
    condition: Condition
    invocations: int
    function_error: str | None = None


@dataclass(frozen=True)
class Decision:
    """What to do after an invocation.

    Parameters
    ----------
    settled : tuple[StreamRecord, ...]
        Records that need nothing more, once `failure` was written.
    todo : tuple[Pending, ...]
        What to invoke next, in order.
    failure : Failure | None
        What to write to the failure destination.
    wait : int
        How many times the same records failed in a row: how long to wait. 0 for not at all.
    """

    action: Action
    settled: tuple[StreamRecord, ...] = ()
    todo: tuple[Pending, ...] = ()
    failure: Failure | None = None
    wait: int = 0


def expire(
    policy: FailurePolicy, pending: Pending, now: float
) -> tuple[Failure | None, Pending | None]:
    """Drop the records that are too old, before an invocation.

    Only these are given up; the others of the batch go on.
    """
    if policy.record_age == FOREVER:
        return None, pending
    oldest = now - policy.record_age
    expired = tuple(record for record in pending.records if record.arrival < oldest)
    if not expired:
        return None, pending
    failure = Failure(expired, Condition.AGE, max(1, pending.invocations))
    rest = tuple(record for record in pending.records if record.arrival >= oldest)
    return failure, Pending(rest, pending.retries, pending.invocations) if rest else None


def not_invoked(pending: Pending, attempts: int) -> Decision:
    """Decide after a call that never reached the handler: it uses up no retry."""
    return Decision(Action.RETRIED, todo=(pending,), wait=attempts)


def decide(policy: FailurePolicy, pending: Pending, invocation: Invocation) -> Decision:
    """Decide after an invocation, whether it succeeded or not."""
    records = pending.records
    tried = Pending(records, pending.retries, pending.invocations + 1)
    if invocation.function_error is not None:
        return _failed(policy, tried, invocation.function_error, halve=True)
    first = _first_failure(policy, records, invocation.payload)
    if first is None:
        return Decision(Action.SETTLED, settled=records)
    if first == 0:
        return _failed(policy, tried, None, halve=False)
    if first < 0:
        return _failed(policy, tried, None, halve=True)
    # The remainder is a batch of its own: its retries are counted anew.
    rest = Pending(records[first:])
    return Decision(Action.CHECKPOINTED, settled=records[:first], todo=(rest,), wait=1)


def _failed(policy: FailurePolicy, tried: Pending, error: str | None, *, halve: bool) -> Decision:
    records = tried.records
    if halve and policy.bisect and len(records) > 1:
        middle = len(records) // 2
        # A split uses up no retry.
        halves = (
            Pending(records[:middle], tried.retries),
            Pending(records[middle:], tried.retries),
        )
        return Decision(Action.SPLIT, todo=halves)
    if policy.retries != FOREVER and tried.retries >= policy.retries:
        failure = Failure(records, Condition.RETRIES, tried.invocations, error)
        return Decision(Action.GAVE_UP, settled=records, failure=failure)
    again = Pending(records, tried.retries + 1, tried.invocations)
    return Decision(Action.RETRIED, todo=(again,), wait=tried.retries + 1)


def _first_failure(
    policy: FailurePolicy, records: tuple[StreamRecord, ...], payload: Any
) -> int | None:
    """Return the index of the first failed record; None for none, -1 for all of the batch."""
    if not policy.partial_responses or not isinstance(payload, dict):
        return None
    items = payload.get("batchItemFailures")
    if not items:
        return None
    if not isinstance(items, list):
        return -1
    places = {record.sequence_number: place for place, record in enumerate(records)}
    named = [item.get("itemIdentifier") if isinstance(item, dict) else None for item in items]
    known = [places[name] for name in named if isinstance(name, str) and name in places]
    # One identifier that means no record of the batch makes all of it fail.
    return min(known) if len(known) == len(named) else -1
