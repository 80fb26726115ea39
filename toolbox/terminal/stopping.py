"""Ctrl-C as a request to stop: what is in flight is finished first."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

#: What a shell gives for a command that Ctrl-C ended.
STOPPED = 130


class StopRequest:
    """Whether someone asked to stop. A plain flag: a lock in a signal handler can block forever."""

    def __init__(self) -> None:
        self.wanted = False

    def __call__(self) -> bool:
        """Tell whether someone asked to stop."""
        return self.wanted


@contextmanager
def stopping() -> Iterator[StopRequest]:
    """Take Ctrl-C and SIGTERM as a request to stop; the second one ends at once."""
    request = StopRequest()

    def on_signal(*_: Any) -> None:
        if request.wanted:
            raise KeyboardInterrupt
        request.wanted = True

    before = {
        number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
