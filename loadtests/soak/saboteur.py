"""Kills and stops handler processes in the midst of their calls, and keeps a log of all calls."""

from __future__ import annotations

import base64
import json
import os
import random
import signal
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from local.invocation import Invocation

#: What a record holds that kills the fan-out's process, or stops it so that the call times out.
POISON, HANG = b"soak:poison", b"soak:hang"
FAN_OUT = "stream_processors.fan_out.handler"
#: A call takes some hundredths of a second when nothing is wrong; a kill has to fall into it.
_USUAL_DELAY = 0.03


class Saboteur:
    """Strikes at handler processes; a `CallWatcher` of the local runtime.

    Parameters
    ----------
    log : Path
        The log of the fan-out's calls and of the kills, as JSON lines; each runtime begins its part
        with its process id. A call without an end was cut off with the whole runtime.
    seed : int
        Decides when a process is killed.
    calm : Path
        A file: once it is there, no process is killed any more. Poison goes on to kill: it is the
        record's nature.
    """

    def __init__(self, log: Path, *, calm: Path, seed: int) -> None:
        self._log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._dice = random.Random(f"kills-{seed}")  # noqa: S311 - to be repeated
        self._calm = calm
        self._lock = threading.Lock()
        self._next_kill = time.time() + self._dice.uniform(1, 3)
        self._running: dict[int, tuple[int, str]] = {}  # by thread: a call's process and its number
        self._calls = 0
        self._write(runtime=os.getpid())

    def before(self, function: str, event: Any, pid: int) -> None:
        """Log a call, and strike where its time or its records say so."""
        fan_out = function == FAN_OUT
        with self._lock:
            self._calls += 1
            call = f"{os.getpid()}-{self._calls}"
            self._running[threading.get_ident()] = (pid, call)
            delay = self._due()
        if fan_out:
            self._write(call=call, records=[record["eventID"] for record in event["Records"]])
            self._strike_at_markers(pid, event)
        if delay is not None:
            timer = threading.Timer(delay, self._kill, (function, pid, call))
            timer.daemon = True
            timer.start()

    def after(self, function: str, event: Any, outcome: Invocation) -> None:
        """Log how a call ended."""
        del event
        with self._lock:
            _, call = self._running.pop(threading.get_ident(), (0, ""))
        if function == FAN_OUT and call:
            answer = outcome.payload if isinstance(outcome.payload, dict) else {}
            reported = bool(answer.get("batchItemFailures"))
            self._write(end=call, error=answer.get("errorType"), reported=reported)

    def _due(self) -> float | None:
        now = time.time()
        if now < self._next_kill or self._calm.exists():
            return None
        self._next_kill = now + self._dice.uniform(1.5, 5)
        return self._dice.expovariate(1 / _USUAL_DELAY)

    def _kill(self, function: str, pid: int, call: str) -> None:
        with self._lock:  # afterwards the number could mean another process
            if (pid, call) not in self._running.values():
                return
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._write(fault="handler_killed", function=function)

    def _strike_at_markers(self, pid: int, event: Any) -> None:
        data = b"".join(base64.b64decode(each["kinesis"]["data"]) for each in event["Records"])
        for marker, number, fault in (
            (POISON, signal.SIGKILL, "poison_killed"),
            (HANG, signal.SIGSTOP, "call_hung"),
        ):
            if marker in data:
                os.kill(pid, number)
                self._write(fault=fault)
                return

    def _write(self, **line: Any) -> None:
        os.write(self._log, json.dumps(line).encode() + b"\n")
