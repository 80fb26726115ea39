"""How often a shard is read: at once when records come, seldom when none do."""

from __future__ import annotations

import time
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from local.emulator_hold import HELD_HEADER, HOLD_HEADER

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_kinesis import KinesisClient
    from mypy_boto3_kinesis.type_defs import GetRecordsOutputTypeDef

# GetRecords takes five calls a second for a shard.
POLL_SECONDS = 0.2
# Kinesis Data Streams Developer Guide, consumers with dedicated throughput: how long a record is on
# its way to who is subscribed to the shard, on average.
PUSH_SECONDS = 0.07
# A call that finds nothing is held at the emulator for this long. What was put on a stream is
# known to be settled only once a call has come back, so that waiting for that takes as long.
REST_SECONDS = 1.0
# For so long after records came, somebody may wait for them to be settled.
_QUIET_SECONDS = 10.0
_hold: ContextVar[float] = ContextVar("hold")


class ReadPace:
    """The pace of one shard.

    Parameters
    ----------
    clock : Callable[[], float]
        Seconds that only grow.
    pushed : bool
        Whether the emulator's calls stand for a subscription to the shard.
    """

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, *, pushed: bool = False
    ) -> None:
        self._clock = clock
        self._apart = PUSH_SECONDS if pushed else POLL_SECONDS
        self._began = self._busy = clock()

    def begin(self) -> float:
        """Take note of a call that begins; give for how long it may be held, in seconds."""
        self._began = self._clock()
        return POLL_SECONDS if self._began - self._busy < _QUIET_SECONDS else REST_SECONDS

    def end(self, *, found: bool) -> float:
        """Take note of its end; give how long to wait before the next one, in seconds."""
        if found:
            self._busy = self._clock()
        return max(0.0, self._began + self._apart - self._clock())


def get_records(
    client: KinesisClient, hold: float, *, iterator: str, limit: int, stream_arn: str
) -> tuple[GetRecordsOutputTypeDef, float]:
    """Call GetRecords of the emulator, held for so many seconds where it finds nothing.

    Returns
    -------
    tuple[GetRecordsOutputTypeDef, float]
        The answer, and how many seconds after the call the shard was looked at; 0 from a service
        that knows nothing of it.
    """
    client.meta.events.register("before-call.kinesis.GetRecords", _ask, unique_id="hold")
    _hold.set(hold)
    found = client.get_records(ShardIterator=iterator, Limit=limit, StreamARN=stream_arn)
    return found, float(found["ResponseMetadata"]["HTTPHeaders"].get(HELD_HEADER, 0.0))


def _ask(params: dict[str, Any], **_: Any) -> None:
    params["headers"][HOLD_HEADER] = str(_hold.get())
