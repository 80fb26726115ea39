"""Reads one shard, deals its records out to lanes, and keeps how far they have come."""

from __future__ import annotations

import logging
import threading
import time
import zlib
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from local.function_host import PAYLOAD_BYTES
from local.mapping.checkpoints import NOTHING, Checkpoint, CheckpointFile
from local.mapping.counters import MappingProgress
from local.mapping.lane import Lane
from local.mapping.pace import ReadPace, get_records
from local.mapping.records import from_kinesis

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from mypy_boto3_kinesis import KinesisClient
    from mypy_boto3_kinesis.type_defs import GetRecordsOutputTypeDef

    from local.mapping.lane import LaneTools
    from local.mapping.records import StreamRecord

_READ_LIMIT = 10_000  # of GetRecords
# What is read ahead of a shard: an invocation's worth. The emulator has no limit of 10 MiB a call.
_HELD_BYTES = PAYLOAD_BYTES
_ERROR_SECONDS = 1.0
_log = logging.getLogger(__name__)


class ShardReader:
    """One shard of a mapping's stream.

    Parameters
    ----------
    ended : Callable[[], None]
        Called once the shard is closed and all that was on it is settled.
    """

    def __init__(
        self,
        tools: LaneTools,
        client: KinesisClient,
        shard_id: str,
        checkpoint: Path,
        ended: Callable[[], None],
    ) -> None:
        self._tools = tools
        self._client = client
        self.shard_id = shard_id
        self._file = CheckpointFile(checkpoint)
        count = tools.settings.lanes
        self._resumed = self._file.read(count)
        self._last_read = self._resumed.start
        self._limit = min(_READ_LIMIT, max(100, 2 * tools.settings.batch_size * count))
        self._changed = threading.Condition()
        self._lanes = [Lane(tools, shard_id, self._changed, self._keep) for _ in range(count)]
        self._on_end = ended
        self.ended = False
        self._record_bytes = 1  # of an average one, as it was read last
        self._looked = 0.0
        self._found = True
        self._millis_behind = 0
        self._thread = threading.Thread(target=self._run, name=f"read-{shard_id}", daemon=True)
        self._error: Exception | None = None

    def start(self) -> None:
        """Start reading and working."""
        for lane in self._lanes:
            lane.thread.start()
        self._thread.start()

    def wake(self) -> None:
        """Have every thread look whether the mapping stops."""
        with self._changed:
            self._changed.notify_all()

    def join(self, seconds: float) -> None:
        """Wait for the threads to end."""
        for thread in self._threads():
            thread.join(seconds)

    @property
    def alive(self) -> bool:
        """Whether one of its threads has not ended."""
        return any(thread.is_alive() for thread in self._threads())

    def _threads(self) -> list[threading.Thread]:
        return [self._thread, *(lane.thread for lane in self._lanes)]

    def error(self) -> Exception | None:
        """Return the error that ended one of the threads."""
        return next((lane.error for lane in self._lanes if lane.error), self._error)

    def progress(self) -> MappingProgress:
        """Return how far it is; without counters."""
        with self._changed:
            in_flight = sum(lane.open for lane in self._lanes)
            idle = not self._found and not in_flight
            # On a closed shard nothing comes any more: what is settled is settled as of now.
            as_of = time.time() if self.ended else self._looked
            held = tuple(lane.held for lane in self._lanes if lane.held)
            return MappingProgress(idle, as_of, self._millis_behind, in_flight, {}, held)

    def _run(self) -> None:
        try:
            self._read()
        except Exception as error:  # noqa: BLE001 - as in a lane
            _log.exception("%s: the mapping failed", self.shard_id)
            self._error = error
            self._tools.changes.notify()

    def _read(self) -> None:
        stop, pace = self._tools.stop, ReadPace(pushed=bool(self._tools.settings.consumer_arn))
        iterator: str | None = None
        while self._wait_for_room():
            try:
                iterator = iterator or self._iterator()
                hold, began = pace.begin(), time.time()
                found, held = get_records(
                    self._client,
                    hold,
                    iterator=iterator,
                    limit=max(1, min(self._limit, _HELD_BYTES // self._record_bytes)),
                    stream_arn=self._tools.settings.stream_arn,
                )
            except (BotoCoreError, ClientError) as error:
                # An expired iterator is replaced at once; anything else may need some time.
                if "ExpiredIterator" not in str(error):
                    _log.warning("%s: cannot read: %s", self.shard_id, error)
                    stop.wait(_ERROR_SECONDS)
                iterator = None
                continue
            self._take(found, began + held)
            iterator = found.get("NextShardIterator")
            if iterator is None:
                self._end()
                return
            wait = pace.end(found=bool(found["Records"]))
            if not found["MillisBehindLatest"]:
                stop.wait(wait)

    def _end(self) -> None:
        """Have its children read, once all that was on this closed shard is settled."""
        stop = self._tools.stop
        with self._changed:
            while sum(lane.open for lane in self._lanes):
                if stop.is_set():
                    return
                self._changed.wait()
        while not stop.is_set():
            self.ended = True
            try:
                self._on_end()
            except (BotoCoreError, ClientError) as error:
                self.ended = False
                _log.warning("%s: cannot find its children: %s", self.shard_id, error)
                stop.wait(_ERROR_SECONDS)
            else:
                self._found = False
                self._tools.changes.notify()
                return

    def _wait_for_room(self) -> bool:
        with self._changed:
            while not self._tools.stop.is_set():
                records = sum(lane.open for lane in self._lanes)
                if records < self._limit and self._held_bytes() < _HELD_BYTES:
                    return True
                self._changed.wait()
        return False

    def _held_bytes(self) -> int:
        return sum(lane.open_bytes for lane in self._lanes)

    def _iterator(self) -> str:
        settings = self._tools.settings
        where: dict[str, Any] = {"ShardIteratorType": settings.starting_position}
        if self._last_read != NOTHING:
            where = {
                "ShardIteratorType": "AFTER_SEQUENCE_NUMBER",
                "StartingSequenceNumber": self._last_read,
            }
        elif settings.starting_position == "AT_TIMESTAMP":
            where["Timestamp"] = settings.starting_timestamp
        found = self._client.get_shard_iterator(
            StreamName=settings.stream, ShardId=self.shard_id, **where
        )
        return str(found["ShardIterator"])

    def _take(self, found: GetRecordsOutputTypeDef, looked: float) -> None:
        records = [from_kinesis(record) for record in found["Records"]]
        with self._changed:
            self._looked = looked
            # At the end of a closed shard its children are still to be found.
            self._found = bool(records) or not found.get("NextShardIterator")
            self._millis_behind = found["MillisBehindLatest"]
            if records:
                self._record_bytes = sum(record.size for record in records) // len(records)
                self._tools.counters.add(records_read=len(records))
                self._deal(records)
                self._last_read = records[-1].sequence_number
        self._tools.changes.notify()

    def _deal(self, records: Sequence[StreamRecord]) -> None:
        shares: list[list[StreamRecord]] = [[] for _ in self._lanes]
        for record in records:
            # The same key always has the same lane, also after a restart.
            share = zlib.crc32(record.partition_key.encode()) % len(shares)
            if record.number > int(self._resumed.lanes[share]):
                shares[share].append(record)
        for lane, share_of_lane in zip(self._lanes, shares, strict=True):
            if share_of_lane:
                if not lane.open:
                    lane.position = self._last_read
                lane.offer(share_of_lane)

    def _keep(self, _: Lane) -> None:
        """Write the checkpoint; a lane with nothing to do is as far as the reader."""
        lanes = [lane.position if lane.open else self._last_read for lane in self._lanes]
        self._file.write(Checkpoint(tuple(lanes)))
