"""The designs that are compared, each as a list of what is billed in a month."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from toolbox.costs.bills import (
    DAYS_A_MONTH,
    HOURS,
    Bill,
    BillLine,
    function_lines,
    log_line,
    priced,
)
from toolbox.costs.capacity import FUNCTION_SECONDS
from toolbox.costs.choices import StageChoices
from toolbox.costs.doors import data_out, door_lines, rest_api
from toolbox.costs.prices import MILLION
from toolbox.costs.workload import (
    GB,
    SECONDS_A_MONTH,
    CostCase,
    billed_record_gb,
    queue_requests,
    reconciling_seconds,
    record_bytes,
)

if TYPE_CHECKING:
    from toolbox.costs.prices import PriceList

_PUT_UNIT = 25 * 1_024
#: Amazon S3 User Guide, lifecycle transitions: smaller objects stay where they are.
_SMALLEST_MOVED = 128 * 1_024


def this_design(case: CostCase, name: str = "this design") -> Bill:
    """Return the bill of this project, with a stage's choices."""
    lines = [
        *door_lines(case),
        *(_provisioned(case) if case.choices.stream == "provisioned" else _on_demand(case)),
        *_consumer(case, "fan_out"),
        *_consumer(case, "archiver"),
        *_deduplication(case),
        _sending(case, case.batches("fan_out").events_in_each),
        _reading(case, case.prices.assume("receive_wait_seconds")),
        *_archive(case),
        _reconciler(case),
        *_watching(case),
    ]
    return Bill(name, lines)


def old_framework(case: CostCase) -> Bill:
    """Return the bill of the old framework: one Lambda call and one SQS call for each event.

    It kept no archive, dropped no duplicates and had no metrics of its own.
    """
    prices, events = case.prices, case.workload.events
    ms, size = prices.assume("old_ms_per_event"), prices.assume("old_gb")
    lines = [
        rest_api(case),
        data_out(case),
        *function_lines("function", events, ms, size, prices),
        _sending(case, 1),
        _reading(case, 0),
        log_line("logs", events * prices.assume("invocation_log_bytes"), prices, "lambda_logs_gb"),
    ]
    return Bill("old framework", lines)


def function_per_webhook(case: CostCase) -> Bill:
    """Return the bill of a function for each webhook that does what this project does.

    It deduplicates in the table and writes each event into the archive by itself.
    """
    prices, events = case.prices, case.workload.events
    ms, size = prices.assume("per_webhook_ms_per_event"), prices.assume("per_webhook_gb")
    # Objects as small as one event never move.
    case = replace(case, choices=replace(case.choices, cold_after_days=None))
    lines = [
        rest_api(case),
        data_out(case),
        *function_lines("function", events, ms, size, prices),
        *_deduplication(case),
        _sending(case, 1),
        _reading(case, case.prices.assume("receive_wait_seconds")),
        priced(
            "archive: writes", events, "PUTs", prices=prices, price="s3_thousand_puts", each=1_000
        ),
        _kept(case, moved=False),
        log_line("logs", events * prices.assume("invocation_log_bytes"), prices, "lambda_logs_gb"),
        *_fixed(prices),
    ]
    return Bill("a function for each webhook", lines)


AS_SET = "this design, as the stage is set"
#: Designs of this project that a table shows, beside those that `suggest` finds.
WAYS = {
    "this design, every default": StageChoices(),
    "every source by the receiver, REST API": StageChoices(way="receiver"),
    "every source polled": StageChoices(way="poll"),
    "the receiver behind an HTTP API": StageChoices(door="http_api"),
    "the receiver behind a function URL": StageChoices(door="function_url"),
    "the receiver behind a load balancer": StageChoices(door="load_balancer"),
}


def all_bills(case: CostCase) -> list[Bill]:
    """Return the bill of every design: of this one as the stage is set, and in other ways."""
    usual, *others = WAYS
    return [
        this_design(case, usual if case.choices == WAYS[usual] else AS_SET),
        *(this_design(replace(case, choices=WAYS[name]), name) for name in others),
        old_framework(case),
        function_per_webhook(case),
    ]


def _on_demand(case: CostCase) -> list[BillLine]:
    workload, prices = case.workload, case.prices
    gb = billed_record_gb(workload, prices)
    out = workload.events * record_bytes(workload, prices) / 1_024**3
    days = (prices.assume("retention_hours") - 24) / 24
    kept = gb / DAYS_A_MONTH * days
    return [
        priced(
            "stream: hours", HOURS, "hours", prices=prices, price="kinesis_on_demand_stream_hour"
        ),
        priced("stream: in", gb, "GB", prices=prices, price="kinesis_on_demand_gb_in"),
        _out(case, out),
        priced(
            "stream: retention",
            kept,
            "GB kept",
            prices=prices,
            price="kinesis_on_demand_gb_month_extended",
        ),
    ]


