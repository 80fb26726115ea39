"""What goes through a local pipeline while it goes: a line for each event, and for each failure.

The functions' own words are read: what they log of a batch is in the log before they answer.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import orjson

from pipeline.event.envelope import EnvelopeError, decode_envelope
from pipeline.event.event_id import request_id, request_of
from pipeline.stream.records import read_records

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

FAN_OUT = "stream_processors.fan_out.handler"
_LOGS = "FanOut*.log"
#: Requests whose outcome is not known yet; a batch that is tried again names them again.
_MOST_KNOWN = 20_000
_OF_EVENTS = (b'"message":"events"', b'"message":"rejected"', b'"message":"batch"')
_LONGEST_WHY = 300
_BAD, _ODD = "red", "yellow"


class AnsweredCall(Protocol):
    """How a call of a function ended: what Lambda answers with."""

    @property
    def payload(self) -> Any:
        """What the handler returned, or the error object."""
        ...

    @property
    def function_error(self) -> str | None:
        """None where the handler returned."""
        ...


class _Request(NamedTuple):
    source: str
    delivery_id: str


class LiveEvents:
    """Sees the calls of a local pipeline's functions. Threads share it.

    Parameters
    ----------
    logs : Path
        The folder of the functions' logs.
    write : Callable[[str, str], None]
        Prints a line in a style.
    """

    def __init__(self, logs: Path, write: Callable[[str, str], None]) -> None:
        self._logs = logs
        self._write = write
        self._lock = threading.Lock()
        self._known: OrderedDict[str, _Request] = OrderedDict()
        # What was logged before is of a former run.
        self._offsets = {path: path.stat().st_size for path in logs.glob(_LOGS)}

    def before(self, function: str, event: Any, pid: int) -> None:  # noqa: ARG002
        """Take note of the requests of a batch."""
        if function != FAN_OUT:
            return
        named = dict(_requests(event))
        with self._lock:
            self._known |= named
            while len(self._known) > _MOST_KNOWN:
                self._known.popitem(last=False)

    def after(self, function: str, event: Any, outcome: AnsweredCall) -> None:
        """Print what became of a batch, and what a call that failed said."""
        with self._lock:
            why = self._tell_events() if function == FAN_OUT else {}
            if outcome.function_error is not None:
                self._write(f"failed      {function}: {_said(outcome)}{_of_batch(event)}", _BAD)
            elif failures := _failures(outcome.payload):
                shard = _shard(event)
                reason = why.get(shard) or "see its log"
                self._write(
                    f"not settled {function}: {shard} again from {failures[0]}: {reason}", _ODD
                )

    def _tell_events(self) -> dict[str, str]:
        """Print the events of the log's new lines, and return why batches failed, by shard."""
        reasons: dict[str, str] = {}
        why: dict[str, str] = {}
        settled: list[tuple[str, str]] = []
        for line in self._new_lines():
            try:
                read = orjson.loads(line)
                if read["message"] == "events":
                    settled += [(str(one), str(read["outcome"])) for one in read["ids"]]
                elif read["message"] == "rejected":
                    reasons[str(read["id"])] = str(read["reason"])
                else:
                    why[str(read["shard"])] = "; ".join(map(str, read["unsettled"]))[:_LONGEST_WHY]
            except (orjson.JSONDecodeError, KeyError, TypeError):
                continue
        for event_id, outcome in settled:
            request = self._known.get(request_of(event_id), _Request("", ""))
            text = " ".join(
                filter(None, (request.source, event_id, request.delivery_id, reasons.get(event_id)))
            )
            self._write(f"{outcome:<11} {text}", _ODD if outcome == "rejected" else "")
        return why

    def _new_lines(self) -> Iterator[bytes]:
        for path in self._logs.glob(_LOGS):
            with path.open("rb") as file:
                file.seek(self._offsets.get(path, 0))
                for line in file:
                    if not line.endswith(b"\n"):
                        break
                    self._offsets[path] = self._offsets.get(path, 0) + len(line)
                    if any(mark in line for mark in _OF_EVENTS):
                        yield line


def _requests(event: Any) -> Iterator[tuple[str, _Request]]:
    for record in read_records(event["Records"]):
        try:
            envelope = decode_envelope(record.data)
        except EnvelopeError:
            continue
        name = request_id(envelope.id, envelope.replay)
        yield name, _Request(envelope.source, envelope.key)


def _failures(payload: Any) -> list[str]:
    items = payload.get("batchItemFailures") if isinstance(payload, dict) else None
    return [str(one.get("itemIdentifier")) for one in items or () if isinstance(one, dict)]


def _said(outcome: AnsweredCall) -> str:
    payload = outcome.payload if isinstance(outcome.payload, dict) else {}
    kind, text = (str(payload.get(name) or "") for name in ("errorType", "errorMessage"))
    return ": ".join(filter(None, (kind, text)))[:_LONGEST_WHY]


def _shard(event: Any) -> str:
    records = event.get("Records") if isinstance(event, dict) else None
    return str(records[0].get("eventID", "")).partition(":")[0] if records else ""


def _of_batch(event: Any) -> str:
    shard = _shard(event)
    return f" ({len(event['Records'])} records of {shard}, tried again)" if shard else ""
