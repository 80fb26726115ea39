"""Ctrl-C as a wish: what is under way is finished first."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

#: What a shell gives for a command that Ctrl-C ended.
STOPPED = 130


class StopWish:
    """Whether someone asked to stop. A plain flag: a lock in a signal handler can block forever."""

    def __init__(self) -> None:
        self.wanted = False

    def __call__(self) -> bool:
        """Tell whether someone asked to stop."""
        return self.wanted


@contextmanager
def stopping() -> Iterator[StopWish]:
    """Take Ctrl-C and SIGTERM as a wish to stop; the second one ends at once."""
    wish = StopWish()

    def on_signal(*_: Any) -> None:
        if wish.wanted:
            raise KeyboardInterrupt
        wish.wanted = True

    before = {
        number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield wish
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
