"""Which alarms a stack has. Why each threshold is what it is: `docs/operating.md`."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

from infra.watching.alarm import METRICS_IN_AN_ALARM, Alarm
from infra.watching.source_alarms import poll_alarms, source_alarms
from infra.watching.watched import CONSUMERS
from infra.watching.watched_metrics import (
    DENIED,
    FIVE_MINUTES,
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
from pipeline.runtime.metrics import SHARDS_NOT_COMPARED, UNMATCHED_RECORDS, UNREADABLE_LINES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from infra.watching.watched import Watched
    from infra.watching.watched_metrics import Metric

AT_THE_DOOR = ("authorizer", "receiver")
"""Functions that a sender waits for: their error is the sender's 5xx at once."""

CALLED_EACH_HOUR = "reconciler"
"""Nothing makes up for a call of it that failed: the next one has another hour."""

FEWEST_SERVER_ERRORS = 3
"""Below it, a percentage of few requests says nothing."""

_MINUTES_BEHIND = 3


def alarms_of(watched: Watched) -> Iterator[Alarm]:
    """Return every alarm of a stack."""
    yield from _front_door(watched)
    yield from _stream(watched)
    yield from _accounts(watched)
    yield from _functions(watched)
    yield from _queues(watched)
    yield _tables(watched)
    yield from source_alarms(watched)
    yield from poll_alarms(watched)


def _front_door(watched: Watched) -> Iterator[Alarm]:
    deployment, settings = watched.deployment, watched.deployment.alarms
    api = ApiMetrics(deployment, watched.http_api)
    yield Alarm(
        "server-errors",
        "Senders are answered 5xx, and some never send again.",
        {
            "errors": api.whole("5XXError"),
            "requests": api.whole("Count", "SampleCount"),
        },
        settings.server_error_percent,
        f"IF(errors >= {FEWEST_SERVER_ERRORS}, 100 * errors / requests, 0)",
        risks_events=True,
    )
    yield Alarm(
        "throttled-requests",
        "The API answers 429, and some senders never send again.",
        {"throttled": log_metric(THROTTLED, deployment)},
        settings.throttled_requests,
        risks_events=True,
    )
    yield Alarm(
        "denied-requests",
        "Many requests are answered 401 or 403: a sender has a wrong secret, or someone tries.",
        {"denied": log_metric(DENIED, deployment)},
        settings.denied_per_minute * FIVE_MINUTES // MINUTE,
        periods=3,
    )


def _stream(watched: Watched) -> Iterator[Alarm]:
    settings = watched.deployment.alarms
    yield Alarm(
        "stream-throttled",
        "The stream refuses records: each was a 503 to a sender, or is tried again by a poller.",
        {"refused": stream_metric("WriteProvisionedThroughputExceeded", watched.stream)},
        1,
        risks_events=True,
    )
    minutes = {"fan-out": settings.fan_out_age_minutes, "archiver": settings.archiver_age_minutes}
    for consumer in CONSUMERS:
        function = watched.function(consumer)
        yield Alarm(
            f"{consumer}-age",
            f"The {consumer} is behind: it is throttled, failing, or too slow for the load.",
            {"age": function_metric("IteratorAge", function, "Maximum")},
            minutes[consumer] * 60_000,
            period=MINUTE,
            periods=_MINUTES_BEHIND,
            risks_events=True,
        )
        yield Alarm(
            f"{consumer}-stalled",
            f"Records come in and the {consumer} is not called: see its event source mapping.",
            {
                "records": stream_metric("IncomingRecords", watched.stream),
                "calls": function_metric("Invocations", function),
            },
            1,
            "IF(FILL(records, 0) > 0, IF(FILL(calls, 0) < 1, 1, 0), 0)",
            periods=3,
            risks_events=True,
        )


