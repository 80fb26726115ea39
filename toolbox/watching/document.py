"""A status as JSON: what `mozdef-ef status --json` prints, and the console's page for programs."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from toolbox.watching.status import AccountState, Risk, Status

#: Stands where there is no figure.
NOTHING = "-"


def status_document(status: Status, risks: Sequence[Risk]) -> dict[str, Any]:
    """Return a status for programs."""
    return {
        "deployment": status.deployment,
        "as_of": iso_seconds(status.as_of),
        "minutes": status.minutes,
        "at_risk": [str(one) for one in risks],
        "risks": [asdict(one) for one in risks],
        "sources": {
            each.name: {
                **{f"{name.lower()}_per_minute": rate for name, rate in each.per_minute.items()},
                "last_event": iso_seconds(each.last_event),
            }
            for each in status.sources
        },
        "iterator_age_seconds": {each.name: each.age_seconds for each in status.consumers},
        "held_up": [asdict(one) for each in status.consumers for one in each.held],
        "missing_secrets": list(status.missing_secrets),
        "quarantined": [
            {"source": source, "reason": reason, "events": number}
            for (source, reason), number in sorted(status.refusals.quarantined.items())
        ],
        "tickets": _queue(status.tickets),
        "queues": {each.name: _queue(each) for each in status.queues},
        "feeds": [
            {
                "source": each.source,
                "feed": each.feed,
                "lag_seconds": each.lag_seconds,
                "polled": iso_seconds(each.polled),
                "why": each.why,
            }
            for each in status.feeds
        ],
        "accounts": _account(status.accounts),
    }


def _account(accounts: AccountState | None) -> dict[str, Any] | None:
    if accounts is None:
        return None
    return {
        "compared": iso_seconds(accounts.compared),
        "records": accounts.records,
        "unmatched": dict(accounts.unmatched),
        "left_out": accounts.left_out,
    }


def _queue(queue: Any) -> dict[str, Any]:
    return {
        "waiting": queue.waiting,
        "taken": queue.taken,
        "oldest_seconds": queue.oldest_seconds,
    }


def iso_seconds(seconds: float | None) -> str | None:
    """Return a time in epoch seconds as ISO 8601; None for none."""
    return None if seconds is None else f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"


def span_text(seconds: float | None) -> str:
    """Return a span of time as text, in the largest unit that it fills."""
    if seconds is None:
        return NOTHING
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:,.1f} {unit}"
    return f"{seconds:,.1f} s"
