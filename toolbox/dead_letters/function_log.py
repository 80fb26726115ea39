"""Why a batch was given up: what its function said, in its log, of the last time it was called.

A failure record has the id of that request, and not what went wrong (AWS Lambda Developer Guide,
retaining discarded batch records: `functionError` is all). Functions write their own words.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple, Protocol

import orjson
from botocore.exceptions import BotoCoreError, ClientError

from pipeline.archive.failures import read_invocation
from pipeline.archive.keys import ArchiveKind
from pipeline.archive.line_fields import LineError
from pipeline.archive.objects import ObjectUnreadableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from pipeline.archive.failures import LastInvocation
    from pipeline.archive.objects import Objects
    from toolbox.dead_letters.queue import Ticket
    from toolbox.dead_letters.summary import Summary
    from toolbox.seams import FilteredLogs

#: A function runs for 15 minutes at most (AWS Lambda quotas); a record is written soon after.
_BEFORE_SECONDS, _AFTER_SECONDS = 30 * 60, 15 * 60
_MOST_LINES = 200
_LONGEST = 300
#: What Lambda writes of a call that did not end well, and of one that did.
_PLATFORM = {"platform.runtimeDone", "platform.report"}
_WELL = "success"


class FunctionLog(Protocol):
    """Has the lines that functions write."""

    def lines(self, last: LastInvocation, /) -> Iterator[str]:
        """Return those that name a request."""
        ...


class LocalFunctionLog:
    """The log files of the local pipeline.

    Parameters
    ----------
    logs : Path
        Their folder.
    """

    def __init__(self, logs: Path) -> None:
        self._logs = logs

    def lines(self, last: LastInvocation, /) -> Iterator[str]:
        """Read the function's file."""
        path, wanted = self._logs / f"{last.function}.log", last.request_id.encode()
        if not path.exists():
            return
        with path.open("rb") as file:
            yield from (line.decode(errors="replace") for line in file if wanted in line)


class StackFunctionLog:
    """The functions' log groups of a stack.

    Parameters
    ----------
    logs : Callable[[], FilteredLogs]
        Makes the client, once it is needed.
    lacks : Callable[[str], None]
        Is told what cannot be read.
    """

    def __init__(self, logs: Callable[[], FilteredLogs], lacks: Callable[[str], None]) -> None:
        self._logs = logs
        self._lacks = lacks

    def lines(self, last: LastInvocation, /) -> Iterator[str]:
        """Ask CloudWatch Logs."""
        request = {
            "logGroupName": f"/aws/lambda/{last.function}",
            "filterPattern": f'"{last.request_id}"',
            "startTime": int((last.at - _BEFORE_SECONDS) * 1000),
            "endTime": int((last.at + _AFTER_SECONDS) * 1000),
            "PaginationConfig": {"MaxItems": _MOST_LINES},
        }
        try:
            for page in self._logs().get_paginator("filter_log_events").paginate(**request):
                yield from (str(one["message"]) for one in page["events"])
        except (BotoCoreError, ClientError) as error:
            self._lacks(f"the log of {last.function} cannot be read: {error}")


#: One search of CloudWatch Logs each; it takes five a second (its quotas, `FilterLogEvents`).
MOST_LOOKED_UP = 25


def with_causes(
    found: Iterable[tuple[Ticket, Summary]], objects: Objects, log: FunctionLog
) -> Iterator[tuple[Ticket, Summary]]:
    """Add to the first batches that were given up what their functions said."""
    looked_up = 0
    for ticket, summary in found:
        if ticket.kind == ArchiveKind.FAILED and not summary.gone and looked_up < MOST_LOOKED_UP:
            looked_up += 1
            summary.cause = cause_of(objects, ticket.key, log)
        yield ticket, summary


class _Said(NamedTuple):
    """What a line says; the best line is the one that says most."""

    worth: int
    text: str


def cause_of(objects: Objects, key: str, log: FunctionLog) -> str:
    """Return what a function said of the batch of a failure record; empty where it said nothing."""
    try:
        last = read_invocation(objects.chunks(key))
    except (LineError, ObjectUnreadableError):
        return ""
    if last is None:
        return ""
    return cause_in(log.lines(last), last.request_id)


def cause_in(lines: Iterable[str], request_id: str) -> str:
    """Return what lines of a function's log say of why a request failed."""
    best = _Said(0, "")
    for number, line in enumerate(lines):
        if number >= _MOST_LINES:
            break
        best = max(best, _read(line, request_id), key=lambda said: said.worth)
    return best.text[:_LONGEST]


def _read(line: str, request_id: str) -> _Said:
    try:
        read = orjson.loads(line)
    except orjson.JSONDecodeError:
        read = None
    if not isinstance(read, dict):
        return _of_text(line, request_id)
    record = read.get("record")
    if read.get("type") in _PLATFORM and isinstance(record, dict):
        return _of_platform(record)
    if kind := read.get("errorType"):
        return _Said(4, ": ".join(filter(None, (str(kind), str(read.get("errorMessage", ""))))))
    if read.get("message") == "batch" and isinstance(unsettled := read.get("unsettled"), list):
        return _Said(3 if unsettled else 0, "; ".join(map(str, unsettled)))
    if "ERROR" in {read.get("level"), read.get("log_level")} or "timed out" in str(read):
        return _Said(2, str(read.get("message", "")))
    return _Said(0, "")


def _of_platform(record: dict[str, object]) -> _Said:
    status = str(record.get("status", _WELL))
    if status == _WELL:
        return _Said(0, "")
    metrics = record.get("metrics")
    metrics = metrics if isinstance(metrics, dict) else {}
    took = metrics.get("durationMs")
    after = f" after {took / 1000:.0f} s" if isinstance(took, int | float) else ""
    kind = f" ({record['errorType']})" if record.get("errorType") else ""
    return _Said(1, f"the call ended with {status}{after}{kind}")


def _of_text(line: str, request_id: str) -> _Said:
    """Read a line of text: `[ERROR] …`, or Lambda's `<time> <id> Task timed out after 60.00 s`."""
    if "[ERROR]" not in line and "Task timed out" not in line:
        return _Said(0, "")
    text = line.partition("[ERROR]")[2] or line.partition(request_id)[2]
    text = re.sub(rf"\s*RequestId: {re.escape(request_id)}( Error:)?", "", text)
    return _Said(2, " ".join(text.split()))
