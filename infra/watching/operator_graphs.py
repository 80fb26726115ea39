"""What the operator sees: requests, stream, functions, queues, tables, feeds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.watching.graph import Graph
from infra.watching.watched import CONSUMERS
from infra.watching.watched_metrics import (
    DENIED,
    HOUR,
    MINUTE,
    THROTTLED,
    ApiMetrics,
    OwnMetrics,
    function_metric,
    log_metric,
    queue_metric,
    stream_metric,
    table_metric,
)
from pipeline.event.outcomes import Verdict
from pipeline.runtime.metrics import (
    ANSWER_NAMES,
    BATCHES,
    POLL_ERRORS,
    POLL_EVENTS,
    POLL_LAG,
    RECORDS_COMPARED,
    SHARDS_NOT_COMPARED,
    UNMATCHED_RECORDS,
    UNREADABLE_LINES,
    UNSETTLED_BATCHES,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from infra.watching.graph import Line
    from infra.watching.watched import Watched


def operator_graphs(watched: Watched) -> Iterator[Graph]:
    """Return the graphs of the operator's dashboard, row by row."""
    yield from _front_door(watched)
    yield from _stream(watched)
    yield from _functions(watched)
    yield from _queues(watched)
    yield from _tables(watched)
    yield from _feeds(watched)


def _front_door(watched: Watched) -> Iterator[Graph]:
    deployment = watched.deployment
    own, api = OwnMetrics(deployment), ApiMetrics(deployment, watched.http_api)
    yield Graph("Requests by source", [api.routes("Count", "SampleCount")], MINUTE)
    yield Graph("4xx by source", [api.routes("4XXError")], MINUTE)
    yield Graph("5xx by source", [api.routes("5XXError")], MINUTE)
    denied = [
        log_metric(DENIED, deployment).called("401 and 403"),
        log_metric(THROTTLED, deployment).called("429"),
    ]
    if "authorizer" in watched.functions:
        errors = function_metric("Errors", watched.function("authorizer"))
        denied.append(errors.called("errors of the authorizer"))
    yield Graph("Denied and throttled requests", denied, MINUTE)
    put = [api.routes("IntegrationLatency", name) for name in ("p50", "p99")]
    yield Graph("Put latency (integration), ms, p50 and p99", put, MINUTE)
    yield Graph("Answer to the sender, ms, p99", [api.routes("Latency", "p99")])
    if "receiver" in watched.functions:
        answers = [own.each(ANSWER_NAMES[verdict], "source") for verdict in Verdict]
        yield Graph("Receiver: answers by source", answers, MINUTE)


def _stream(watched: Watched) -> Iterator[Graph]:
    stream = watched.stream
    yield Graph(
        "Stream: records and refused records",
        [
            stream_metric("IncomingRecords", stream),
            stream_metric("WriteProvisionedThroughputExceeded", stream),
        ],
        MINUTE,
    )
    yield Graph("Stream: bytes", [stream_metric("IncomingBytes", stream)], MINUTE)
    ages = [
        function_metric("IteratorAge", watched.function(name), "Maximum").called(name)
        for name in CONSUMERS
    ]
    read = stream_metric("GetRecords.IteratorAgeMilliseconds", stream, "Maximum")
    yield Graph("Iterator age, ms", [*ages, read.called("GetRecords, all consumers")], MINUTE)


def _functions(watched: Watched) -> Iterator[Graph]:
    own = OwnMetrics(watched.deployment)
    for title, name, statistic in (
        ("Functions: duration, ms, p99", "Duration", "p99"),
        ("Functions: concurrent executions", "ConcurrentExecutions", "Maximum"),
        ("Functions: errors", "Errors", "Sum"),
        ("Functions: throttles", "Throttles", "Sum"),
    ):
        lines = [
            function_metric(name, function.function_name, statistic).called(label)
            for label, function in sorted(watched.functions.items())
        ]
        yield Graph(title, lines, MINUTE)
    batches = [own.each(name, "consumer") for name in (BATCHES, UNSETTLED_BATCHES)]
    yield Graph("Batches, and those not settled at once", batches, MINUTE)
    accounts: list[Line] = [
        own.each(UNMATCHED_RECORDS, "consumer"),
        own.one(RECORDS_COMPARED),
        own.one(SHARDS_NOT_COMPARED),
        own.one(UNREADABLE_LINES),
    ]
    yield Graph("Accounts: records that a consumer lacks", accounts, HOUR)


def _queues(watched: Watched) -> Iterator[Graph]:
    tickets = [
        queue_metric("ApproximateNumberOfMessagesVisible", watched.tickets).called("waiting"),
        queue_metric("ApproximateNumberOfMessagesNotVisible", watched.tickets).called("taken"),
    ]
    yield Graph("Tickets", tickets)
    age = queue_metric("ApproximateAgeOfOldestMessage", watched.tickets)
    yield Graph("Oldest ticket, s", [age])
    yield _by_queue("Delivery queues: messages", "ApproximateNumberOfMessagesVisible", watched)
    yield _by_queue("Delivery queues: oldest, s", "ApproximateAgeOfOldestMessage", watched)
    redrive = {f"{name} (redrive)": queue for name, queue in watched.redrive_queues.items()}
    yield _graph_of("Redrive queues: messages", "ApproximateNumberOfMessagesVisible", redrive)


def _by_queue(title: str, name: str, watched: Watched) -> Graph:
    return _graph_of(title, name, watched.queues)


def _graph_of(title: str, name: str, queues: Mapping[str, str]) -> Graph:
    return Graph(
        title,
        [queue_metric(name, queue).called(label) for label, queue in sorted(queues.items())],
    )


def _tables(watched: Watched) -> Iterator[Graph]:
    for title, names in (
        ("Tables: throttles", ("ReadThrottleEvents", "WriteThrottleEvents")),
        ("Tables: capacity units", ("ConsumedReadCapacityUnits", "ConsumedWriteCapacityUnits")),
    ):
        lines = [
            table_metric(name, table).called(f"{label}: {name}")
            for label, table in sorted(watched.tables.items())
            for name in names
        ]
        yield Graph(title, lines, MINUTE)


def _feeds(watched: Watched) -> Iterator[Graph]:
    if not watched.polls:
        return
    own = OwnMetrics(watched.deployment)
    lag = own.each(POLL_LAG, "source", "feed", statistic="Maximum")
    yield Graph("Feeds: lag, s", [lag])
    yield Graph("Feeds: events", [own.each(POLL_EVENTS, "source", "feed")])
    yield Graph("Feeds: failed polls", [own.each(POLL_ERRORS, "source", "feed")])
