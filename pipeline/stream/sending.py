"""Puts packed events on the stream, and goes on until every one of them is there."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

from pipeline.aws.errors import error_name, is_throttle, is_throttled
from pipeline.aws.limits import (
    BYTES_PER_PUT,
    LASTING_STREAM_ERRORS,
    RECORDS_PER_PUT,
)
from pipeline.aws.retries import RetryPolicy
from pipeline.stream.aggregates import Packed, Packer
from pipeline.stream.shards import StreamError, StreamUnreachableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pipeline.aws.seams import BatchStream
    from pipeline.stream.pace import Pace
    from pipeline.stream.shards import ShardMap

STALL_TIMEOUT = 120.0
RETRIES = RetryPolicy(first_backoff=0.1, longest_backoff=5.0)
_log = logging.getLogger(__name__)


class StreamWriter:
    """Gathers envelopes and puts them on the stream at a pace.

    Parameters
    ----------
    largest_record : int
        Bytes that the stream takes in a record, with its partition key.
    stall_timeout : Callable[[], float]
        For how many seconds without any success to go on trying.
    clock : Callable[[], float]
        Seconds, from any start.
    """

    def __init__(
        self,
        kinesis: BatchStream,
        stream: str,
        shards: ShardMap,
        pace: Pace,
        *,
        largest_record: int,
        stall_timeout: Callable[[], float] = lambda: STALL_TIMEOUT,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._kinesis = kinesis
        self._stream = stream
        self._shards = shards
        self._pace = pace
        self._packer = Packer(shards, largest_record)
        self._stall_timeout = stall_timeout
        self._clock = clock
        self.throttles = 0
        self.calls = 0

    def add(self, key: str, data: bytes, _: object = None, /) -> bool:
        """Take an envelope; False when no record can hold it.

        Raises
        ------
        StreamError
            When what was gathered cannot be put on the stream.
        """
        if not self._shards.shards or not self._packer.events:
            self._shards.refresh()
        if not self._packer.add(key, data):
            return False
        pace = self._pace
        if self._packer.events >= pace.events_at_once or self._packer.size >= pace.bytes_at_once:
            self.flush()
        return True

    def flush(self) -> None:
        """Put all that was gathered on the stream, and return when it is there.

        Raises
        ------
        StreamError
            When it cannot be put there.
        """
        for records in _calls(self._packer.take()):
            self._put(records)

    def _put(self, records: Sequence[Packed]) -> None:
        waiting = list(records)
        backoffs, last_success, trouble = RETRIES.backoffs(), self._clock(), ""
        while waiting:
            self._pace.wait(
                sum(record.events for record in waiting), sum(record.size for record in waiting)
            )
            refused, trouble = self._try(waiting)
            if len(refused) < len(waiting):
                last_success, backoffs = self._clock(), RETRIES.backoffs()
            waiting = refused
            if not waiting:
                self._pace.succeeded()
                return
            if self._clock() - last_success > self._stall_timeout():
                raise StreamUnreachableError(
                    f"{self._stream}: {len(waiting)} records could not be put: {trouble}"
                )
            self._pace.pause(next(backoffs))

    def _try(self, records: Sequence[Packed]) -> tuple[list[Packed], str]:
        self.calls += 1
        entries = [_entry(record) for record in records]
        try:
            answer = self._kinesis.put_records(StreamName=self._stream, Records=entries)
        except ParamValidationError:
            raise
        except ClientError as error:
            if error_name(error.response["Error"]["Code"]) in LASTING_STREAM_ERRORS:
                raise StreamError(f"{self._stream}: {error}") from None
            if is_throttled(error):
                self._throttle()
            return list(records), str(error)
        except BotoCoreError as error:
            # It may be on the stream all the same: then it is there twice, and is a duplicate.
            return list(records), str(error)
        return self._sort_out(records, answer["Records"])

    def _sort_out(
        self, records: Sequence[Packed], results: Sequence[dict[str, Any]]
    ) -> tuple[list[Packed], str]:
        refused, trouble, throttled = [], "", False
        for record, result in zip(records, results, strict=True):
            code = result.get("ErrorCode")
            if code:
                refused.append(record)
                trouble = f"{code}: {result.get('ErrorMessage', '')}"
                throttled = throttled or is_throttle(code)
            elif record.shard is not None and result.get("ShardId") != record.shard.id:
                # The stream was resharded. Deaggregation does not mind; the next ones go right.
                self._shards.expire()
        if throttled:
            self._throttle()
        if refused:
            _log.info("%d of %d records refused, such as %s", len(refused), len(records), trouble)
        return refused, trouble

    def _throttle(self) -> None:
        self.throttles += 1
        self._pace.throttled()


def _entry(record: Packed) -> dict[str, Any]:
    entry: dict[str, Any] = {"Data": record.data, "PartitionKey": record.partition_key}
    if record.shard is not None:
        entry["ExplicitHashKey"] = str(record.shard.start)
    return entry


def _calls(records: Sequence[Packed]) -> Iterator[list[Packed]]:
    call: list[Packed] = []
    size = 0
    for record in records:
        if call and (len(call) >= RECORDS_PER_PUT or size + record.size > BYTES_PER_PUT):
            yield call
            call, size = [], 0
        call.append(record)
        size += record.size
    if call:
        yield call
