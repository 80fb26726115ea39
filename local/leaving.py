"""How processes end: in order when they are asked to, and never later than their parent."""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from local.worker import signal_when_closed

if TYPE_CHECKING:
    from typing import NoReturn

# The emulator takes up to 25 seconds for its state, and is waited for.
_LEAVE_SECONDS = 45.0
_REQUESTS = (signal.SIGTERM, signal.SIGHUP)


class Lifeline:
    """Has the kernel end a process that this one starts, once this one is gone.

    For processes that cannot be asked to leave: they run code that is not of this project, or are
    stopped. `stdin` is what to start the process with.
    """

    def __init__(self, number: int) -> None:
        self._number = number
        reading, writing = os.pipe()
        self.stdin = os.fdopen(reading, "rb")
        self._held = os.fdopen(writing, "wb")

    def hold(self, leader: int) -> None:
        """Take care of a process that was started in a session of its own."""
        with self.stdin, suppress(OSError):  # it has ended already
            signal_when_closed(self.stdin.fileno(), leader, self._number)

    def close(self) -> None:
        """Let the signal go to those that are left."""
        self.stdin.close()
        self._held.close()


def leave_with_parent() -> None:
    """Have this process end once its parent has closed, or lost, its end of standard input.

    To be called first of all: what takes its time to start is then ended in the midst of that. The
    process is sent SIGTERM. If it is still there after 45 seconds, its whole group is killed.
    """
    threading.Thread(target=_watch, name="parent", daemon=True).start()


def stopped_with_parent() -> threading.Event:
    """Return what is set once the parent has closed, or lost, its end of standard input.

    What was sent before is to be read with `sys.stdin.buffer`, and before this is called.
    """
    stop = threading.Event()

    def watch() -> None:
        _until_closed()
        stop.set()

    threading.Thread(target=watch, daemon=True).start()
    return stop


def _until_closed() -> None:
    while os.read(0, 4096):
        pass


def _watch() -> None:
    _until_closed()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_LEAVE_SECONDS)
    leads = os.getpgrp() == os.getpid()
    (os.killpg if leads else os.kill)(os.getpid(), signal.SIGKILL)


def end_in_order() -> None:
    """Have SIGTERM and SIGHUP end this program as Ctrl-C does: every `with` is left.

    The exit status is a shell's, 128 and the signal's number. A second signal ends it at once.
    A program that was started to ignore one of them, with nohup for example, goes on to do so.
    """
    for number in _REQUESTS:
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _leave)


def _leave(number: int, _: object) -> NoReturn:
    for each in _REQUESTS:
        if signal.getsignal(each) is _leave:
            signal.signal(each, signal.SIG_DFL)
    raise SystemExit(128 + number)
