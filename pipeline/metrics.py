"""Counters of outcomes, written in CloudWatch's embedded metric format."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.metrics.provider.cloudwatch_emf.cloudwatch import (
    AmazonCloudWatchEMFProvider,
)

from pipeline.events import Kind, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

RECEIVED = "Received"
METRIC_NAMES: Mapping[Kind, str] = {
    Kind.DELIVERED: "Delivered",
    Kind.DUPLICATE: "Duplicate",
    Kind.REJECTED: "Rejected",
    Kind.IGNORED: "Ignored",
}


def count(outcomes: Iterable[Outcome]) -> dict[str, Counter[str]]:
    """Count settled outcomes by source.

    Returns
    -------
    dict[str, Counter[str]]
        Source to how often each kind, and each `rejected:<reason>`, occurred.
    """
    counts: dict[str, Counter[str]] = {}
    for outcome in outcomes:
        counter = counts.setdefault(outcome.event.source_name, Counter())
        counter[outcome.kind] += 1
        if outcome.reason is not None:
            counter[f"rejected:{outcome.reason}"] += 1
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
        _write({"source": source}, {RECEIVED: received.get(source, 0), **values})
        for label, number in counter.items():
            _, separator, reason = label.partition("rejected:")
            if separator:
                _write({"source": source, "reason": reason}, {"RejectedByReason": number})


def _write(dimensions: Mapping[str, str], values: Mapping[str, int]) -> None:
    # Namespace and service come from the environment variables that powertools defines.
    provider = AmazonCloudWatchEMFProvider(metric_set={}, dimension_set={}, metadata_set={})
    for name, value in dimensions.items():
        provider.add_dimension(name, value)
    for name, number in values.items():
        provider.add_metric(name, MetricUnit.Count, number)
    provider.flush_metrics()
