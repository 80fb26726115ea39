"""A status as one screen of a terminal, and as JSON."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pipeline.runtime.metrics import REMARKS, TIME_NOT_UNDERSTOOD
from toolbox.terminal.output import screen_of, styled, table
from toolbox.watching.feeds import UP_TO_DATE
from toolbox.watching.status import COUNTERS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import RenderableType
    from rich.table import Table

    from toolbox.watching.status import AccountState, Status

NOTHING = "-"
#: What is shown only where there is some.
_RARE = {
    **{name: reason.replace("_", " ") for reason, name in REMARKS.items()},
    TIME_NOT_UNDERSTOOD: "time unclear",
}


def document(status: Status, risks: Sequence[str]) -> dict[str, Any]:
    """Return a status for programs."""
    return {
        "deployment": status.deployment,
        "as_of": _iso(status.as_of),
        "minutes": status.minutes,
        "at_risk": list(risks),
        "sources": {
            each.name: {
                **{f"{name.lower()}_per_minute": rate for name, rate in each.per_minute.items()},
                "last_event": _iso(each.last_event),
            }
            for each in status.sources
        },
        "iterator_age_seconds": {each.name: each.age_seconds for each in status.consumers},
        "tickets": _queue(status.tickets),
        "queues": {each.name: _queue(each) for each in status.queues},
        "feeds": [
            {
                "source": each.source,
                "feed": each.feed,
                "lag_seconds": each.lag_seconds,
                "polled": _iso(each.polled),
                "why": each.why,
            }
            for each in status.feeds
        ],
        "accounts": _account(status.accounts),
    }


def screen(status: Status, risks: Sequence[str]) -> RenderableType:
    """Return a status for people."""
    parts: list[RenderableType] = [
        styled(f"{status.deployment}, {_iso(status.as_of)}", "bold"),
        _sources(status),
        _consumers(status),
        _queues(status),
    ]
    if status.feeds:
        parts.append(_feeds(status))
        parts += [
            styled(f"{each.source} {each.feed}: {each.why}")
            for each in status.feeds
            if each.why not in {"", UP_TO_DATE}
        ]
    if status.accounts:
        parts.append(_accounts(status.accounts, status.as_of))
    if risks:
        parts += [styled(f"at risk: {risk}", "red") for risk in risks]
    else:
        parts.append(styled("nothing is at risk", "green"))
    return screen_of(parts)


def _sources(status: Status) -> Table:
    shown = [name for name in COUNTERS if name not in _RARE or _counts(status, name)]
    rows = [
        (
            each.name,
            *(f"{each.per_minute[name]:,.1f}" for name in shown),
            _ago(each.last_event, status.as_of),
        )
        for each in status.sources
    ]
    columns = ("source", *(_RARE.get(name, name.lower()) for name in shown), "last event")
    return _table(f"events a minute, over {status.minutes} minutes", columns, rows)


def _counts(status: Status, name: str) -> bool:
    return any(each.per_minute[name] for each in status.sources)


def _consumers(status: Status) -> Table:
    rows = [(each.name, _span(each.age_seconds)) for each in status.consumers]
    return _table("stream", ("consumer", "iterator age"), rows)


def _queues(status: Status) -> Table:
    rows = [
        (each.name, f"{each.waiting:,}", f"{each.taken:,}", _span(each.oldest_seconds))
        for each in (status.tickets, *status.queues)
    ]
    return _table("queues", ("queue", "waiting", "taken", "oldest"), rows)


def _feeds(status: Status) -> Table:
    rows = [
        (
            each.source,
            each.feed or NOTHING,
            _span(each.lag_seconds),
            _ago(each.polled, status.as_of),
        )
        for each in status.feeds
    ]
    return _table("feeds", ("source", "feed", "lag", "last poll"), rows)


def _accounts(accounts: AccountState, now: float) -> Table:
    rows = [
        ("records compared", f"{accounts.records:,}"),
        *((f"the {name} lacks", f"{number:,}") for name, number in accounts.unmatched.items()),
        ("shards or lines left out", f"{accounts.left_out:,}"),
        ("last comparison", _ago(accounts.compared, now)),
    ]
    return _table("accounts of the stream's consumers, over a day", ("what", "number"), rows)


def _table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    return table(title, columns, rows, [number > 0 for number in range(len(columns))])


def _account(accounts: AccountState | None) -> dict[str, Any] | None:
    if accounts is None:
        return None
    return {
        "compared": _iso(accounts.compared),
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


def _iso(seconds: float | None) -> str | None:
    return None if seconds is None else f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _ago(seconds: float | None, now: float) -> str:
    return NOTHING if seconds is None else f"{_span(max(now - seconds, 0.0))} ago"


def _span(seconds: float | None) -> str:
    if seconds is None:
        return NOTHING
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:,.1f} {unit}"
    return f"{seconds:,.1f} s"
