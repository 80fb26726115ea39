"""How a stack on AWS is: from CloudWatch and SQS."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from pipeline.event.events import UNKNOWN_SOURCE
from pipeline.event.outcomes import QUARANTINED
from pipeline.runtime.metrics import (
    POLL_LAG,
    RECORDS_COMPARED,
    REJECTED_BY_REASON,
    SHARDS_NOT_COMPARED,
    UNMATCHED_RECORDS,
    UNREADABLE_LINES,
    UNSETTLED_BATCHES,
)
from settings.stack_outputs import StackOutput
from toolbox.watching.cloudwatch import CloudWatch, Points, Series
from toolbox.watching.feeds import feed_states, read_rows
from toolbox.watching.queues import queue_name, read_queue
from toolbox.watching.status import (
    COUNTERS,
    HELD_UP_TRIES,
    HISTORY,
    REDRIVE,
    AccountState,
    ConsumerState,
    FeedState,
    HeldShard,
    QueueState,
    Refusals,
    SourceState,
    Status,
    WatchError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from toolbox.seams import ServiceClients

"""The source of events of which the envelope could not be read."""

CONSUMERS = {
    "fan-out": StackOutput.FAN_OUT_FUNCTION_NAME,
    "archiver": StackOutput.ARCHIVER_FUNCTION_NAME,
}
DAY, HOUR, FIVE_MINUTES, MINUTE = 86_400, 3_600, 300, 60
#: AWS Systems Manager API reference, ParameterStringFilter: values of one filter.
_NAMES_IN_A_FILTER = 50
_MOST_BATCHES = 1_000
_SOME_MINUTES = 15
"""For what is looked at now: CloudWatch is some minutes behind."""


@dataclass(frozen=True)
class _Names:
    """How the functions of a stack name their metrics."""

    namespace: str
    common: Mapping[str, str]


class StackWatcher:
    """Looks at a stack, as often as it is asked to."""

    def __init__(self, client: ServiceClients, stack: str) -> None:
        self._client = client
        self._stack = stack
        self._cloudwatch = CloudWatch(client("cloudwatch"))
        self._sqs = client("sqs")

    def look(self, now: float, minutes: int) -> Status:
        """Say how it is.

        Parameters
        ----------
        now : float
            The time, in epoch seconds.
        minutes : int
            Over how many minutes rates are averages.

        Raises
        ------
        WatchError
            When the stack, CloudWatch or SQS cannot be asked.
        """
        queues = self._queues()
        ages = self._ages([queue_name(url) for url in queues.values()], now)
        tickets = self._outputs[StackOutput.DEAD_LETTER_QUEUE_URL]
        return Status(
            deployment=f"stack {self._stack}",
            as_of=now,
            minutes=minutes,
            sources=self._sources(now, minutes),
            consumers=self._consumers(now),
            tickets=self._queue("tickets", tickets, ages),
            queues=tuple(
                self._queue(name, url, ages)
                for name, url in sorted(queues.items())
                if url != tickets
            ),
            feeds=self._feeds(now),
            accounts=self._accounts(now),
            alarms=self._cloudwatch.alarms(f"{self._stack}-"),
            missing_secrets=self._missing_secrets(),
            refusals=self._refusals(now, minutes),
        )

    def history(self, now: float, minutes: int) -> dict[str, list[float]]:
        """Return what the fan-out counted in each of the last minutes, the last one at the end.

        Raises
        ------
        WatchError
            When CloudWatch cannot be asked.
        """
        names = [*self._described, UNKNOWN_SOURCE]
        series = {self._own(counter, source=one): counter for one in names for counter in HISTORY}
        first = int(now // MINUTE) - minutes + 1
        found = {counter: [0.0] * minutes for counter in HISTORY}
        points = self._cloudwatch.read(list(series), start=first * MINUTE, end=now, period=MINUTE)
        for one, values in points.items():
            for when, value in values:
                minute = int(when // MINUTE) - first
                if 0 <= minute < minutes:
                    found[series[one]][minute] += value
        return found

    @cached_property
    def _outputs(self) -> dict[str, str]:
        try:
            answer = self._client("cloudformation").describe_stacks(StackName=self._stack)
        except (BotoCoreError, ClientError) as error:
            raise WatchError(f"{self._stack}: cannot be described: {error}") from None
        (found,) = answer["Stacks"]
        outputs = {each["OutputKey"]: each["OutputValue"] for each in found.get("Outputs", [])}
        needed = {StackOutput.DEAD_LETTER_QUEUE_URL, StackOutput.SOURCES, *CONSUMERS.values()}
        if missing := sorted(needed - set(outputs)):
            raise WatchError(
                f"{self._stack}: has no output {missing[0]}; deploy this version of it"
            )
        return outputs

    @cached_property
    def _names(self) -> _Names:
        """Read from the function that writes the metrics what it writes them under."""
        name = self._outputs[CONSUMERS["fan-out"]]
        try:
            found = self._client("lambda").get_function_configuration(FunctionName=name)
            variables = found["Environment"]["Variables"]
            common = {
                "service": variables["POWERTOOLS_SERVICE_NAME"],
                "stage": variables["STAGE"],
            }
            return _Names(variables["POWERTOOLS_METRICS_NAMESPACE"], common)
        except (BotoCoreError, ClientError) as error:
            raise WatchError(f"{name}: cannot be described: {error}") from None
        except KeyError as error:
            raise WatchError(
                f"{name}: has no variable {error}; deploy this version of it"
            ) from None

    @cached_property
    def _described(self) -> dict[str, Any]:
        return dict(json.loads(self._outputs[StackOutput.SOURCES]))

    def _sources(self, now: float, minutes: int) -> tuple[SourceState, ...]:
        names = [*sorted(self._described), UNKNOWN_SOURCE]
        series = {
            (source, counter): self._own(counter, source=source)
            for source in names
            for counter in COUNTERS
        }
        recent = self._cloudwatch.read(
            list(series.values()), start=now - minutes * MINUTE, end=now, period=MINUTE
        )
        received = [series[source, "Received"] for source in names]
        of_the_day = self._cloudwatch.read(received, start=now - DAY, end=now, period=FIVE_MINUTES)
        states = []
        for source in names:
            sums = {
                counter: sum(value for _, value in recent[series[source, counter]])
                for counter in COUNTERS
            }
            one = series[source, "Received"]
            last = _last_nonzero(recent[one]) or _last_nonzero(of_the_day[one])
            if source == UNKNOWN_SOURCE and last is None:
                continue
            rates = {counter: value / minutes for counter, value in sums.items()}
            states.append(SourceState(source, rates, last))
        return tuple(states)

    def _consumers(self, now: float) -> tuple[ConsumerState, ...]:
        series = {
            name: Series.of(
                "AWS/Lambda", "IteratorAge", {"FunctionName": self._outputs[output]}, "Maximum"
            )
            for name, output in CONSUMERS.items()
        }
        unsettled = {name: self._own(UNSETTLED_BATCHES, consumer=name) for name in CONSUMERS}
        found = self._now([*series.values(), *unsettled.values()], now)
        states = []
        for name, one in series.items():
            age = None if found[one] is None else (found[one] or 0.0) / 1000
            late = age is not None and age >= MINUTE and bool(found[unsettled[name]])
            held = self._held(name, age or 0.0, now) if late else ()
            states.append(ConsumerState(name, age, held))
        return tuple(states)

    def _held(self, consumer: str, age: float, now: float) -> tuple[HeldShard, ...]:
        """Read in a consumer's log which shards it tries again and again, and why."""
        function = self._outputs[CONSUMERS[consumer]]
        request = {
            "logGroupName": f"/aws/lambda/{function}",
            "filterPattern": '{ $.message = "batch" && $.checkpoint = "*" }',
            "startTime": int((now - FIVE_MINUTES) * 1000),
            "endTime": int(now * 1000),
            "PaginationConfig": {"MaxItems": _MOST_BATCHES},
        }
        tries: dict[str, list[str]] = {}
        try:
            pages = self._client("logs").get_paginator("filter_log_events").paginate(**request)
            for line in (one["message"] for page in pages for one in page["events"]):
                read = json.loads(line)
                why = "; ".join(map(str, read.get("unsettled", ())))
                tries.setdefault(str(read["shard"]), []).append(why)
        except (BotoCoreError, ClientError) as error:
            return (
                HeldShard(
                    consumer, "a shard", HELD_UP_TRIES, age, f"its log cannot be read: {error}"
                ),
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            return (
                HeldShard(consumer, "a shard", HELD_UP_TRIES, age, f"its log is broken: {error!r}"),
            )
        return tuple(
            HeldShard(consumer, shard, len(found), age, found[-1])
            for shard, found in sorted(tries.items())
        )

    def _missing_secrets(self) -> tuple[str, ...]:
        names = {
            name: source
            for source, one in self._described.items()
            for name in (one.get("parameter"), *one.get("further_parameters", ()))
            if name
        }
        there: set[str] = set()
        wanted = sorted(names)
        try:
            for first in range(0, len(wanted), _NAMES_IN_A_FILTER):
                some = wanted[first : first + _NAMES_IN_A_FILTER]
                filters = [{"Key": "Name", "Option": "Equals", "Values": some}]
                pages = self._client("ssm").get_paginator("describe_parameters")
                for page in pages.paginate(ParameterFilters=filters):  # type: ignore[arg-type]
                    there.update(str(one["Name"]) for one in page["Parameters"])
        except (BotoCoreError, ClientError) as error:
            raise WatchError(f"{self._stack}: its secrets cannot be listed: {error}") from None
        return tuple(
            f"{names[name]}/{name.rpartition('/')[2]}" for name in wanted if name not in there
        )

    def _refusals(self, now: float, minutes: int) -> Refusals:
        series = {
            (source, reason): self._own(REJECTED_BY_REASON, source=source, reason=reason)
            for source in self._described
            for reason in QUARANTINED
        }
        found = self._cloudwatch.read(
            list(series.values()), start=now - minutes * MINUTE, end=now, period=MINUTE
        )
        sums = {which: sum(value for _, value in found[one]) for which, one in series.items()}
        return Refusals(
            {(source, str(reason)): round(n) for (source, reason), n in sums.items() if n}
        )

    def _queues(self) -> dict[str, str]:
        urls = {"tickets": self._outputs[StackOutput.DEAD_LETTER_QUEUE_URL]}
        for source in self._described.values():
            for name, url in source["queues"].items():
                urls |= {name: url, f"{name}{REDRIVE}": f"{url}{REDRIVE}"}
        return urls

    def _queue(self, name: str, url: str, ages: Mapping[str, float | None]) -> QueueState:
        return read_queue(self._sqs, url, name, ages)

    def _ages(self, names: Sequence[str], now: float) -> dict[str, float | None]:
        series = {
            name: Series.of(
                "AWS/SQS", "ApproximateAgeOfOldestMessage", {"QueueName": name}, "Maximum"
            )
            for name in names
        }
        found = self._now(list(series.values()), now)
        return {name: found[one] for name, one in series.items()}

    def _feeds(self, now: float) -> tuple[FeedState, ...]:
        table = self._outputs.get(StackOutput.CHECKPOINT_TABLE_NAME)
        rows = read_rows(self._client("dynamodb"), table) if table else {}
        polled = {
            name: source.get("feeds", ())
            for name, source in self._described.items()
            if source["ingest"] == "poll"
        }
        return feed_states(self._measured_feeds(now), rows, polled, now)

    def _measured_feeds(self, now: float) -> tuple[FeedState, ...]:
        names = self._names
        found = self._cloudwatch.dimensions(names.namespace, POLL_LAG, names.common)
        series = {
            (each["source"], each["feed"]): Series.of(names.namespace, POLL_LAG, each, "Maximum")
            for each in found
            if {"source", "feed"} <= each.keys()
        }
        if not series:
            return ()
        points = self._cloudwatch.read(
            list(series.values()), start=now - DAY, end=now, period=FIVE_MINUTES
        )
        states = []
        for (source, feed), one in sorted(series.items()):
            when, lag = points[one][0] if points[one] else (None, None)
            states.append(FeedState(source, feed, lag, when))
        return tuple(states)

    def _accounts(self, now: float) -> AccountState | None:
        records = self._own(RECORDS_COMPARED)
        lacking = {name: self._own(UNMATCHED_RECORDS, consumer=name) for name in CONSUMERS}
        left_out = [self._own(name) for name in (SHARDS_NOT_COMPARED, UNREADABLE_LINES)]
        points = self._cloudwatch.read(
            [records, *lacking.values(), *left_out], start=now - DAY, end=now, period=HOUR
        )
        if not points[records]:
            return None
        sums = {series: round(sum(value for _, value in each)) for series, each in points.items()}
        return AccountState(
            compared=points[records][0][0],
            records=sums[records],
            unmatched={name: sums[series] for name, series in lacking.items()},
            left_out=sum(sums[series] for series in left_out),
        )

    def _own(self, name: str, **dimensions: str) -> Series:
        return Series.of(self._names.namespace, name, {**dimensions, **self._names.common})

    def _now(self, series: Sequence[Series], now: float) -> dict[Series, float | None]:
        found = self._cloudwatch.read(
            series, start=now - _SOME_MINUTES * MINUTE, end=now, period=MINUTE
        )
        return {one: points[0][1] if points else None for one, points in found.items()}


def _last_nonzero(points: Points) -> float | None:
    return next((when for when, value in points if value), None)
