"""Reads counters in the embedded metric format from log files while they grow."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from typing import TYPE_CHECKING, Any

import orjson

from pipeline.event.outcomes import QUARANTINED
from pipeline.runtime.metrics import (
    POLL_LAG,
    RECORDS_COMPARED,
    REJECTED_BY_REASON,
    SHARDS_NOT_COMPARED,
    UNMATCHED_RECORDS,
    UNREADABLE_LINES,
)
from toolbox.watching.status import (
    COUNTERS,
    HISTORY,
    AccountState,
    FeedState,
    Refusals,
    SourceState,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEPT_SECONDS = 3_600
DAY = 86_400
CONSUMERS = ("fan-out", "archiver")
_MARK, _BATCH = b'"_aws"', b'"message":"batch"'


class CounterLogs:
    """The counters in the log files of a folder. Each line is read once.

    Parameters
    ----------
    folder : Path
        One file for each function, `<name>.log`.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._offsets: dict[Path, int] = {}
        self._recent: dict[str, deque[tuple[float, Counter[str]]]] = defaultdict(deque)
        self._last: dict[str, float] = {}
        self._feeds: dict[tuple[str, str], tuple[float, float]] = {}
        self._accounts: deque[tuple[float, Counter[str]]] = deque()
        self._rejected: deque[tuple[float, str, str, int]] = deque()
        self._unsettled: dict[tuple[str, str], str] = {}

    def read(self) -> None:
        """Read what was written since the last call."""
        for path in sorted(self._folder.glob("*.log")):
            for line in self._new_lines(path):
                if _MARK in line:
                    self._take(line)
                else:
                    self._take_batch(path.name, line)

    def sources(self, now: float, minutes: int) -> tuple[SourceState, ...]:
        """Return every source that had an event.

        Parameters
        ----------
        now : float
            The time, in epoch seconds.
        minutes : int
            Over how many minutes to average.
        """
        return tuple(self._source(name, now, minutes) for name in sorted(self._last))

    def history(self, now: float, minutes: int) -> dict[str, list[float]]:
        """Return what was counted in each of the last minutes, the last one at the end."""
        first = int(now // 60) - minutes + 1
        found = {counter: [0.0] * minutes for counter in HISTORY}
        for recent in self._recent.values():
            for when, counts in recent:
                minute = int(when // 60) - first
                if 0 <= minute < minutes:
                    for counter in HISTORY:
                        found[counter][minute] += counts[counter]
        return found

    def feeds(self) -> tuple[FeedState, ...]:
        """Return every feed that was polled."""
        return tuple(
            FeedState(source, feed, lag, when)
            for (source, feed), (when, lag) in sorted(self._feeds.items())
        )

    def accounts(self, now: float) -> AccountState | None:
        """Return what the comparisons of the last day found; None where there was none."""
        while self._accounts and self._accounts[0][0] < now - DAY:
            self._accounts.popleft()
        if not self._accounts:
            return None
        total = sum((counts for _, counts in self._accounts), Counter[str]())
        return AccountState(
            compared=self._accounts[-1][0],
            records=total[RECORDS_COMPARED],
            unmatched={name: total[name] for name in CONSUMERS},
            left_out=total[SHARDS_NOT_COMPARED] + total[UNREADABLE_LINES],
        )

    def refusals(self, now: float, minutes: int) -> Refusals:
        """Return what was rejected of late, and why."""
        while self._rejected and self._rejected[0][0] < now - DAY:
            self._rejected.popleft()
        apart: Counter[tuple[str, str]] = Counter()
        last = None
        for when, source, reason, number in self._rejected:
            if reason not in QUARANTINED:
                last = source, reason
            elif when >= now - minutes * 60:
                apart[source, reason] += number
        return Refusals(apart, last)

    def why_unsettled(self, function: str, shard: str) -> str:
        """Return what the last batch of a shard was not settled for, by a function's log.

        Parameters
        ----------
        function : str
            What the name of its log begins with.
        """
        found = (
            why
            for (log, of), why in self._unsettled.items()
            if of == shard and log.startswith(function)
        )
        return next(found, "")

    def _source(self, name: str, now: float, minutes: int) -> SourceState:
        recent = self._recent[name]
        while recent and recent[0][0] < now - KEPT_SECONDS:
            recent.popleft()
        since = now - minutes * 60
        total = sum((counts for when, counts in recent if when >= since), Counter[str]())
        rates = {counter: total[counter] / minutes for counter in COUNTERS}
        return SourceState(name, rates, self._last[name])

    def _new_lines(self, path: Path) -> Iterator[bytes]:
        try:
            with path.open("rb") as file:
                start = self._offsets.get(path, 0)
                if file.seek(0, 2) < start:
                    start = 0  # another file by now
                file.seek(start)
                for line in file:
                    if not line.endswith(b"\n"):
                        break
                    start += len(line)
                    if _MARK in line or _BATCH in line:
                        yield line
                self._offsets[path] = start
        except FileNotFoundError:
            self._offsets.pop(path, None)

    def _take(self, line: bytes) -> None:
        try:
            document = orjson.loads(line)
            when = float(document["_aws"]["Timestamp"]) / 1000
            if self._take_account(when, document) or self._take_reason(when, document):
                return
            source = document["source"]
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
            return
        if not isinstance(source, str):
            return
        if isinstance(document.get("feed"), str) and POLL_LAG in document:
            self._feeds[source, document["feed"]] = (when, _value(document, POLL_LAG))
        elif "Received" in document:
            counts = Counter({name: int(_value(document, name)) for name in COUNTERS})
            self._recent[source].append((when, counts))
            if counts["Received"]:
                self._last[source] = max(when, self._last.get(source, 0.0))

    def _take_batch(self, log: str, line: bytes) -> None:
        try:
            document = orjson.loads(line)
            place = log, str(document["shard"])
            why = "; ".join(map(str, document["unsettled"]))
        except (orjson.JSONDecodeError, KeyError, TypeError):
            return
        # The logger leaves out what is None: then all of it was settled.
        if document.get("checkpoint") is None:
            self._unsettled.pop(place, None)
        else:
            self._unsettled[place] = why

    def _take_reason(self, when: float, document: dict[str, Any]) -> bool:
        if REJECTED_BY_REASON not in document:
            return False
        number = int(_value(document, REJECTED_BY_REASON))
        self._rejected.append((when, str(document["source"]), str(document["reason"]), number))
        return True

    def _take_account(self, when: float, document: dict[str, Any]) -> bool:
        if RECORDS_COMPARED in document:
            names = (RECORDS_COMPARED, SHARDS_NOT_COMPARED, UNREADABLE_LINES)
            counts = Counter({name: int(_value(document, name)) for name in names})
        elif UNMATCHED_RECORDS in document:
            counts = Counter({document["consumer"]: int(_value(document, UNMATCHED_RECORDS))})
        else:
            return False
        self._accounts.append((when, counts))
        return True


def _value(document: dict[str, Any], name: str) -> float:
    # Powertools writes a list of values for each metric.
    value = document.get(name, 0)
    values = value if isinstance(value, list) else [value]
    return float(sum(each for each in values if isinstance(each, int | float)))
