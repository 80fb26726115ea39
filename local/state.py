"""The state directory of a local pipeline: who uses it, and whether it can be gone on with."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import shutil
import time
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Self

from local.state_permissions import close_what_is_in, make_for_owner, owner_alone
from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from collections.abc import Iterator

# How long an emulator may take to write its state after its supervisor was killed.
_LEAVE_SECONDS = 30.0


LOCK_NAME, STATUS_NAME = "lock", "status.json"
#: The emulator writes it last, so that a state without it is known to be incomplete.
COMPLETE = "complete"


class StateInUseError(PipelineError):
    """Another local pipeline runs with this state directory."""


class StateDirectory:
    """Holds a state directory for one runtime. What is made meanwhile is its owner's alone.

    The emulator inherits the lock, so that the next runtime waits until it has written its state.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.logs = path / "logs"
        self.checkpoints = path / "checkpoints"
        self.status = path / STATUS_NAME
        self._lock = -1
        self._held = ExitStack()

    @property
    def lock(self) -> int:
        """The descriptor of the lock."""
        return self._lock

    def __enter__(self) -> Self:
        """Take the directory.

        Raises
        ------
        StateInUseError
            When another runtime has it.
        StateUnusableError
            When it, or a part of it, belongs to another user.
        """
        make_for_owner(self.path)
        with ExitStack() as entered:
            entered.enter_context(owner_alone())
            self._lock = os.open(
                self.path / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600
            )
            entered.callback(os.close, self._lock)
            self._wait_for_lock()
            close_what_is_in(self.path)
            self.logs.mkdir(exist_ok=True)
            os.truncate(self._lock, 0)
            self._held = entered.pop_all()
        os.pwrite(self._lock, str(os.getpid()).encode(), 0)
        return self

    def __exit__(self, *_: object) -> None:
        os.truncate(self._lock, 0)
        self._held.close()

    @contextmanager
    def log_file(self) -> Iterator[None]:
        """Write what the runtime logs to a file, as long as this context lasts."""
        handler = logging.FileHandler(self.logs / "runtime.log")
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
        logger = logging.getLogger("local")
        logger.addHandler(handler)
        try:
            yield
        finally:
            logger.removeHandler(handler)
            handler.close()

    def start_anew(self, emulator: Path) -> None:
        """Remove what an earlier runtime left, its logs excepted."""
        for directory in (self.checkpoints, emulator):
            shutil.rmtree(directory, ignore_errors=True)

    def _wait_for_lock(self) -> None:
        deadline = time.monotonic() + _LEAVE_SECONDS
        while True:
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                owner = int(os.pread(self._lock, 32, 0) or b"0")
                if _runs(owner) or time.monotonic() > deadline:
                    raise StateInUseError(
                        f"{self.path}: a local pipeline (process {owner}) uses it; "
                        "stop that, or name another directory with --state"
                    ) from None
                time.sleep(0.05)
            else:
                return


def in_use(path: Path) -> bool:
    """Tell whether a runtime has a state directory.

    The lock alone does not tell: the emulator of a killed runtime holds it until its state is
    written. Nor does the process id alone: it could be another process by now.
    """
    with (path / LOCK_NAME).open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return _runs(int(file.read(32) or b"0"))
    return False


def _runs(pid: int) -> bool:
    if not pid:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    # A killed process that its parent has not waited for yet is still listed.
    listed = Path(f"/proc/{pid}/stat")
    return not listed.exists() or listed.read_text().rpartition(")")[2].split()[0] != "Z"


def is_settled(state: Path, since: float) -> bool:
    """Tell whether what was on the streams then is fetched, settled and archived.

    Parameters
    ----------
    since : float
        In seconds since the epoch.
    """
    with suppress(FileNotFoundError):
        status = json.loads((state / STATUS_NAME).read_text())
        return bool(status["idle"] and status["as_of"] > since)
    return False
