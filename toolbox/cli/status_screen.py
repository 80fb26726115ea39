"""A status as one screen of a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.runtime.metrics import REMARKS, TIME_NOT_UNDERSTOOD
from toolbox.terminal.tables import FittingTable, styled
from toolbox.watching.document import NOTHING, iso_seconds, span_text
from toolbox.watching.feeds import UP_TO_DATE
from toolbox.watching.status import COUNTERS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import RenderableType

    from toolbox.watching.status import Risk, Status

#: What is shown only where there is some.
_RARE = {
    **{name: reason.replace("_", " ") for reason, name in REMARKS.items()},
    TIME_NOT_UNDERSTOOD: "time unclear",
}


def screen(status: Status, risks: Sequence[Risk]) -> list[RenderableType]:
    """Return a status for people, in parts: what needs someone comes first."""
    parts: list[RenderableType] = [
        styled(f"{status.deployment}, {iso_seconds(status.as_of)}", "bold")
    ]
    for risk in risks:
        parts.append(styled(f"at risk: {risk.what}", "red"))
        parts += [styled(f"  why:  {risk.why}")] if risk.why else []
        parts += [styled(f"  next: {risk.next}")] if risk.next else []
    if not risks:
        parts.append(styled("nothing is at risk", "green"))
    parts += [styled(line) for line in (_stream(status), _accounts(status)) if line]
    parts += [*_sources(status), *_queues(status)]
    if status.feeds:
        parts.append(_feeds(status))
        parts += [
            styled(f"{each.source} {each.feed}: {each.why}")
            for each in status.feeds
            if each.why not in {"", UP_TO_DATE} and not each.stands_still
        ]
    return parts


def _stream(status: Status) -> str:
    told = []
    for each in status.consumers:
        text = f"{each.name} {span_text(each.age_seconds)} behind"
        if each.age_seconds is None:
            text = f"{each.name} idle"
        if each.held:
            tries = sum(one.tries for one in each.held)
            oldest = span_text(each.oldest_unsettled)
            text += f" (oldest unsettled {oldest}, {tries} retries)"
        told.append(text)
    return f"stream: {', '.join(told)}" if told else ""


def _sources(status: Status) -> list[RenderableType]:
    busy = [each for each in status.sources if any(each.per_minute.values())]
    quiet = [each for each in status.sources if each not in busy]
    parts: list[RenderableType] = []
    if busy:
        shown = [name for name in COUNTERS if name not in _RARE or _counts(status, name)]
        rows = [
            (
                each.name,
                *(f"{each.per_minute.get(name, 0.0):,.1f}" for name in shown),
                _ago(each.last_event, status.as_of),
            )
            for each in busy
        ]
        columns = ("source", *(_RARE.get(name, name.lower()) for name in shown), "last event")
        parts.append(_table(f"events a minute, over {status.minutes} minutes", columns, rows))
    else:
        parts.append(styled(f"no event within {status.minutes} minutes"))
    known = [
        f"{each.name} {_ago(each.last_event, status.as_of)}" for each in quiet if each.last_event
    ]
    if known:
        parts.append(styled(f"quiet, and their last event: {', '.join(known)}"))
    if never := len(quiet) - len(known):
        parts.append(styled(f"without an event within a day: {never:,} sources"))
    return parts


def _counts(status: Status, name: str) -> bool:
    return any(each.per_minute.get(name) for each in status.sources)


def _queues(status: Status) -> list[RenderableType]:
    every = [one for one in (status.tickets, *status.queues) if one.is_there]
    rows = [
        (each.name, f"{each.waiting:,}", f"{each.taken:,}", span_text(each.oldest_seconds))
        for each in every
        if each.messages
    ]
    empty = len(every) - len(rows)
    if not rows:
        included = ", that of tickets included" if status.tickets.is_there else ""
        return [styled(f"queues: all are empty{included}")]
    title = f"queues; {empty:,} further ones are empty" if empty else "queues"
    return [_table(title, ("queue", "waiting", "taken", "oldest"), rows)]


def _feeds(status: Status) -> FittingTable:
    rows = [
        (
            each.source,
            each.feed or NOTHING,
            span_text(each.lag_seconds),
            _ago(each.polled, status.as_of),
        )
        for each in status.feeds
    ]
    return _table("feeds", ("source", "feed", "lag", "last poll"), rows)


def _accounts(status: Status) -> str:
    accounts = status.accounts
    if accounts is None:
        return ""
    lacking = ", ".join(
        f"the {name} lacks {number:,}" for name, number in accounts.unmatched.items() if number
    )
    left_out = f", {accounts.left_out:,} shards or lines left out" if accounts.left_out else ""
    return (
        f"accounts of a day: {accounts.records:,} records compared, {lacking or 'all match'}"
        f"{left_out}; last {_ago(accounts.compared, status.as_of)}"
    )


def _table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> FittingTable:
    return FittingTable(title, columns, rows, [number > 0 for number in range(len(columns))])


def _ago(seconds: float | None, now: float) -> str:
    return NOTHING if seconds is None else f"{span_text(max(now - seconds, 0.0))} ago"
