"""The replay that this console runs: in a thread, one at a time."""

from __future__ import annotations

import threading
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from typing import TYPE_CHECKING

from pipeline.errors import PipelineError
from toolbox.replaying.plan import sending

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.replay.engine import Replayer
    from pipeline.replay.job import Job
    from toolbox.replaying.plan import ReplayPlan

#: What is on its way to the stream is sent when the console ends, and the place is written down.
_END_SECONDS = 30
BEGIN_SECONDS = 50


class ReplayRunsError(PipelineError):
    """A replay of this console goes on."""


class ConsoleReplay:
    """One replay, as its thread tells of it.

    Parameters
    ----------
    sent, read_bytes : int
        How far it is, beyond the job's last checkpoint.
    """

    def __init__(self) -> None:
        #: The job, once its first state is in the archive.
        self.begun: Future[Job] = Future()
        self.sent = self.read_bytes = 0
        self.failure = ""
        self.ended = threading.Event()
        self._stop = threading.Event()

    @property
    def job(self) -> Job | None:
        """The job; None where it has not begun, or could not."""
        known = self.begun.done() and self.begun.exception() is None
        return self.begun.result() if known else None

    def stop(self) -> None:
        """Ask it to stop; what is on its way is finished first."""
        self._stop.set()

    def stop_wanted(self) -> bool:
        """Tell whether somebody asked it to stop."""
        return self._stop.is_set()

    def show(self, replayer: Replayer) -> None:
        """Take how far it is."""
        self.sent, self.read_bytes = replayer.counts["sent"], replayer.read_bytes


class ConsoleReplays:
    """Begins replays, and knows the one that runs."""

    #: How often a page that is open looks, after a replay's end, for what became of what it sent.
    settling_looks = 60

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last: ConsoleReplay | None = None

    @property
    def running(self) -> ConsoleReplay | None:
        """The one that runs."""
        return self._last if self._last is not None and not self._last.ended.is_set() else None

    def of(self, job_id: str) -> ConsoleReplay | None:
        """Return the last one, where it is this job."""
        last = self._last
        return last if last and last.job and last.job.id == job_id else None

    def begin(self, work: Callable[[ConsoleReplay], None]) -> Job:
        """Begin one in a thread; return its job once its first state is written.

        Raises
        ------
        PipelineError
            When another one runs, or this one cannot begin.
        """
        with self._lock:
            if self.running is not None:
                raise ReplayRunsError("a replay runs in this console; stop it, or wait for its end")
            self._last = made = ConsoleReplay()
        threading.Thread(target=_run, args=(work, made), name="replay", daemon=True).start()
        try:
            return made.begun.result(BEGIN_SECONDS)
        except TimeoutError:
            raise ReplayRunsError(
                f"the replay has not begun within {BEGIN_SECONDS} s, and is not given up; look "
                "for it under Replay"
            ) from None

    def close(self) -> None:
        """Stop the one that runs, and wait until its place is written down."""
        last = self.running
        if last is not None:
            last.stop()
            last.ended.wait(_END_SECONDS)


def _run(work: Callable[[ConsoleReplay], None], replay: ConsoleReplay) -> None:
    try:
        work(replay)
    except Exception as error:  # noqa: BLE001 - the thread's end is told on the page
        replay.failure = str(error) if isinstance(error, PipelineError) else repr(error)[:500]
        # One that had begun says in the archive, too, what it was.
        with suppress(InvalidStateError):
            replay.begun.set_exception(error)
    finally:
        replay.ended.set()


def run_plan(plan: ReplayPlan, replay: ConsoleReplay) -> None:
    """Replay what a plan's filter asks for; its job's first state is written."""
    replay.begun.set_result(plan.job)
    history = plan.needed_history()
    with sending(plan, history, replay.stop_wanted, show=replay.show) as replayer:
        if replayer.run(plan.refs()):
            replayer.finish()
