"""Latencies: percentiles, and the join of what was accepted with what was received."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from loadtests.load.journal import Accepted
    from loadtests.load.messages import Message


def percentile(ordered: Sequence[float], share: float) -> float:
    """Return the value that this share of all values does not exceed (the nearest rank).

    Parameters
    ----------
    ordered : Sequence[float]
        The values in order, one at least.
    share : float
        Above 0, up to 1.
    """
    return ordered[max(0, math.ceil(len(ordered) * share) - 1)]


def spread(seconds: Iterable[float], name: str = "") -> dict[str, float]:
    """Return p50, p95 and p99 in milliseconds; nothing where there is no value."""
    ordered = sorted(seconds)
    if not ordered:
        return {}
    return {
        f"{name}p{round(share * 100)}_ms": round(percentile(ordered, share) * 1000, 1)
        for share in (0.50, 0.95, 0.99)
    }


def delivery_seconds(
    accepted: Iterable[Accepted], messages: Iterable[Message], outcomes: Mapping[str, str]
) -> list[float]:
    """Return for each delivered event how long it took from the answer to the queue.

    The token in the message says which event it is. Of a copy and what it copies, the one that was
    delivered counts. A message is left out whose token is not known: another one's event, or one
    whose answer was lost.

    Parameters
    ----------
    outcomes : Mapping[str, str]
        Id to outcome.
    """
    answered = {
        one.token: one.answered
        for one in accepted
        if one.token and outcomes.get(one.id) == "delivered"
    }
    first: dict[str, float] = {}
    for message in messages:
        for token in message.tokens:
            if token in answered:
                first[token] = min(message.sent, first.get(token, message.sent))
    return [sent - answered[token] for token, sent in first.items()]
