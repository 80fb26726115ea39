"""The runtime's own processes: each ends by itself when its parent is gone."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

HOST = "127.0.0.1"
#: For a process that talks with this machine alone. aiohttp reads all certificates that the machine
#: trusts when it is imported, which is an eighth of such a process's start.
NO_CERTIFICATES = {"SSL_CERT_FILE": os.devnull, "SSL_CERT_DIR": os.devnull}
_STOP_SECONDS = 30.0
_ASK_SECONDS = 0.5


class PortInUseError(PipelineError):
    """Something else listens on the port."""


class ProcessFailedError(PipelineError):
    """A process of the runtime did not start, or ended too soon."""


def listen(port: int | None) -> socket.socket:
    """Listen on a port of the loopback interface; a free one where none is named.

    Raises
    ------
    PortInUseError
        When the port is taken.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port or 0))
    except OSError as error:
        listener.close()
        raise PortInUseError(
            f"port {port} cannot be used ({error.strerror}); name another with --port"
        ) from None
    listener.listen(1024)
    return listener


class Child:
    """A process whose standard input stays open as long as its parent lives.

    It reads that end and leaves when it is closed, so that killing the parent ends it too.
    """

    def __init__(
        self,
        name: str,
        module: str,
        *,
        arguments: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        log: Path,
        inherited: Sequence[int] = (),
    ) -> None:
        self.name = name
        self.log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            # In a session of its own, so that Ctrl-C reaches the parent alone.
            self._process = subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                env={**os.environ, **(environment or {})},
                pass_fds=list(inherited),
                start_new_session=True,
            )
        self.pid = self._process.pid

    def tell(self, line: str) -> None:
        """Write a line to its standard input; one that has ended is found by `check`."""
        if self._process.stdin:
            with suppress(OSError):
                self._process.stdin.write(line.encode() + b"\n")
                self._process.stdin.flush()

    def check(self) -> None:
        """Make sure that the process runs.

        Raises
        ------
        ProcessFailedError
            When it has ended.
        """
        status = self._process.poll()
        if status is not None:
            raise ProcessFailedError(f"{self.name} ended with status {status}; see {self.log}")

    def wait_for(self, ready: Callable[[], bool], *, seconds: float) -> None:
        """Wait until the process answers.

        Raises
        ------
        ProcessFailedError
            When it ends, or does not answer in time.
        """
        deadline = time.monotonic() + seconds
        while not ready():
            self.check()
            if time.monotonic() > deadline:
                raise ProcessFailedError(
                    f"{self.name} does not answer after {seconds:.0f} seconds; see {self.log}"
                )
            time.sleep(0.02)

    def stop(self, goes_on: Callable[[], bool] | None = None) -> None:
        """Have the process leave by itself; kill it when it does not within 30 seconds.

        Parameters
        ----------
        goes_on : Callable[[], bool] | None
            For a process that has work to finish first, however long that takes: asked every half
            second whether it still gets on, and the process is killed once it does not.
        """
        if self._process.stdin:
            with suppress(OSError):
                self._process.stdin.close()
        while True:
            try:
                self._process.wait(_ASK_SECONDS if goes_on else _STOP_SECONDS)
            except subprocess.TimeoutExpired:
                if goes_on and goes_on():
                    continue
                with suppress(ProcessLookupError):
                    os.killpg(self.pid, signal.SIGKILL)
                self._process.wait()
            return
