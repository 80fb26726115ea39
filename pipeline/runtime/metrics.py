"""Counters of outcomes, written in CloudWatch's embedded metric format."""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.metrics.provider.cloudwatch_emf.cloudwatch import (
    AmazonCloudWatchEMFProvider,
)

from pipeline.event.outcomes import OutcomeKind, Reason, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pipeline.event.events import Outcome

RECEIVED = "Received"
REJECTED_BY_REASON = "RejectedByReason"
TIME_NOT_UNDERSTOOD = "TimeNotUnderstood"
#: Of events that were delivered, dropped or rejected: what is said beside that.
REMARKS: Mapping[Reason, str] = {
    Reason.ID_REUSED: "IdReused",
    Reason.BODY_REUSED: "BodyReused",
}
DENIED_BY_REASON = "DeniedByReason"
BATCHES = "Batches"
UNSETTLED_BATCHES = "UnsettledBatches"
RECORDS_COMPARED = "RecordsCompared"
UNMATCHED_RECORDS = "UnmatchedRecords"
SHARDS_NOT_COMPARED = "ShardsNotCompared"
UNREADABLE_LINES = "UnreadableLines"
POLL_ERRORS = "PollErrors"
POLL_EVENTS = "PollEvents"
POLL_LAG = "PollLagSeconds"
METRIC_NAMES: Mapping[OutcomeKind, str] = {
    OutcomeKind.DELIVERED: "Delivered",
    OutcomeKind.DUPLICATE: "Duplicate",
    OutcomeKind.REJECTED: "Rejected",
    OutcomeKind.IGNORED: "Ignored",
}
ANSWER_NAMES: Mapping[Verdict, str] = {
    Verdict.ACCEPTED: "Accepted",
    Verdict.HANDSHAKE: "Handshakes",
    Verdict.DENIED: "Denied",
    Verdict.UNAVAILABLE: "Unavailable",
}


def count(outcomes: Iterable[Outcome]) -> dict[str, Counter[str]]:
    """Count settled outcomes by source.

    Returns
    -------
    dict[str, Counter[str]]
        Source to how often each kind, and each `<kind>:<reason>`, occurred.
    """
    counts: dict[str, Counter[str]] = {}
    # Most outcomes of a batch are alike.
    alike = Counter(
        [
            (one.event.source_name, one.kind, one.reason, one.event.time_not_understood)
            for one in outcomes
        ]
    )
    for (source, kind, reason, time_not_understood), number in alike.items():
        counter = counts.setdefault(source, Counter())
        counter[kind] += number
        if time_not_understood:
            counter[TIME_NOT_UNDERSTOOD] += number
        if reason is not None:
            counter[f"{kind}:{reason}"] += number
    return counts


def emit(counts: Mapping[str, Counter[str]], received: Mapping[str, int]) -> None:
    """Write the counters of a batch to standard output, where CloudWatch finds them.

    Parameters
    ----------
    counts : Mapping[str, Counter[str]]
        From `count`.
    received : Mapping[str, int]
        Source to how many events came in, counted before any step.
    """
    for source, counter in counts.items():
        values = {name: counter[kind] for kind, name in METRIC_NAMES.items()}
        for reason, name in REMARKS.items():
            if number := sum(counter[f"{kind}:{reason}"] for kind in OutcomeKind):
                values[name] = number
        if number := counter[TIME_NOT_UNDERSTOOD]:
            values[TIME_NOT_UNDERSTOOD] = number
        _write({"source": source}, {RECEIVED: received.get(source, 0), **values})
        for reason in Reason:
            if number := counter[f"{OutcomeKind.REJECTED}:{reason}"]:
                _write({"source": source, "reason": reason}, {REJECTED_BY_REASON: number})


def emit_batch(consumer: str, *, settled: bool) -> None:
    """Write that a consumer of the stream had a batch, and whether all of it was settled.

    Lambda's own counters call a batch of which a part is delivered again a success.

    Parameters
    ----------
    consumer : str
        `fan-out` or `archiver`.
    settled : bool
        Whether nothing of it is delivered again.
    """
    _write({"consumer": consumer}, {BATCHES: 1, UNSETTLED_BATCHES: int(not settled)})


def emit_answer(source: str, verdict: Verdict, reason: str = "") -> None:
    """Write what became of one request at the receiver."""
    _write({"source": source}, {ANSWER_NAMES[verdict]: 1})
    if verdict is Verdict.DENIED:
        _write({"source": source, "reason": reason}, {DENIED_BY_REASON: 1})


def emit_poll(source: str, feed: str, counts: Mapping[str, int], lag_seconds: float | None) -> None:
    """Write the counters of a poll, and how far its feed is behind where that is known."""
    dimensions = {"source": source, "feed": feed}
    _write(dimensions, counts)
    if lag_seconds is not None:
        _write(dimensions, {POLL_LAG: lag_seconds}, MetricUnit.Seconds)


def emit_reconciliation(
    compared: int, unmatched: Mapping[str, int], *, shards_not_compared: int, unreadable: int
) -> None:
    """Write what the comparison of the stream's consumers found, zeros included.

    Parameters
    ----------
    compared : int
        User records that a consumer or both account for.
    unmatched : Mapping[str, int]
        Consumer, as in `emit_batch`, to how many of these it does not account for.
    unreadable : int
        Objects of the archive, and lines in them.
    """
    _write(
        {},
        {
            RECORDS_COMPARED: compared,
            SHARDS_NOT_COMPARED: shards_not_compared,
            UNREADABLE_LINES: unreadable,
        },
    )
    for consumer, number in unmatched.items():
        _write({"consumer": consumer}, {UNMATCHED_RECORDS: number})


def _write(
    dimensions: Mapping[str, str],
    values: Mapping[str, float],
    unit: MetricUnit = MetricUnit.Count,
) -> None:
    # Namespace and service come from the environment variables that powertools defines. Stages
    # of one account share both, so the stage is a dimension, too.
    provider = AmazonCloudWatchEMFProvider(metric_set={}, dimension_set={}, metadata_set={})
    provider.add_dimension("stage", os.environ["STAGE"])
    for name, value in dimensions.items():
        provider.add_dimension(name, value)
    for name, number in values.items():
        provider.add_metric(name, unit, number)
    provider.flush_metrics()
