"""What is asked of a deployment, and the volumes that follow."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from pipeline.aws.limits import (
    MESSAGE_BYTES,
    MESSAGES_PER_BATCH,
    ON_DEMAND_SHARDS,
    SHARD_BYTES,
    SHARD_RECORDS,
)
from toolbox.costs.choices import StageChoices

if TYPE_CHECKING:
    from toolbox.costs.prices import PriceList

SECONDS_A_MONTH = 730 * 3_600
SECONDS_A_DAY = 86_400
GB = 1_000_000_000
_KB = 1_024
_SQS_CHUNK = 64 * 1_024


@dataclass(frozen=True)
class Workload:
    """Events that come at a steady rate.

    Parameters
    ----------
    events_per_second : float
        Accepted requests a second, on average over the month.
    size : int
        Bytes of a body.
    duplicates : float
        The share of them that was delivered before, 0 to 1.
    """

    events_per_second: float
    size: int
    duplicates: float = 0.02

    @property
    def events(self) -> float:
        """Events in a month of 730 hours."""
        return self.events_per_second * SECONDS_A_MONTH

    @property
    def delivered(self) -> float:
        """Events in a month that reach a queue."""
        return self.events * (1 - self.duplicates)


@dataclass(frozen=True)
class CostCase:
    """A workload, what things cost, and how the stage is set."""

    workload: Workload
    prices: PriceList
    choices: StageChoices = field(default_factory=StageChoices)

    @cached_property
    def needed_shards(self) -> int:
        """How many shards a provisioned stream of this rate is given."""
        return shards(self.workload, self.prices, headroom=self.prices.assume("headroom"))

    @cached_property
    def open_shards(self) -> int:
        """How many shards the stream has."""
        if self.choices.stream == "provisioned":
            return self.needed_shards
        return max(self.needed_shards, ON_DEMAND_SHARDS)

    def batches(self, function: str) -> Invocations:
        """Return the batches of one consumer, `fan_out` or `archiver`.

        A shard is polled once a second (AWS Lambda Developer Guide, Kinesis), or pushed, so no
        window is shorter than what lies between two batches.
        """
        choices = self.choices
        window: float = choices.archiver_window
        apart = self.prices.assume("poll_apart_seconds")
        if function == "fan_out":
            window = choices.fan_out_window
            if choices.enhanced_fan_out:
                apart = self.prices.assume("push_apart_seconds")
        window = max(window, apart)
        return invocations(self.workload, self.prices, function, self.open_shards, window)


@dataclass(frozen=True)
class Invocations:
    """The batches of a function that reads the stream."""

    per_second: float
    events_in_each: float


def record_bytes(workload: Workload, prices: PriceList) -> float:
    """Return the bytes of one record: envelope line and body."""
    return workload.size + prices.assume("envelope_bytes")


def billed_record_gb(workload: Workload, prices: PriceList) -> float:
    """Return the GB that an on-demand stream bills in a month: each record rounded up to 1 KB."""
    rounded = math.ceil(record_bytes(workload, prices) / _KB) * _KB
    return workload.events * rounded / 1_024**3


def shards(workload: Workload, prices: PriceList, *, headroom: float = 1.0) -> int:
    """Return how many shards the rate needs."""
    rate = workload.events_per_second * headroom
    size = rate * (record_bytes(workload, prices) + 36)  # a partition key is a UUID, or as long
    return max(math.ceil(rate / SHARD_RECORDS), math.ceil(size / SHARD_BYTES), 1)


def invocations(
    workload: Workload, prices: PriceList, function: str, open_shards: int, window: float
) -> Invocations:
    """Return the batches of one consumer, `fan_out` or `archiver`.

    A batch is sent when it is full, by number or by bytes, or when its window is over.

    Parameters
    ----------
    window : float
        Seconds.
    """
    rate = workload.events_per_second / open_shards
    most = min(
        prices.assume(f"{function}_batch"),
        max(prices.assume("batch_bytes") / record_bytes(workload, prices), 1.0),
    )
    in_window = rate * window
    size = min(most, max(in_window, 1.0))
    return Invocations(workload.events_per_second / size, size)


def reconciling_seconds(workload: Workload, prices: PriceList) -> float:
    """Return how long the reconciler works on an hour of events, on one vCPU."""
    each = prices.assume("reconciler_us_per_event")
    each += prices.assume("reconciler_us_per_kb") * workload.size / _KB
    return workload.events_per_second * 3_600 * each / 1e6


def queue_requests(workload: Workload, prices: PriceList, messages_in_each: float) -> float:
    """Return what SQS bills in a month for sending: a request for each 64 KB of a call."""
    size = workload.size + prices.assume("mozdef_bytes")
    fit = max(math.floor(MESSAGE_BYTES / size), 1)
    batch = max(min(messages_in_each, MESSAGES_PER_BATCH, fit), 1.0)
    return workload.delivered / batch * math.ceil(batch * size / _SQS_CHUNK)
