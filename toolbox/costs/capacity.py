"""What a rate needs of AWS, and where its limits bite."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from toolbox.costs.workload import reconciling_seconds, record_bytes

if TYPE_CHECKING:
    from toolbox.costs.workload import CostCase

#: Amazon API Gateway quotas: requests a second of an account in a large region.
API_RATE = 10_000
#: Amazon Kinesis Data Streams quotas: what an on-demand stream scales to unless more is asked for,
#: and the shards of an account in a large region.
ON_DEMAND_BYTES = 200_000_000
ON_DEMAND_RECORDS = 200_000
SHARD_QUOTA = 500
#: Recorded of new accounts, whose invocations at once begin below the 1,000 of AWS Lambda's quotas.
CONCURRENCY = 10
#: AWS Lambda quotas: how long an invocation may take.
FUNCTION_SECONDS = 900
#: Amazon DynamoDB quotas: units a second of an on-demand table.
TABLE_UNITS = 40_000
#: Amazon SQS quotas: messages in flight in a standard queue.
IN_FLIGHT = 120_000


@dataclass(frozen=True)
class Need:
    """How much of something a rate needs, beside its limit.

    Parameters
    ----------
    limit : float
        The quota of a new account.
    then : str
        What to do at the limit.
    """

    what: str
    amount: float
    limit: float
    then: str

    @property
    def bites(self) -> bool:
        """Whether the quota is too small."""
        return self.amount > self.limit


def needs(case: CostCase) -> list[Need]:
    """Return what a workload needs, at its average rate."""
    workload, prices = case.workload, case.prices
    rate = workload.events_per_second
    size = rate * record_bytes(workload, prices)
    items = rate * prices.assume("items_per_event")
    return [
        Need(
            "API Gateway: requests a second",
            rate,
            API_RATE,
            "ask for a higher account quota and raise throttle in config/<stage>.yaml; or spread "
            "the sources over accounts or regions",
        ),
        Need(
            "stream, on-demand: records a second",
            rate,
            ON_DEMAND_RECORDS,
            "ask for a higher quota, or take provisioned shards",
        ),
        Need(
            "stream, on-demand: bytes a second",
            size,
            ON_DEMAND_BYTES,
            "ask for a higher quota, or take provisioned shards",
        ),
        Need(
            f"stream, provisioned: shards ({prices.assume('headroom'):g} times the average)",
            case.needed_shards,
            SHARD_QUOTA,
            "ask for a higher quota, or spread the sources over services",
        ),
        Need(
            "Lambda: invocations at once",
            concurrency(case, case.needed_shards),
            CONCURRENCY,
            "ask for 1,000 before anything else: 'mozdef-ef config check --aws' says what the "
            "account has, and what consumers leave for those that senders wait for",
        ),
        Need(
            "reconciler: seconds for an hour of events",
            reconciling_seconds(workload, prices),
            FUNCTION_SECONDS,
            "what it had no time for is an alarm: compare with mozdef-ef audit; or spread the "
            "sources over services",
        ),
        Need(
            "table: writes a second",
            items * (1 - workload.duplicates),
            TABLE_UNITS,
            "ask for a higher table quota; warm the table before a known peak",
        ),
        Need(
            "table: reads a second",
            items,
            TABLE_UNITS,
            "ask for a higher table quota; warm the table before a known peak",
        ),
        Need(
            "queue: messages that MozDef holds at once",
            rate * 30,
            IN_FLIGHT,
            "have MozDef delete sooner than 30 seconds after it received, or use queue.by_type to "
            "spread events over queues",
        ),
    ]


def concurrency(case: CostCase, open_shards: int) -> int:
    """Return how many invocations run at once.

    Of a consumer never more than one for each shard; of the receiver as many as there are requests
    within the time that it takes.
    """
    prices = case.prices
    rate = case.workload.events_per_second
    at_once = rate * prices.assume("receiver_ms") / 1e3 if case.choices.receives else 0.0
    for name in ("fan_out", "archiver"):
        batches = case.batches(name)
        share = min(prices.assume("function_gb") * prices.assume("vcpus_per_gb"), 1.0)
        work = batches.events_in_each * prices.assume(f"{name}_us_per_event") / 1e6 / share
        seconds = prices.assume(f"{name}_ms_per_batch") / 1e3 + work
        at_once += min(batches.per_second * seconds, open_shards)
    return math.ceil(at_once)
