"""How each polled feed stands, and why, from the rows of the checkpoint table."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from pipeline.polling.standing import read_standing
from toolbox.watching.status import FeedState, WatchError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from mypy_boto3_dynamodb import DynamoDBClient

    FeedKey = tuple[str, str]

UP_TO_DATE = "up to date"
NEVER = (
    "never polled: see that its schedule is enabled and that the poller's function is not at fault"
)
CUT_OFF = "its last poll was cut off, out of time or of memory: see the poller's log"
FAULT = "its last poll ended with a fault of this program: see the poller's log"
_FAILED, _NOT_POLLED = "its last poll failed:", "not polled since"
#: Feeds are polled once a day at least.
_SILENT_MS = 25 * 3_600_000


def read_rows(dynamodb: DynamoDBClient, table: str) -> dict[FeedKey, Mapping[str, Any]]:
    """Read the rows of the checkpoint table, of which there is one for each feed.

    Raises
    ------
    WatchError
        When the table cannot be read.
    """
    try:
        pages = dynamodb.get_paginator("scan").paginate(TableName=table)
        rows = [row for page in pages for row in page["Items"]]
    except (BotoCoreError, ClientError) as error:
        raise WatchError(f"{table}: the checkpoints cannot be read: {error}") from None
    found: dict[FeedKey, Mapping[str, Any]] = {}
    for row in rows:
        source, _, feed = str(row["pk"].get("S", "")).partition("#")
        found[source, feed] = row
    return found


def feed_states(
    measured: Iterable[FeedState],
    rows: Mapping[FeedKey, Mapping[str, Any]],
    polled: Mapping[str, Iterable[str]],
    now: float,
) -> tuple[FeedState, ...]:
    """Say of each feed how far it is behind, when it was polled, and why it stands as it does.

    Parameters
    ----------
    measured : Iterable[FeedState]
        Those that have metrics.
    rows : Mapping[FeedKey, Mapping[str, Any]]
        From `read_rows`.
    polled : Mapping[str, Iterable[str]]
        The sources that are polled, each with the feeds that are known of it.
    now : float
        The time, in epoch seconds.
    """
    lags = {(each.source, each.feed): each for each in measured}
    keys = {*lags, *rows, *_declared(polled, {source for source, _ in (*lags, *rows)})}
    states = []
    for source, feed in sorted(keys):
        known, row = lags.get((source, feed)), rows.get((source, feed))
        when = known.polled if known else None
        if row is not None and _number(row, "updated"):
            when = _number(row, "updated") / 1000
        why = (NEVER if known is None else "") if row is None else _why(row, now * 1000)
        lag = known.lag_seconds if known else None
        states.append(FeedState(source, feed, lag, when, why, stands_still(why)))
    return tuple(states)


def stands_still(why: str) -> bool:
    """Tell whether a feed goes on by itself no more, by what is said of it.

    A pause ends, and one that was never polled is new.
    """
    return why.startswith((CUT_OFF, FAULT, _FAILED, _NOT_POLLED))


def _declared(polled: Mapping[str, Iterable[str]], seen: set[str]) -> Iterator[FeedKey]:
    for source, feeds in polled.items():
        named = [(source, feed) for feed in feeds]
        yield from named or ([] if source in seen else [(source, "")])


def _why(row: Mapping[str, Any], now_ms: float) -> str:
    state = read_standing(str(row.get("state", {}).get("S", "")))
    text = _last_poll(row, now_ms)
    if state.note:
        text += f"; {state.note}"
    return text


def _last_poll(row: Mapping[str, Any], now_ms: float) -> str:
    text = str(row.get("state", {}).get("S", ""))
    state = read_standing(text)
    if "owner" in row:
        return "a poll is under way" if _number(row, "lease_until") > now_ms else CUT_OFF
    pause = _number(row, "not_before")
    if pause > now_ms:
        often = f", {state.refusals} times in a row" if state.refusals else ""
        return f"paused until {_clock(pause)}: the sender asks for it{often}"
    if now_ms - _number(row, "updated") > _SILENT_MS:
        return f"{_NOT_POLLED} {_clock(_number(row, 'updated'))}: is its schedule enabled?"
    if state.outcome == "failed":
        return f"{_FAILED} {state.why}"
    if state.outcome == "out of time":
        return "behind: the time of a poll does not suffice for what is new; the next one goes on"
    if state.outcome in {"drained", "paused"}:
        return UP_TO_DATE if state.outcome == "drained" else "a pause is over; the next poll asks"
    return FAULT if text else ""


def _number(row: Mapping[str, Any], name: str) -> int:
    text = str(row.get(name, {}).get("N", "0"))
    return int(text) if text.isascii() and text.isdigit() and len(text) < 15 else 0


def _clock(milliseconds: float) -> str:
    return f"{datetime.fromtimestamp(milliseconds // 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"
