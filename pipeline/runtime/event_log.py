"""Log lines that let an event be followed by its id, and a batch by its place on the stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.event.outcomes import OutcomeKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from aws_lambda_powertools import Logger

    from pipeline.event.events import Outcome

MOST_REJECTED = 20
"""Lines for single rejected events in one batch: anyone can send what is rejected."""

IDS_IN_A_LINE = 1_000
"""At 60 bytes each well below the 256 KB of a log event."""

_LONGEST_ID = 200


def place(records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Say where on the stream a batch lies.

    Parameters
    ----------
    records : Sequence[Mapping[str, Any]]
        The records as the event source mapping gives them, in the order of the shard.
    """
    if not records:
        return {"shard": "", "records": 0, "first": "", "last": ""}
    return {
        "shard": records[0].get("eventID", "").partition(":")[0],
        "records": len(records),
        "first": records[0]["kinesis"]["sequenceNumber"],
        "last": records[-1]["kinesis"]["sequenceNumber"],
    }


def log_events(logger: Logger, outcomes: Sequence[Outcome]) -> None:
    """Log the ids of events by what became of them, and some rejected ones each by itself.

    Neither a body nor the explanation of a rejection, which can quote one, is in a line.
    """
    for kind in (
        OutcomeKind.DELIVERED,
        OutcomeKind.DUPLICATE,
        OutcomeKind.IGNORED,
        OutcomeKind.REJECTED,
    ):
        ids = [_id(outcome) for outcome in outcomes if outcome.kind is kind]
        for some in _parts(ids):
            logger.info("events", extra={"outcome": kind, "ids": some})
    rejected = [outcome for outcome in outcomes if outcome.kind is OutcomeKind.REJECTED]
    for outcome in rejected[:MOST_REJECTED]:
        logger.warning(
            "rejected",
            extra={
                "id": _id(outcome),
                "source": outcome.event.source_name,
                "reason": outcome.reason,
                "shard": outcome.event.shard_id,
                "sequence_number": outcome.event.sequence_number,
            },
        )


def _id(outcome: Outcome) -> str:
    return outcome.event.id[:_LONGEST_ID]


def _parts(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(ids), IDS_IN_A_LINE):
        yield ids[start : start + IDS_IN_A_LINE]