def _out(case: CostCase, gb: float) -> BillLine:
    """Return what reading costs: of a provisioned stream what is pushed, of the other one all.

    Parameters
    ----------
    gb : float
        What each consumer reads of an on-demand stream; 0 where the stream is provisioned.
    """
    prices, pushed = case.prices, case.choices.enhanced_fan_out
    shared = gb * (prices.assume("consumers") - pushed)
    dollars = prices.bill("kinesis_on_demand_gb_out", shared)
    if pushed and gb:
        dollars += prices.bill("kinesis_on_demand_gb_out_enhanced", gb)
        shared += gb
    elif pushed:
        shared = case.workload.events * record_bytes(case.workload, prices) / 1_024**3
        dollars += prices.bill("kinesis_gb_out_enhanced", shared)
        dollars += prices.bill("kinesis_consumer_shard_hour", case.needed_shards * HOURS)
    return BillLine("stream: out", shared, "GB", dollars)


def _provisioned(case: CostCase) -> list[BillLine]:
    prices = case.prices
    units = case.workload.events * -(-record_bytes(case.workload, prices) // _PUT_UNIT)
    hours = case.needed_shards * HOURS
    return [
        priced("stream: hours", hours, "hours", prices=prices, price="kinesis_shard_hour"),
        priced(
            "stream: in",
            units,
            "units",
            prices=prices,
            price="kinesis_million_put_units",
            each=MILLION,
        ),
        _out(case, 0.0),
        priced(
            "stream: retention", hours, "hours", prices=prices, price="kinesis_shard_hour_extended"
        ),
    ]


def _consumer(case: CostCase, name: str) -> list[BillLine]:
    batches, prices = case.batches(name), case.prices
    size = prices.assume("function_gb")
    share = min(size * prices.assume("vcpus_per_gb"), 1.0)
    work = batches.events_in_each * prices.assume(f"{name}_us_per_event") / 1_000 / share
    duration = prices.assume(f"{name}_ms_per_batch") + work
    calls = batches.per_second * SECONDS_A_MONTH
    return function_lines(name.replace("_", "-"), calls, duration, size, prices)


def _deduplication(case: CostCase) -> list[BillLine]:
    workload, prices = case.workload, case.prices
    items = prices.assume("items_per_event")
    # Each key is read consistently: a unit, and no half.
    reads, writes = workload.events * items, workload.delivered * items
    per_day = writes / DAYS_A_MONTH
    gb = per_day * prices.assume("deduplication_days") * prices.assume("dedupe_item_bytes") / GB
    kept = prices.bill("dynamodb_gb_month", gb) + prices.bill("dynamodb_gb_month_recovery", gb)
    lines = [_units(case, "read", reads), _units(case, "write", writes)]
    return [*lines, BillLine("table: kept", gb, "GB", kept)]


def _units(case: CostCase, kind: str, amount: float) -> BillLine:
    """Return what units cost: by request, or by the hour for what has to be provisioned."""
    prices, part = case.prices, f"table: {kind}s"
    if case.choices.table == "on_demand":
        return priced(
            part, amount, "units", prices=prices, price=f"dynamodb_million_{kind}s", each=MILLION
        )
    provisioned = amount / SECONDS_A_MONTH / prices.assume("table_use")
    return priced(
        part, provisioned * HOURS, "unit-hours", prices=prices, price=f"dynamodb_{kind}_unit_hour"
    )


def _sending(case: CostCase, messages_in_each: float) -> BillLine:
    requests = queue_requests(case.workload, case.prices, messages_in_each)
    return priced(
        "queue: sending",
        requests,
        "requests",
        prices=case.prices,
        price="sqs_million_requests",
        each=1e6,
    )


def _reading(case: CostCase, wait_seconds: float) -> BillLine:
    """MozDef receives ten at a time at most, and deletes one at a time.

    A worker that is not busy receives as often as it can, or, where a receive waits for a message,
    as often as one comes.
    """
    workload, prices = case.workload, case.prices
    queues, fastest = prices.assume("sources"), prices.assume("mozdef_receives_per_second")
    rate = workload.delivered / SECONDS_A_MONTH / queues
    idle = min(fastest, max(rate, 1 / wait_seconds)) if wait_seconds else fastest
    receives = max(rate / 10, idle)
    in_each = max(rate / receives, 1.0)
    full = queue_requests(workload, prices, in_each)
    empty = max(receives * queues * SECONDS_A_MONTH - full, 0.0)
    requests = full + empty + workload.delivered
    return priced(
        "queue: MozDef reading",
        requests,
        "requests",
        prices=prices,
        price="sqs_million_requests",
        each=1e6,
    )


def _objects(case: CostCase) -> tuple[float, float]:
    """Return the objects of a month, in the ledger and in `raw/`."""
    batches = case.batches("archiver")
    # An object for each source in a batch; a batch of a few events has no more sources than events.
    raw = batches.per_second * min(case.prices.assume("sources"), batches.events_in_each)
    ledger = case.batches("fan_out").per_second
    return ledger * SECONDS_A_MONTH, raw * SECONDS_A_MONTH


def _raw_bytes(case: CostCase) -> float:
    """Return the packed bytes of a month's events in `raw/`."""
    each = record_bytes(case.workload, case.prices) * case.prices.assume("archive_ratio")
    return case.workload.events * each


def _archive(case: CostCase) -> list[BillLine]:
    prices = case.prices
    ledger, raw = _objects(case)
    moves = case.choices.cold_after_days is not None and _raw_bytes(case) / raw >= _SMALLEST_MOVED
    moved = raw if moves else 0.0
    return [
        priced(
            "archive: writes",
            ledger + raw,
            "PUTs",
            prices=prices,
            price="s3_thousand_puts",
            each=1_000,
        ),
        priced(
            "archive: moves",
            moved,
            "objects",
            prices=prices,
            price="s3_thousand_transitions",
            each=1_000,
        ),
        _kept(case, moved=moves),
    ]


def _kept(case: CostCase, *, moved: bool) -> BillLine:
    """Return what the archive holds once it is as old as its lifetime.

    What has expired stays for a while as a version that is not the current one.
    """
    prices = case.prices
    days = prices.assume("archive_days") + prices.assume("noncurrent_days")
    raw = _raw_bytes(case) / GB / DAYS_A_MONTH
    ledger = case.workload.events * prices.assume("ledger_bytes") / GB / DAYS_A_MONTH
    warm = case.choices.cold_after_days if moved and case.choices.cold_after_days else days
    dollars = prices.bill("s3_gb_month", raw * warm + ledger * days)
    dollars += prices.bill("s3_cold_gb_month", raw * (days - warm))
    return BillLine("archive: kept", (raw + ledger) * days, "GB", dollars)


def _reconciler(case: CostCase) -> BillLine:
    """Return what it costs to compare each hour: the function, a GET an object, its metrics.

    It works for no longer than its time-out lets it.
    """
    prices = case.prices
    seconds = min(reconciling_seconds(case.workload, prices), FUNCTION_SECONDS)
    calls, time = function_lines(
        "reconciler", HOURS, seconds * 1_000, prices.assume("reconciler_gb"), prices
    )
    dollars = calls.dollars + time.dollars
    dollars += prices.bill("s3_thousand_gets", sum(_objects(case)) / 1_000)
    dollars += prices.bill("metric_month", prices.assume("metrics_of_accounts"))
    return BillLine("reconciler", time.amount, "GB-s", dollars)


def _watching(case: CostCase) -> list[BillLine]:
    prices, choices = case.prices, case.choices
    batches = sum(case.batches(name).per_second for name in ("fan_out", "archiver"))
    own = batches * SECONDS_A_MONTH * prices.assume("batch_log_bytes")
    own += case.workload.events * prices.assume("event_log_bytes")
    lines = [log_line("function logs", own, prices, "lambda_logs_gb")]
    if choices.way != "poll" and choices.door in {"rest_api", "http_api"}:
        size = case.workload.events * prices.assume(f"access_log_{choices.access_log}_bytes")
        lines.append(log_line("access log", size, prices))
    traced = 3 + (choices.door == "rest_api" and choices.way != "poll")
    traces = traced * prices.assume("traces_per_second") * SECONDS_A_MONTH
    lines.append(
        priced("traces", traces, "traces", prices=prices, price="traces_million", each=MILLION)
    )
    return [*lines, *_fixed(prices)]


def _fixed(prices: PriceList) -> list[BillLine]:
    metrics = prices.assume("sources") * prices.assume("metrics_per_source")
    fixed = {
        "metrics": (metrics, "metric_month"),
        "alarms": (prices.assume("alarms"), "alarm_month"),
        "dashboards": (prices.assume("dashboards"), "dashboard_month"),
        "key": (prices.assume("kms_keys"), "kms_key_month"),
    }
    return [
        priced(name, amount, "each", prices=prices, price=price)
        for name, (amount, price) in fixed.items()
    ]
