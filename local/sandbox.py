"""One process that runs a Lambda handler: started, called, killed."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import sysconfig
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from local.leaving import Lifeline

if TYPE_CHECKING:
    from collections.abc import Mapping

WORKER = Path(__file__).with_name("worker.py")
# On a laptop many processes start at once; AWS allows an initialization ten seconds.
_START_SECONDS = 60.0
#: How often its memory is looked at. The kernel keeps the peak, so none is missed, only late.
_LOOK_SECONDS = 0.1
_PEAK = re.compile(r"^VmHWM:\s+(\d+) kB$", re.MULTILINE)


class SandboxExitedError(Exception):
    """The process ended before it answered; the message says how, as Lambda words it."""


class SandboxMemoryError(SandboxExitedError):
    """The process used more memory than its function has, and was killed."""


class SandboxTimeoutError(Exception):
    """The process did not answer in time, and was killed."""


class SandboxStartError(Exception):
    """The handler could not be loaded; holds the description of the error."""

    def __init__(self, payload: Any) -> None:
        super().__init__(payload["errorMessage"])
        self.payload = payload


class Sandbox:
    """A process that waits for invocations, one at a time.

    Parameters
    ----------
    handler : str
        `package.module.function`.
    log : Path
        The file that its standard output and error are appended to.
    memory_mib : int | None
        What it may use, as it is resident; None for no limit.
    worker : Path
        The script that the process runs.
    """

    def __init__(
        self,
        handler: str,
        code: Path,
        environment: Mapping[str, str],
        log: Path,
        memory_mib: int | None = None,
        *,
        worker: Path = WORKER,
    ) -> None:
        self._memory_kib = None if memory_mib is None else memory_mib * 1024
        self._channel, theirs = socket.socketpair()
        paths = sysconfig.get_paths()
        packages = dict.fromkeys((paths["purelib"], paths["platlib"]))
        arguments = (str(worker), str(theirs.fileno()), handler, str(code), *packages)
        self._lifeline = Lifeline(signal.SIGKILL)
        with theirs, log.open("ab") as output:
            # Isolated and without site: no path file may add this repository to the imports. In
            # a session of its own: the terminal's Ctrl-C is for the parent, which ends it in order.
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", *arguments],
                stdin=self._lifeline.stdin,
                stdout=output,
                stderr=output,
                env=dict(environment),
                cwd=code,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        self.pid = self._process.pid
        self._lifeline.hold(self.pid)
        self._ready = False
        self._killed = False

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process.poll() is None

    def wait_until_ready(self) -> None:
        """Wait until the handler is loaded.

        Raises
        ------
        SandboxStartError
            When it cannot be loaded.
        SandboxExitedError, SandboxTimeoutError
            When the process ended, or took too long.
        """
        if self._ready:
            return
        head, payload = self._receive(time.monotonic() + _START_SECONDS)
        if not head["ready"]:
            self.kill()
            raise SandboxStartError(json.loads(payload))
        self._ready = True

    def invoke(self, head: dict[str, Any], event: bytes, timeout: float) -> tuple[bool, bytes]:
        """Call the handler.

        Returns
        -------
        tuple[bool, bytes]
            Whether it returned, and what; else the description of its error.

        Raises
        ------
        SandboxExitedError, SandboxTimeoutError
            When the process ended, or took too long; it is gone then.
        """
        deadline = time.monotonic() + timeout
        text = json.dumps({**head, "deadline": time.time() + timeout}).encode()
        frames = struct.pack(">I", len(text)) + text + struct.pack(">I", len(event)) + event
        try:
            self._channel.settimeout(timeout)
            self._channel.sendall(frames)
        except OSError as error:
            self._fail(error)
        answer, payload = self._receive(deadline)
        return bool(answer["good"]), payload

    def kill(self) -> None:
        """End the process, and whatever it started, at once."""
        if not self._killed:  # afterwards the number could mean another process
            self._killed = True
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()
        self._channel.close()
        self._lifeline.close()

    def _receive(self, deadline: float) -> tuple[dict[str, Any], bytes]:
        head = json.loads(self._frame(deadline))
        payload = self._frame(deadline)
        self._check_memory()  # of a peak between two looks the kernel knows
        return head, payload

    def _check_memory(self) -> None:
        if self._memory_kib is not None and peak_memory_kib(self.pid) > self._memory_kib:
            self.kill()
            raise SandboxMemoryError("signal: killed")

    def _frame(self, deadline: float) -> bytes:
        return self._bytes(struct.unpack(">I", self._bytes(4, deadline))[0], deadline)

    def _bytes(self, count: int, deadline: float) -> bytes:
        parts = bytearray()
        while len(parts) < count:
            try:
                left = max(deadline - time.monotonic(), 0.001)
                self._channel.settimeout(min(left, _LOOK_SECONDS))
                part = self._channel.recv(min(count - len(parts), 1 << 20))
            except TimeoutError as error:
                self._check_memory()
                if time.monotonic() < deadline:
                    continue
                self._fail(error)
            except OSError as error:
                self._fail(error)
            if not part:
                self._fail(None)
            parts += part
        return bytes(parts)

    def _fail(self, error: OSError | None) -> NoReturn:
        if isinstance(error, TimeoutError):
            self.kill()
            raise SandboxTimeoutError
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(1)  # its end of the channel closes shortly before it is gone
        status = self._process.poll()
        self.kill()
        raise SandboxExitedError(_how_it_ended(status))


def peak_memory_kib(pid: int) -> int:
    """Return the most memory that a process had resident; 0 where the system does not tell.

    proc_pid_status(5): `VmHWM`, which only Linux has.
    """
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    found = _PEAK.search(status)
    return int(found[1]) if found else 0


def _how_it_ended(status: int | None) -> str:
    if status is None:
        return "exit status 1"
    if status < 0:
        name = "killed" if -status == signal.SIGKILL else signal.strsignal(-status) or str(-status)
        return f"signal: {name.lower()}"
    return f"exit status {status}"