def _accounts(watched: Watched) -> Iterator[Alarm]:
    own = OwnMetrics(watched.deployment)
    lacking = {
        name.replace("-", "_"): own.one(UNMATCHED_RECORDS, consumer=name) for name in CONSUMERS
    }
    yield Alarm(
        "accounts-do-not-match",
        "Fan-out and archiver account for different records of the stream: one of them lost some, "
        "or is more than an hour behind. The reconciler's log names them.",
        lacking,
        1,
        " + ".join(f"FILL({name}, 0)" for name in lacking),
        period=HOUR,
        risks_events=True,
    )
    yield Alarm(
        "accounts-not-compared",
        "The reconciler did not run, had no time for a shard, or could not read a line: whether "
        "the accounts match is not known for the hour that its log names.",
        {"shards": own.one(SHARDS_NOT_COMPARED), "lines": own.one(UNREADABLE_LINES)},
        1,
        "shards + lines",
        period=HOUR,
        silence_is_bad=True,
    )


def _functions(watched: Watched) -> Iterator[Alarm]:
    for name, function in sorted(watched.functions.items()):
        at_the_door = name in AT_THE_DOOR
        yield Alarm(
            f"{name}-errors",
            f"The function {name} fails: its log says why.",
            {"errors": function_metric("Errors", function.function_name)},
            1,
            periods=1 if at_the_door or name == CALLED_EACH_HOUR else 3,
            risks_events=at_the_door,
        )
    throttles = [
        function_metric("Throttles", function.function_name)
        for _, function in sorted(watched.functions.items())
    ]
    yield _sum_of("functions-throttled", "Lambda refuses to run a function.", throttles, periods=3)


def _queues(watched: Watched) -> Iterator[Alarm]:
    settings = watched.deployment.alarms
    yield Alarm(
        "tickets",
        "Events were rejected or a batch has failed: 'mozdef-ef dead-letters list --stack "
        f"{watched.deployment.stack_name}'.",
        {
            "waiting": queue_metric("ApproximateNumberOfMessagesVisible", watched.tickets),
            "taken": queue_metric("ApproximateNumberOfMessagesNotVisible", watched.tickets),
        },
        settings.tickets,
        "FILL(waiting, 0) + FILL(taken, 0)",
    )
    yield Alarm(
        "ticket-age",
        "A ticket is not worked on, and SQS forgets it after 14 days.",
        {"age": queue_metric("ApproximateAgeOfOldestMessage", watched.tickets)},
        settings.ticket_age_hours * 3_600,
        risks_events=True,
    )
    for name, queue in sorted(watched.queues.items()):
        yield Alarm(
            f"queue-{name}-age",
            f"MozDef does not read the queue {name}; SQS keeps a message for 7 days.",
            {"age": queue_metric("ApproximateAgeOfOldestMessage", queue)},
            settings.delivery_age_minutes * 60,
            risks_events=True,
        )
    redriven = [
        queue_metric("ApproximateNumberOfMessagesVisible", queue)
        for _, queue in sorted(watched.redrive_queues.items())
    ]
    numbers = count(1)
    for start in range(0, len(redriven), METRICS_IN_AN_ALARM):
        number = next(numbers)
        yield _sum_of(
            "redrive" if number == 1 else f"redrive-{number}",
            "MozDef took messages ten times and never deleted them; they are in a redrive queue.",
            redriven[start : start + METRICS_IN_AN_ALARM],
            risks_events=True,
        )


def _tables(watched: Watched) -> Alarm:
    throttles = [
        table_metric(name, table)
        for _, table in sorted(watched.tables.items())
        for name in ("ReadThrottleEvents", "WriteThrottleEvents")
    ]
    return _sum_of("tables-throttled", "DynamoDB refuses reads or writes.", throttles, periods=3)


def _sum_of(
    name: str,
    meaning: str,
    metrics: Sequence[Metric],
    *,
    periods: int = 1,
    risks_events: bool = False,
) -> Alarm:
    named = {f"m{number}": metric for number, metric in enumerate(metrics, 1)}
    expression = " + ".join(f"FILL({each}, 0)" for each in named)
    return Alarm(name, meaning, named, 1, expression, periods=periods, risks_events=risks_events)
