"""The three designs that are compared, each as a list of what is billed in a month."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.aws.limits import ON_DEMAND_SHARDS
from toolbox.costs.capacity import FUNCTION_SECONDS
from toolbox.costs.prices import MILLION
from toolbox.costs.workload import (
    GB,
    SECONDS_A_MONTH,
    billed_record_gb,
    invocations,
    queue_requests,
    reconciling_seconds,
    record_bytes,
    shards,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from toolbox.costs.prices import PriceList
    from toolbox.costs.workload import Workload

HOURS = 730
_KB = 1_024
_PUT_UNIT = 25 * 1_024
_DAYS_A_MONTH = HOURS / 24


@dataclass(frozen=True)
class BillLine:
    """One thing that is billed: what, how much of it in a month, and the dollars."""

    part: str
    amount: float
    unit: str
    dollars: float


@dataclass(frozen=True)
class Bill:
    """The lines of one design."""

    design: str
    lines: Sequence[BillLine]

    @property
    def dollars(self) -> float:
        """Dollars a month."""
        return sum(line.dollars for line in self.lines)

    def per_million(self, workload: Workload) -> float:
        """Dollars for a million events."""
        return self.dollars / workload.events * MILLION


def this_design(workload: Workload, prices: PriceList, mode: str) -> Bill:
    """Return the bill of this project.

    Parameters
    ----------
    mode : str
        Of the stream, `on_demand` or `provisioned`.
    """
    provisioned = mode == "provisioned"
    needed = shards(workload, prices, headroom=prices.assume("headroom"))
    open_shards = needed if provisioned else max(needed, ON_DEMAND_SHARDS)
    stream = _provisioned(workload, prices, needed) if provisioned else _on_demand(workload, prices)
    lines = [
        _front_door(workload, prices),
        _web_acl(workload, prices),
        _authorizer(prices),
        *stream,
        *_consumer(workload, prices, "fan_out", open_shards),
        *_consumer(workload, prices, "archiver", open_shards),
        *_deduplication(workload, prices),
        _sending(
            workload, prices, invocations(workload, prices, "fan_out", open_shards).events_in_each
        ),
        _reading(workload, prices),
        *_archive(workload, prices, open_shards),
        _reconciler(workload, prices, open_shards),
        *_watching(workload, prices, open_shards),
    ]
    return Bill(f"this design, stream {mode.replace('_', '-')}", lines)


def old_framework(workload: Workload, prices: PriceList) -> Bill:
    """Return the bill of the old framework: one Lambda call and one SQS call for each event.

    It kept no archive, dropped no duplicates and had no metrics of its own.
    """
    ms, size = prices.assume("old_ms_per_event"), prices.assume("old_gb")
    lines = [
        _front_door(workload, prices),
        _authorizer(prices),
        *_functions("function", workload.events, ms, size, prices),
        _sending(workload, prices, 1),
        _reading(workload, prices),
        _logs("logs", workload.events * prices.assume("invocation_log_bytes"), prices),
    ]
    return Bill("old framework", lines)


def function_per_webhook(workload: Workload, prices: PriceList) -> Bill:
    """Return the bill of a function for each webhook that does what this project does.

    It deduplicates in the table and writes each event into the archive by itself.
    """
    ms, size = prices.assume("per_webhook_ms_per_event"), prices.assume("per_webhook_gb")
    puts = workload.events
    lines = [
        _front_door(workload, prices),
        _authorizer(prices),
        *_functions("function", workload.events, ms, size, prices),
        *_deduplication(workload, prices),
        _sending(workload, prices, 1),
        _reading(workload, prices),
        BillLine("archive: writes", puts, "PUTs", puts / 1_000 * prices.price("s3_thousand_puts")),
        _kept(workload, prices),
        _logs("logs", workload.events * prices.assume("invocation_log_bytes"), prices),
        *_fixed(prices),
    ]
    return Bill("a function for each webhook", lines)


def all_bills(workload: Workload, prices: PriceList) -> list[Bill]:
    """Return the bill of every design."""
    return [
        this_design(workload, prices, "on_demand"),
        this_design(workload, prices, "provisioned"),
        old_framework(workload, prices),
        function_per_webhook(workload, prices),
    ]


def _front_door(workload: Workload, prices: PriceList) -> BillLine:
    requests = workload.events
    return BillLine("API Gateway", requests, "requests", prices.api_gateway(requests))


def _web_acl(workload: Workload, prices: PriceList) -> BillLine:
    """Return what stands before the API where a source is signed and `direct`."""
    millions = workload.events / MILLION
    dollars = millions * prices.price("web_acl_million_requests") + prices.price("web_acl_month")
    dollars += prices.assume("web_acl_rules") * prices.price("web_acl_rule_month")
    return BillLine("web ACL", millions, "million requests", dollars)


def _authorizer(prices: PriceList) -> BillLine:
    # A decision is kept for 300 s for each address and route.
    calls = prices.assume("senders") * SECONDS_A_MONTH / 300
    requests, time = _functions("authorizer", calls, 20, 0.5, prices)
    return BillLine("authorizer", calls, "calls", requests.dollars + time.dollars)


def _on_demand(workload: Workload, prices: PriceList) -> list[BillLine]:
    gb = billed_record_gb(workload, prices)
    out = workload.events * record_bytes(workload, prices) / 1_024**3 * prices.assume("consumers")
    days = (prices.assume("retention_hours") - 24) / 24
    kept = gb / _DAYS_A_MONTH * days
    hours = prices.price("kinesis_on_demand_stream_hour") * HOURS
    return [
        BillLine("stream: hours", HOURS, "hours", hours),
        BillLine("stream: in", gb, "GB", gb * prices.price("kinesis_on_demand_gb_in")),
        BillLine("stream: out", out, "GB", out * prices.price("kinesis_on_demand_gb_out")),
        BillLine(
            "stream: retention",
            kept,
            "GB kept",
            kept * prices.price("kinesis_on_demand_gb_month_extended"),
        ),
    ]


def _provisioned(workload: Workload, prices: PriceList, needed: int) -> list[BillLine]:
    units = workload.events * -(-record_bytes(workload, prices) // _PUT_UNIT)
    hours = needed * HOURS
    return [
        BillLine("stream: shards", hours, "hours", hours * prices.price("kinesis_shard_hour")),
        BillLine(
            "stream: in",
            units,
            "units",
            units / MILLION * prices.price("kinesis_million_put_units"),
        ),
        BillLine(
            "stream: retention",
            hours,
            "hours",
            hours * prices.price("kinesis_shard_hour_extended"),
        ),
    ]


def _consumer(workload: Workload, prices: PriceList, name: str, open_shards: int) -> list[BillLine]:
    batches = invocations(workload, prices, name, open_shards)
    size = prices.assume("function_gb")
    share = min(size * prices.assume("vcpus_per_gb"), 1.0)
    work = batches.events_in_each * prices.assume(f"{name}_us_per_event") / 1_000 / share
    duration = prices.assume(f"{name}_ms_per_batch") + work
    calls = batches.per_second * SECONDS_A_MONTH
    return _functions(name.replace("_", "-"), calls, duration, size, prices)


def _functions(
    name: str, calls: float, milliseconds: float, size: float, prices: PriceList
) -> list[BillLine]:
    gb_seconds = calls * milliseconds / 1_000 * size
    return [
        BillLine(
            f"{name}: calls",
            calls,
            "calls",
            calls / MILLION * prices.price("lambda_million_requests"),
        ),
        BillLine(
            f"{name}: time", gb_seconds, "GB-s", gb_seconds * prices.price("lambda_gb_second")
        ),
    ]


def _deduplication(workload: Workload, prices: PriceList) -> list[BillLine]:
    reads, writes = workload.events / 2, workload.delivered
    per_day = workload.delivered / _DAYS_A_MONTH
    kept = per_day * prices.assume("deduplication_days") * prices.assume("dedupe_item_bytes") / GB
    return [
        BillLine(
            "table: reads", reads, "units", reads / MILLION * prices.price("dynamodb_million_reads")
        ),
        BillLine(
            "table: writes",
            writes,
            "units",
            writes / MILLION * prices.price("dynamodb_million_writes"),
        ),
        BillLine("table: kept", kept, "GB", kept * prices.price("dynamodb_gb_month")),
    ]


def _sending(workload: Workload, prices: PriceList, messages_in_each: float) -> BillLine:
    requests = queue_requests(workload, prices, messages_in_each)
    return BillLine(
        "queue: sending",
        requests,
        "requests",
        requests / MILLION * prices.price("sqs_million_requests"),
    )


def _reading(workload: Workload, prices: PriceList) -> BillLine:
    """MozDef receives ten at a time, and deletes one at a time."""
    requests = queue_requests(workload, prices, 10) + workload.delivered
    dollars = requests / MILLION * prices.price("sqs_million_requests")
    return BillLine("queue: MozDef reading", requests, "requests", dollars)


def _kept(workload: Workload, prices: PriceList) -> BillLine:
    """Return what the archive holds once it is as old as its lifetime."""
    days, warm = prices.assume("archive_days"), prices.assume("cold_after_days")
    gb = workload.events * record_bytes(workload, prices) * prices.assume("archive_ratio") / GB
    per_day = gb / _DAYS_A_MONTH
    dollars = per_day * warm * prices.price("s3_gb_month")
    dollars += per_day * (days - warm) * prices.price("s3_cold_gb_month")
    return BillLine("archive: kept", per_day * days, "GB", dollars)


def _archive(workload: Workload, prices: PriceList, open_shards: int) -> list[BillLine]:
    ledger, raw = _objects(workload, prices, open_shards)
    puts, moved = ledger + raw, raw
    return [
        BillLine("archive: writes", puts, "PUTs", puts / 1_000 * prices.price("s3_thousand_puts")),
        BillLine(
            "archive: to cold storage",
            moved,
            "objects",
            moved / 1_000 * prices.price("s3_thousand_transitions"),
        ),
        _kept(workload, prices),
    ]


def _objects(workload: Workload, prices: PriceList, open_shards: int) -> tuple[float, float]:
    """Return the objects of a month, in the ledger and in `raw/`."""
    ledger = invocations(workload, prices, "fan_out", open_shards).per_second
    batches = invocations(workload, prices, "archiver", open_shards)
    # An object for each source in a batch; a batch of a few events has no more sources than events.
    raw = batches.per_second * min(prices.assume("sources"), batches.events_in_each)
    return ledger * SECONDS_A_MONTH, raw * SECONDS_A_MONTH


def _reconciler(workload: Workload, prices: PriceList, open_shards: int) -> BillLine:
    """Return what it costs to compare each hour: the function, a GET an object, its metrics.

    It works for no longer than its time-out lets it.
    """
    seconds = min(reconciling_seconds(workload, prices), FUNCTION_SECONDS)
    calls, time = _functions(
        "reconciler", HOURS, seconds * 1_000, prices.assume("reconciler_gb"), prices
    )
    gets = sum(_objects(workload, prices, open_shards))
    dollars = calls.dollars + time.dollars + gets / 1_000 * prices.price("s3_thousand_gets")
    dollars += prices.assume("metrics_of_accounts") * prices.price("metric_month")
    return BillLine("reconciler", time.amount, "GB-s", dollars)


def _watching(workload: Workload, prices: PriceList, open_shards: int) -> list[BillLine]:
    batches = sum(
        invocations(workload, prices, name, open_shards).per_second
        for name in ("fan_out", "archiver")
    )
    access = workload.events * prices.assume("access_log_bytes")
    own = batches * SECONDS_A_MONTH * prices.assume("batch_log_bytes")
    own += workload.events * prices.assume("event_log_bytes")
    traces = prices.assume("traces_per_second") * SECONDS_A_MONTH
    traced = traces / MILLION * prices.price("traces_million")
    return [
        _logs("access log", access, prices),
        _logs("function logs", own, prices),
        BillLine("traces", traces, "traces", traced),
        *_fixed(prices),
    ]


def _logs(name: str, size: float, prices: PriceList) -> BillLine:
    gb = size / GB
    return BillLine(name, gb, "GB", gb * prices.price("logs_gb"))


def _fixed(prices: PriceList) -> list[BillLine]:
    metrics = prices.assume("sources") * prices.assume("metrics_per_source")
    fixed = {
        "metrics": (metrics, "metric_month"),
        "alarms": (prices.assume("alarms"), "alarm_month"),
        "dashboards": (prices.assume("dashboards"), "dashboard_month"),
        "key": (prices.assume("kms_keys"), "kms_key_month"),
    }
    return [
        BillLine(name, amount, "each", amount * prices.price(price))
        for name, (amount, price) in fixed.items()
    ]
