"""What it costs until an event is on the stream, for each door and each way in."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from toolbox.costs.bills import HOURS, BillLine, function_lines, log_line, priced
from toolbox.costs.prices import MILLION
from toolbox.costs.workload import GB, SECONDS_A_MONTH

if TYPE_CHECKING:
    from toolbox.costs.workload import CostCase

_HTTP_API_CHUNK = 512 * 1_024


def door_lines(case: CostCase) -> list[BillLine]:
    """Return the lines of a door: what takes requests, what checks them, what is answered."""
    if case.choices.way == "poll":
        return _polled(case)
    lines = [*_takes_requests(case)]
    if case.choices.guarded:
        lines.append(_web_acl(case))
    lines += _received(case) if case.choices.receives else [_authorizer(case)]
    return [*lines, data_out(case)]


def data_out(case: CostCase) -> BillLine:
    """Return what the answers to senders cost; what comes in is free."""
    gb = case.workload.events * case.prices.assume("answer_bytes") / 1_024**3
    return priced("answers: data out", gb, "GB", prices=case.prices, price="transfer_gb")


def rest_api(case: CostCase) -> BillLine:
    """Return what a REST API costs, by tiers."""
    requests = case.workload.events
    return priced(
        "REST API", requests, "requests", prices=case.prices, price="api_gateway_rest", each=MILLION
    )


def _takes_requests(case: CostCase) -> list[BillLine]:
    workload, prices, door = case.workload, case.prices, case.choices.door
    if door == "rest_api":
        return [rest_api(case)]
    if door == "http_api":
        pieces = workload.events * max(math.ceil(workload.size / _HTTP_API_CHUNK), 1)
        return [
            priced(
                "HTTP API",
                pieces,
                "requests",
                prices=prices,
                price="api_gateway_http",
                each=MILLION,
            )
        ]
    if door == "load_balancer":
        return [_load_balancer(case)]
    return []


def _load_balancer(case: CostCase) -> BillLine:
    workload, prices = case.workload, case.prices
    connections = workload.events_per_second / prices.assume("requests_per_connection")
    gb_an_hour = workload.events_per_second * 3_600 / GB
    gb_an_hour *= workload.size + prices.assume("request_header_bytes")
    used = max(
        connections / prices.assume("load_balancer_connections"),
        gb_an_hour / prices.assume("load_balancer_gb"),
    )
    units = used * HOURS
    dollars = prices.bill("load_balancer_unit_hour", units)
    dollars += prices.bill("load_balancer_hour", HOURS)
    dollars += prices.bill("address_hour", HOURS * prices.assume("load_balancer_addresses"))
    return BillLine("load balancer", units, "LCU-hours", dollars)


def _web_acl(case: CostCase) -> BillLine:
    """Return what stands before the API where a source is signed and `direct`."""
    prices = case.prices
    requests = case.workload.events
    dollars = prices.bill("web_acl_million_requests", requests / MILLION)
    dollars += prices.bill("web_acl_month", 1)
    dollars += prices.bill("web_acl_rule_month", prices.assume("web_acl_rules"))
    return BillLine("web ACL", requests, "requests", dollars)


def _authorizer(case: CostCase) -> BillLine:
    # A decision is kept for 300 s for each address and route.
    calls = case.prices.assume("senders") * SECONDS_A_MONTH / 300
    requests, time = function_lines("authorizer", calls, 20, 0.5, case.prices)
    return BillLine("authorizer", calls, "calls", requests.dollars + time.dollars)


def _received(case: CostCase) -> list[BillLine]:
    """Return what the receiver adds: a call for each request, its time, log and metrics."""
    calls, prices = case.workload.events, case.prices
    written = prices.assume("receiver_log_bytes")
    if case.choices.system_log:
        written += prices.assume("receiver_system_log_bytes")
    metrics = prices.assume("sources") * prices.assume("receiver_metrics_per_source")
    return [
        *function_lines(
            "receiver", calls, prices.assume("receiver_ms"), prices.assume("receiver_gb"), prices
        ),
        log_line("receiver: log", calls * written, prices, "lambda_logs_gb"),
        priced("receiver: metrics", metrics, "metrics", prices=prices, price="metric_month"),
    ]


def _polled(case: CostCase) -> list[BillLine]:
    """Return what it costs to fetch: a call of the poller a minute for each feed."""
    prices = case.prices
    calls = prices.assume("feeds") * SECONDS_A_MONTH / 60
    milliseconds = prices.assume("poll_seconds") * 1_000
    return function_lines("poller", calls, milliseconds, prices.assume("poller_gb"), prices)
