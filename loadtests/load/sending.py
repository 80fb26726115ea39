"""Runs locust, and watches while it sends."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from loadtests.load.journal import Counting
from loadtests.load.processes import machine_load, microseconds_for_each, processor_seconds
from local.leaving import Lifeline
from local.processes import HOST
from toolbox.terminal.output import console

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

LOCUSTFILE = Path(__file__).parent.parent / "locustfile.py"
_LOOK_SECONDS = 0.5
_TELL_SECONDS = 5.0
#: Requests in flight end by themselves before that: each has a minute to connect, and another.
_STOP_SECONDS = 150.0
_KILL_SECONDS = _STOP_SECONDS + 30.0


@dataclass(frozen=True)
class LoadPlan:
    """What is sent, and which figures are too high.

    Parameters
    ----------
    rate, seconds, users, processes, shape, mix, duplicates, bad_requests, least_requests
        As locust's options of the same names.
    max_backlog : int
        The most accepted requests that may not be processed yet.
    """

    rate: float
    seconds: float
    users: int
    processes: int
    shape: str
    mix: str
    duplicates: float
    bad_requests: float
    max_error_rate: float
    p95_ms: float
    p99_ms: float
    max_backlog: int
    least_requests: int = 1

    def options(self) -> list[str]:
        """Return the options of the locustfile."""
        values = {
            "--request-rate": self.rate,
            "--seconds": self.seconds,
            "--least-requests": self.least_requests,
            "--users": self.users,
            "--shape": self.shape,
            "--mix": self.mix,
            "--duplicates": self.duplicates,
            "--bad-requests": self.bad_requests,
            "--max-error-rate": self.max_error_rate,
            "--p95-ms": self.p95_ms,
            "--p99-ms": self.p99_ms,
        }
        options = [part for name, value in values.items() for part in (name, str(value))]
        return [*options, "--processes", str(self.processes)] if self.processes else options


@dataclass(frozen=True)
class Folder:
    """Where a run keeps its results."""

    path: Path

    @property
    def journals(self) -> Path:
        """What the senders had accepted."""
        return self.path / "accepted"

    @property
    def figures(self) -> Path:
        """What locust measured."""
        return self.path / "answers.json"

    @property
    def messages(self) -> Path:
        """What the queues had."""
        return self.path / "messages.txt"

    @property
    def log(self) -> Path:
        """What locust said."""
        return self.path / "locust.txt"

    def options(self) -> list[str]:
        """Return the options of the locustfile that name them."""
        return [
            *("--html", str(self.path / "report.html"), "--csv", str(self.path / "report")),
            *("--journal", str(self.journals), "--figures", str(self.figures)),
        ]

    def answers(self) -> dict[str, float]:
        """Read what locust measured so far."""
        with suppress(FileNotFoundError):
            figures: dict[str, float] = json.loads(self.figures.read_text())
            return figures
        return {}


@dataclass
class SendingWatched:
    """What was seen while locust sent.

    Parameters
    ----------
    start : float
        When it began, in epoch seconds.
    backlog_max : int
        The most accepted requests that were not processed yet.
    microseconds : dict[str, float]
        Processor time of an accepted request, by process.
    machine : dict[str, float]
        Cores, and how busy they were with this and with anything else.
    """

    start: float
    status: int = 0
    backlog_max: int = 0
    microseconds: dict[str, float] = field(default_factory=dict)
    machine: dict[str, float] = field(default_factory=dict)


def _meeting_place() -> list[str]:
    """Name a port for the processes of one run: locust's own is one for all runs of a machine.

    The senders of a second run would join the first one.
    """
    with socket.create_server((HOST, 0)) as free:
        port = str(free.getsockname()[1])
    return [
        *("--master-bind-host", HOST, "--master-bind-port", port),
        *("--master-host", HOST, "--master-port", port),
    ]


@contextmanager
def _locust(words: Sequence[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), "--headless"]
    # Requests in flight are answered before the users end: else their fate would be unknown.
    command += ["--only-summary", "--stop-timeout", f"{_STOP_SECONDS:.0f}"]
    command += [*_meeting_place(), *words]
    lifeline = Lifeline(signal.SIGTERM)
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdin=lifeline.stdin,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # the processes that send are ended with it
        )
    lifeline.hold(process.pid)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(_KILL_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        lifeline.close()


def send(
    words: Sequence[str],
    folder: Folder,
    *,
    settled: Callable[[], int] | None,
    check: Callable[[], None],
) -> SendingWatched:
    """Run locust until it ends.

    Parameters
    ----------
    folder : Folder
        Where the results go.
    settled : Callable[[], int] | None
        Gives how many records were processed so far; None where nobody knows.
    check : Callable[[], None]
        Raises PipelineError when a part of the test has failed.
    """
    watched = SendingWatched(time.time())
    accepted, began = Counting(folder.journals), 0.0
    before: dict[str, float] | None = None
    offset = count = told_count = 0
    told = time.monotonic()
    with _locust([*words, *folder.options()], folder.log) as locust:
        while locust.poll() is None:
            time.sleep(_LOOK_SECONDS)
            check()
            # The records first: what is counted after them can only make the backlog larger.
            done = settled() if settled else 0
            count = accepted.count()
            if settled:
                watched.backlog_max = max(watched.backlog_max, count - done)
            now = time.monotonic()
            if before is None:
                if count:
                    before, offset, began = processor_seconds(), count, now
                    told, told_count = now, count
                    machine_load()
                continue
            if now - told >= _TELL_SECONDS:
                after = processor_seconds()
                if "locust" in after:  # a process that has just ended is not seen any more
                    watched.microseconds = microseconds_for_each(before, after, count - offset)
                    watched.machine = machine_load()
                rate = (count - told_count) / (now - told)
                _tell(now - began, count, rate, folder, count - done if settled else None)
                told, told_count = now, count
        watched.status = locust.returncode
    return watched


def _tell(seconds: float, count: int, rate: float, folder: Folder, backlog: int | None) -> None:
    answers = folder.answers()
    line = f"{seconds:5.0f} s  {count:,} accepted, {rate:,.0f} a second"
    if answers:
        line += f", p99 {answers['p99_ms']:,.0f} ms, {answers['errors']:,.0f} errors"
    if backlog is not None:
        line += f", {max(0, backlog):,} not yet processed"
    console.print(line)
