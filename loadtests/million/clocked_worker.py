"""Runs a handler's process with a clock that steps, as time servers and paused machines make it.

Copied beside a file `clock`, which holds by how many seconds the time is wrong, and run in the
place of the local runtime's worker. The monotonic clock goes on as it is: it does so on AWS, too.
"""

from __future__ import annotations

import datetime as dt
import os
import runpy
import time
from pathlib import Path
from typing import Any

_HERE = Path(__file__).parent
_LOOK_SECONDS = 0.05
_true_time = time.time


class _Clock:
    def __init__(self) -> None:
        self._looked = -_LOOK_SECONDS
        self._wrong = 0.0

    def time(self) -> float:
        """Return the time as it is wrong now."""
        now = time.monotonic()
        if now - self._looked >= _LOOK_SECONDS:
            self._looked = now
            wrong = float((_HERE / "clock").read_text() or 0)
            if wrong != self._wrong:
                self._wrong = wrong
                with (_HERE / "clock.seen").open("a") as seen:
                    seen.write(f"{os.getpid()} {wrong}\n")
        return _true_time() + self._wrong


_clock = _Clock()


class _SteppedDatetime(dt.datetime):
    @classmethod
    def now(cls, tz: dt.tzinfo | None = None) -> Any:
        return cls.fromtimestamp(_clock.time(), tz)


time.time = _clock.time
time.time_ns = lambda: int(_clock.time() * 1e9)
dt.datetime = _SteppedDatetime  # type: ignore[misc]

if __name__ == "__main__":
    runpy.run_path((_HERE / "worker").read_text(), run_name="__main__")
