"""One lane of a shard: takes records of some partition keys, in order, one batch at a time."""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections import deque
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Protocol

from local.function_host import PAYLOAD_BYTES, FunctionUnavailableError
from local.mapping.counters import HeldUp
from local.mapping.decision import Action, Pending, decide, expire, not_invoked
from local.mapping.records import as_event

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from local.changes import Changes
    from local.invocation import Invocation
    from local.mapping.counters import Counters
    from local.mapping.decision import Decision
    from local.mapping.destination import Destination
    from local.mapping.records import StreamRecord
    from local.mapping.settings import MappingSettings

_LONGEST_ERROR = 300
_log = logging.getLogger(__name__)


class Invoke(Protocol):
    """Calls the mapping's function."""

    def __call__(self, event: Any, *, request_id: str | None = None) -> Invocation:
        """Call it and wait; FunctionUnavailableError when the handler was not reached."""


@dataclass(frozen=True)
class Backoff:
    """How long to wait before the same records are invoked again, in seconds.

    Lambda calls a failing function eight times while a record grows a minute old, the most that it
    may (LocalStack's recordings of AWS, test_lambda_integration_kinesis,
    test_kinesis_maximum_record_age_exceeded): a quarter of a second that doubles does so, and half
    a second seven times. Where the doubling ends is not recorded; a minute is what is said of it.
    """

    first: float = 0.25
    longest: float = 60.0

    def seconds(self, failures: int) -> float:
        """Return the wait after this many failures in a row; none after none."""
        if failures == 0:
            return 0.0
        return min(self.longest, self.first * 2.0 ** min(failures - 1, 32))


@dataclass(frozen=True)
class LaneTools:
    """What the lanes of a mapping share."""

    settings: MappingSettings
    invoke: Invoke
    destination: Destination
    counters: Counters
    changes: Changes
    stop: threading.Event
    clock: Callable[[], float]
    backoff: Backoff


class Lane:
    """Works on records in a thread of its own.

    Parameters
    ----------
    changed : threading.Condition
        The shard's lock; notified when records come or the mapping stops.
    settled : Callable[[Lane], None]
        Called with the lock held when the lane has settled records.
    """

    def __init__(
        self,
        tools: LaneTools,
        shard_id: str,
        changed: threading.Condition,
        settled: Callable[[Lane], None],
    ) -> None:
        self._tools = tools
        self._shard_id = shard_id
        self._changed = changed
        self._settled = settled
        self._buffer: deque[StreamRecord] = deque()
        self._since = 0.0
        self.open = self.open_bytes = 0
        self.position = ""
        self.error: Exception | None = None
        self.held: HeldUp | None = None
        self.thread = threading.Thread(target=self._run, name=f"lane-{shard_id}", daemon=True)

    def offer(self, records: Sequence[StreamRecord]) -> None:
        """Add records; the caller holds the lock."""
        if not self._buffer:
            self._since = time.monotonic()
        self._buffer.extend(records)
        self.open += len(records)
        self.open_bytes += sum(record.size for record in records)
        self._changed.notify_all()

    def _run(self) -> None:
        try:
            while batch := self._take():
                self._tools.counters.add(batches=1)
                self._work(batch)
        except Exception as error:  # noqa: BLE001 - a bug here must stop the runtime
            _log.exception("%s: the mapping failed", self._shard_id)
            self.error = error
            self._tools.changes.notify()

    def _take(self) -> tuple[StreamRecord, ...]:
        """Wait for a batch: full, or as old as the window allows. Empty when the mapping stops."""
        with self._changed:
            while not self._tools.stop.is_set():
                count, full = self._measure()
                left = self._since + self._tools.settings.window - time.monotonic()
                if count and (full or left <= 0):
                    self._since = time.monotonic()
                    return tuple(self._buffer.popleft() for _ in range(count))
                self._changed.wait(left if count else None)
        return ()

    def _measure(self) -> tuple[int, bool]:
        size = count = 0
        for record in islice(self._buffer, self._tools.settings.batch_size):
            size += record.size
            if count and size > PAYLOAD_BYTES:
                return count, True
            count += 1
        return count, count == self._tools.settings.batch_size

    def _work(self, batch: tuple[StreamRecord, ...]) -> None:
        tools = self._tools
        todo = deque([Pending(batch)])
        unreached = 0
        request_id = str(uuid.uuid4())
        while todo and not tools.stop.is_set():
            failure, pending = expire(tools.settings, todo.popleft(), tools.clock())
            if failure:
                if not tools.destination.write(self._shard_id, failure, request_id, tools.stop):
                    return
                tools.counters.add(records_failed=len(failure.records))
                self._settle(failure.records)
            if not pending:
                continue
            request_id = str(uuid.uuid4())
            decision = self._invoke(pending, request_id, unreached)
            unreached = 0 if decision else unreached + 1
            decision = decision or not_invoked(pending, unreached)
            if not self._carry_out(decision, request_id):
                return
            todo.extendleft(reversed(decision.todo))
            tools.stop.wait(tools.backoff.seconds(decision.wait))

    def _invoke(self, pending: Pending, request_id: str, unreached: int) -> Decision | None:
        tools = self._tools
        event = as_event(pending.records, self._shard_id, tools.settings)
        began = time.monotonic()
        try:
            invocation = tools.invoke(event, request_id=request_id)
        except FunctionUnavailableError as error:
            if not unreached and not tools.stop.is_set():
                _log.warning("%s: %s", self._shard_id, error)
            self._note(pending.records[0], str(error))
            return None
        tools.counters.add(
            invocations=1,
            invocation_ms=round((time.monotonic() - began) * 1_000),
            function_errors=int(bool(invocation.function_error)),
        )
        decision = decide(tools.settings, pending, invocation)
        if decision.todo:
            self._note(decision.todo[0].records[0], _said(invocation))
        return decision

    def _note(self, first: StreamRecord, error: str) -> None:
        """Note that a record was tried in vain: once more, or for the first time."""
        held, place = self.held, first.sequence_number
        tries = held.tries + 1 if held is not None and held.sequence_number == place else 1
        self.held = HeldUp(self._shard_id, place, tries, first.arrival, error)
        self._tools.changes.notify()

    def _carry_out(self, decision: Decision, request_id: str) -> bool:
        tools = self._tools
        if decision.failure:
            failure = decision.failure
            if not tools.destination.write(self._shard_id, failure, request_id, tools.stop):
                return False
            tools.counters.add(records_failed=len(failure.records))
        tools.counters.add(**{decision.action.value: 1})
        if decision.settled:
            if decision.action is not Action.GAVE_UP:
                tools.counters.add(records_settled=len(decision.settled))
            self._settle(decision.settled)
        return True

    def _settle(self, records: Sequence[StreamRecord]) -> None:
        with self._changed:
            self.open -= len(records)
            self.open_bytes -= sum(record.size for record in records)
            if self.held and int(self.held.sequence_number) <= int(records[-1].sequence_number):
                self.held = None
            self.position = records[-1].sequence_number
            self._settled(self)
            self._changed.notify_all()
        self._tools.changes.notify()


def _said(invocation: Invocation) -> str:
    """Return a function's error in a line; nothing of one that answered which records failed."""
    payload = invocation.payload
    if invocation.function_error is None or not isinstance(payload, dict):
        return ""
    kind, text = (str(payload.get(name) or "") for name in ("errorType", "errorMessage"))
    return ": ".join(filter(None, (kind, text)))[:_LONGEST_ERROR]
