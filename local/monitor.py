"""Looks after the parts of a running pipeline, and writes how far they are."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any, Self

from local.files import write_atomically
from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from local.changes import Changes

# The parts are looked after at least this often: none says that its process has ended.
_CHECK_SECONDS = 1.0
# And the file is written no more often than this.
_WRITE_SECONDS = 0.25


class Monitor:
    """A thread that checks the parts and writes the status file; a context manager.

    The file is written when what it holds has changed.

    Parameters
    ----------
    file : Path
        The status file; removed at the end.
    check : Callable[[], None]
        Raises PipelineError when a part has failed.
    changes : Changes
        Notified when that may have changed.
    """

    def __init__(
        self,
        file: Path,
        check: Callable[[], None],
        status: Callable[[], dict[str, Any]],
        changes: Changes,
    ) -> None:
        self._changes = changes
        self._file = file
        self._check = check
        self._status = status
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="monitor", daemon=True)
        self._failure: PipelineError | None = None

    def raise_failure(self) -> None:
        """Raise what the last check found, if it found anything."""
        if self._failure:
            raise self._failure

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._changes.notify()
        self._thread.join()
        self._file.unlink(missing_ok=True)

    def _run(self) -> None:
        written: dict[str, Any] | None = None
        while not self._failure:
            seen = self._changes.count
            try:
                self._check()
            except PipelineError as error:
                self._failure = error
            status = self._status()
            if status != written:
                write_atomically(self._file, json.dumps(status, indent=2) + "\n")
                written = status
            if self._stop.wait(_WRITE_SECONDS):
                return
            self._changes.wait(seen, _CHECK_SECONDS)
