"""Gathers PutRecord calls that come close together into PutRecords, each with its own answer."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

from local.gateway.services import answer_of, error_answer, success_answer

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor

    from local.gateway.replies import BackendAnswer

#: What Kinesis takes in one PutRecords call, and in one record (data and partition key).
MAX_RECORDS = 500
MAX_CALL_BYTES = 5 * 1024 * 1024
MAX_RECORD_BYTES = 1024 * 1024

_KEY_LIMIT = 256
_MAX_IN_FLIGHT = 4
_GATHERED = {"StreamName", "StreamARN", "StreamId", "Data", "PartitionKey", "ExplicitHashKey"}
_OUTER = ("StreamName", "StreamARN", "StreamId")
#: PutRecords fails as a whole for these where PutRecord would fail one sender alone.
_ONE_SPOILS_ALL = {"ValidationException", "InvalidArgumentException", "SerializationException"}


@dataclass(slots=True)
class _Pending:
    arguments: dict[str, Any]
    size: int
    answer: asyncio.Future[BackendAnswer]


@dataclass(slots=True)
class _Stream:
    outer: dict[str, Any]
    waiting: deque[_Pending] = field(default_factory=deque)
    size: int = 0
    in_flight: int = 0
    flushed: float = 0.0
    last_count: int = 0
    timer: asyncio.Handle | None = None

    @property
    def lonely(self) -> bool:
        """Whether records come one by one, so that waiting would bring no company."""
        return self.in_flight == 0 and self.last_count <= 1


class RecordGatherer:
    """Puts single records, gathered while earlier calls are on their way.

    A record that comes while nothing is on its way is sent at once, if the call before it held no
    more than one, too: a lone sender does not wait. Under load a call is sent once the window has
    passed since the last, or when it is full. Records that could fail a whole call (too large, a
    partition key that is no good) are put on their own.

    Parameters
    ----------
    client : Any
        A Kinesis client of the SDK.
    executor : Executor
        Where the calls wait.
    window_ms : float
        How long a record waits at most for others; 0 sends each on its own.
    """

    def __init__(self, client: Any, executor: Executor, window_ms: float) -> None:
        self._client = client
        self._executor = executor
        self._window = window_ms / 1000
        self._streams: dict[tuple[Any, ...], _Stream] = {}
        self._calls: set[asyncio.Future[None]] = set()

    async def put(self, arguments: dict[str, Any]) -> BackendAnswer:
        """Put one record.

        Parameters
        ----------
        arguments : dict[str, Any]
            Those of PutRecord.

        Raises
        ------
        GatewayError
            When Kinesis did not answer.
        """
        loop = asyncio.get_running_loop()
        size = _gatherable_size(arguments)
        if not self._window or size is None:
            return await loop.run_in_executor(
                self._executor, answer_of, self._client.put_record, arguments
            )
        outer = {name: arguments[name] for name in _OUTER if name in arguments}
        stream = self._streams.setdefault(tuple(outer.items()), _Stream(outer))
        pending = _Pending(arguments, size, loop.create_future())
        stream.waiting.append(pending)
        stream.size += size
        self._schedule(loop, stream)
        return await pending.answer

    def _schedule(self, loop: asyncio.AbstractEventLoop, stream: _Stream) -> None:
        if len(stream.waiting) >= MAX_RECORDS or stream.size >= MAX_CALL_BYTES:
            self._flush(loop, stream)
        elif stream.timer is None:
            due = stream.flushed + self._window
            if stream.lonely or due <= loop.time():
                # Not at once: whatever else is ready in this turn of the loop goes along.
                stream.timer = loop.call_soon(self._on_timer, loop, stream)
            else:
                stream.timer = loop.call_at(due, self._on_timer, loop, stream)

    def _on_timer(self, loop: asyncio.AbstractEventLoop, stream: _Stream) -> None:
        stream.timer = None
        if stream.in_flight < _MAX_IN_FLIGHT:
            self._flush(loop, stream)

    def _flush(self, loop: asyncio.AbstractEventLoop, stream: _Stream) -> None:
        batch = _take(stream)
        if not batch:
            return
        stream.in_flight += 1
        stream.flushed, stream.last_count = loop.time(), len(batch)
        call = loop.run_in_executor(self._executor, self._send, stream.outer, batch)
        done: asyncio.Future[None] = asyncio.ensure_future(_settle(call, batch))
        self._calls.add(done)
        done.add_done_callback(lambda finished: self._landed(loop, stream, finished))

    def _landed(
        self, loop: asyncio.AbstractEventLoop, stream: _Stream, finished: asyncio.Future[None]
    ) -> None:
        self._calls.discard(finished)
        stream.in_flight -= 1
        if stream.timer and stream.lonely:
            stream.timer.cancel()
            stream.timer = None
        if stream.waiting:
            self._schedule(loop, stream)

    def _send(self, outer: dict[str, Any], batch: list[_Pending]) -> list[BackendAnswer]:
        if len(batch) == 1:
            return [answer_of(self._client.put_record, batch[0].arguments)]
        records = [
            {name: value for name, value in each.arguments.items() if name not in _OUTER}
            for each in batch
        ]
        try:
            result = self._client.put_records(**outer, Records=records)
        except (ClientError, BotoCoreError) as error:
            if _one_spoiled_all(error):
                return [answer_of(self._client.put_record, each.arguments) for each in batch]
            return [answer_of(_raiser(error), {})] * len(batch)
        extra = {k: v for k, v in result.items() if k == "EncryptionType"}
        return [_entry_answer(entry, extra) for entry in result["Records"]]


def _one_spoiled_all(error: ClientError | BotoCoreError) -> bool:
    if isinstance(error, ClientError):
        return error.response.get("Error", {}).get("Code") in _ONE_SPOILS_ALL
    return isinstance(error, ParamValidationError)


def _raiser(error: Exception) -> Callable[..., dict[str, Any]]:
    def raises() -> dict[str, Any]:
        raise error

    return raises


def _gatherable_size(arguments: dict[str, Any]) -> int | None:
    data, key = arguments.get("Data"), arguments.get("PartitionKey")
    if not isinstance(data, bytes) or not isinstance(key, str) or arguments.keys() - _GATHERED:
        return None
    size = len(data) + len(key.encode("utf-8", "replace"))
    return size if 1 <= len(key) <= _KEY_LIMIT and size <= MAX_RECORD_BYTES else None


def _take(stream: _Stream) -> list[_Pending]:
    batch: list[_Pending] = []
    size = 0
    while stream.waiting and len(batch) < MAX_RECORDS:
        if size + stream.waiting[0].size > MAX_CALL_BYTES:
            break
        each = stream.waiting.popleft()
        size += each.size
        batch.append(each)
    stream.size -= size
    return batch


def _entry_answer(entry: dict[str, Any], extra: dict[str, Any]) -> BackendAnswer:
    code = entry.get("ErrorCode")
    if not code:
        fields = {name: entry[name] for name in ("ShardId", "SequenceNumber")}
        return success_answer({**fields, **extra})
    # PutRecord answers 400 for a throttled record and 500 for Kinesis's own failure.
    status = 500 if code == "InternalFailure" else 400
    return error_answer(status, code, entry.get("ErrorMessage", ""))


async def _settle(call: asyncio.Future[list[BackendAnswer]], batch: list[_Pending]) -> None:
    try:
        answers = await call
        # A sender that hung up has cancelled its future; its record is in the stream all the same.
        for each, answer in zip(batch, answers, strict=True):
            if not each.answer.done():
                each.answer.set_result(answer)
    except Exception as error:  # noqa: BLE001 - whatever it is, no sender may wait for ever
        for each in batch:
            if not each.answer.done():
                each.answer.set_exception(error)
    finally:
        for each in batch:
            each.answer.cancel()
