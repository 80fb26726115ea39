"""Calls functions as the template's schedules say."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from local.changes import Changes
from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from local.invocation import Invocation
    from local.schedule_settings import ScheduleSettings

_STOP_SECONDS = 5.0
_LONGEST_ERROR = 500
_log = logging.getLogger(__name__)


class ScheduleFailedError(PipelineError):
    """A schedule ended with an error of its own."""


class InvokeScheduled(Protocol):
    """Calls a function with an event, and waits for its answer."""

    def __call__(self, event: Any, /) -> Invocation:
        """Call it."""


@dataclass(frozen=True)
class ScheduleStatus:
    """What a schedule did so far.

    Parameters
    ----------
    running : bool
        Whether a run is in progress.
    runs : int
        How many runs are over.
    errors : int
        How many of them ended with an error.
    last_run : float | None
        When the last one ended, in seconds since the epoch.
    last_error : str | None
        What the last run with an error ended with.
    """

    running: bool = False
    runs: int = 0
    errors: int = 0
    last_run: float | None = None
    last_error: str | None = None

    @property
    def idle(self) -> bool:
        """Whether its first run is over and none is in progress."""
        return self.runs > 0 and not self.running


class Schedule:
    """Calls one function once at the start and then at its times, never twice at once.

    A run that takes longer than the rate leaves out the calls that fall into it. A run that ends
    with an error is counted; the next one comes in its time, as on AWS without retries.

    Parameters
    ----------
    changes : Changes
        Notified when its status has changed.
    clock : Callable[[], float]
        Seconds since the epoch.
    """

    def __init__(
        self,
        settings: ScheduleSettings,
        invoke: InvokeScheduled,
        changes: Changes | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.settings = settings
        self._changes = changes or Changes()
        self._invoke = invoke
        self._clock = clock
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._status = ScheduleStatus()
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._run, name=settings.name, daemon=True)

    def start(self) -> None:
        """Begin with the first run, without waiting for it."""
        self._thread.start()

    def signal_stop(self) -> None:
        """Have it stop after a run in progress, without waiting for that."""
        self._stop.set()

    def join(self, seconds: float) -> None:
        """Wait for a run in progress, but not for longer than this."""
        if self._thread.ident is not None:
            self._thread.join(seconds)

    def check(self) -> None:
        """Make sure that it works.

        Raises
        ------
        ScheduleFailedError
            When its thread ended with an error.
        """
        if self._failure:
            raise ScheduleFailedError(f"{self.settings.name}: {self._failure!r}")

    def status(self) -> ScheduleStatus:
        """Return what it did so far."""
        with self._lock:
            return self._status

    def _run(self) -> None:
        try:
            due = time.monotonic()
            while not self._stop.wait(max(due - time.monotonic(), 0.0)):
                self._call()
                due = self._next_due(due)
        except Exception as error:  # noqa: BLE001 - `check` tells whoever looks after the parts
            self._failure = error
            self._changes.notify()

    def _next_due(self, due: float) -> float:
        if self.settings.minute is None:
            return next_due(due, time.monotonic(), self.settings.seconds)
        # By the clock each time: it goes on while the machine sleeps, and the other does not.
        return time.monotonic() + seconds_until(self.settings.minute, self._clock())

    def _call(self) -> None:
        self._change(running=True)
        try:
            trouble = _trouble(self._invoke(self.settings.event))
        except PipelineError as error:
            trouble = str(error)
        if trouble and self._stop.is_set():
            return  # its function was ended under it
        before = self.status()
        changes: dict[str, Any] = {"runs": before.runs + 1, "last_run": self._clock()}
        if trouble:
            _log.warning("%s: %s", self.settings.name, trouble)
            changes |= {"errors": before.errors + 1, "last_error": trouble}
        self._change(running=False, **changes)

    def _change(self, **changes: Any) -> None:
        with self._lock:
            self._status = replace(self._status, **changes)
        self._changes.notify()


class Schedules:
    """The running schedules of a stack."""

    def __init__(self) -> None:
        self._running: list[Schedule] = []

    def start(self, schedule: Schedule) -> None:
        """Start one more."""
        self._running = [*self._running, schedule]
        schedule.start()

    def update(
        self, wanted: Collection[ScheduleSettings], make: Callable[[ScheduleSettings], Schedule]
    ) -> None:
        """Leave what is not wanted, with a run in progress, and start what is new."""
        goes_on = [each for each in self._running if each.settings in wanted]
        for schedule in self._running:
            if schedule not in goes_on:
                schedule.signal_stop()
        self._running = goes_on
        settings = [each.settings for each in goes_on]
        for each in wanted:
            if each not in settings:
                self.start(make(each))

    def stop(self) -> None:
        """Stop all of them, giving a run in progress a moment to end."""
        for schedule in self._running:
            schedule.signal_stop()
        deadline = time.monotonic() + _STOP_SECONDS
        for schedule in self._running:
            schedule.join(max(0.0, deadline - time.monotonic()))
        self._running = []

    def check(self) -> None:
        """Make sure that they work; ScheduleFailedError otherwise."""
        for schedule in self._running:
            schedule.check()

    def statuses(self) -> dict[str, ScheduleStatus]:
        """Return what each did so far, by name."""
        return {each.settings.name: each.status() for each in self._running}


def next_due(due: float, ended: float, rate: float) -> float:
    """Return when the next run is due; those that fell into the last one are left out.

    Parameters
    ----------
    due, ended : float
        When the last run was due, and when it ended; in seconds.
    rate : float
        Seconds between two runs.
    """
    missed = max(ended - due, 0.0) // rate
    return due + (missed + 1) * rate


def seconds_until(minute: int, now: float) -> float:
    """Return the time until a minute of the hour comes next: more than 0, up to an hour.

    Parameters
    ----------
    now : float
        In seconds since the epoch.
    """
    return 3_600.0 - (now - minute * 60) % 3_600


def describe(statuses: dict[str, ScheduleStatus]) -> dict[str, dict[str, Any]]:
    """Return what the status file says of schedules.

    Parameters
    ----------
    statuses : dict[str, ScheduleStatus]
        By name.
    """
    return {name: {"idle": status.idle, **asdict(status)} for name, status in statuses.items()}


def _trouble(outcome: Invocation) -> str | None:
    if outcome.function_error is None:
        return None
    error = outcome.payload if isinstance(outcome.payload, dict) else {}
    text = f"{error.get('errorType', 'error')}: {error.get('errorMessage', '')}"
    return text[:_LONGEST_ERROR]
