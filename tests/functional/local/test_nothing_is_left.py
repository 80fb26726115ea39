"""After any end of what starts processes, none of them is left: neither running nor stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING

import psutil  # type: ignore[import-untyped]
import pytest

from local.endpoints import FILE_NAME
from tests.functional.local.small_stack import write_assembly
from tests.functional.local.support import wait_until_gone

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

MOZDEF_EF = str(Path(sys.executable).parent / "mozdef-ef")
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL)
EMULATOR, GATEWAY, HANDLER = "emulator_process", "gateway_process", "worker.py"
MARK = "STARTED_BY_THE_TEST_IN"
LIMIT_SECONDS = 600

UP = [
    *(MOZDEF_EF, "local", "up", "--port", "0", "--no-synth"),
    *("--assembly", "{assembly}", "--state", "{state}"),
]
# None waits with `signal.pause`: a signal that comes just before it is not seen, and it waits on.
# What a soak run has beside: a process in between, and the fault proxy.
ARENA = """
    import time
    from loadtests.soak.arena import PipelineUnderTest
    from loadtests.soak.runtime import RuntimeSettings
    from local.leaving import end_in_order
    end_in_order()
    with PipelineUnderTest(RuntimeSettings("{assembly}", "{state}", 1)):
        while True:
            time.sleep(1)
"""
# What a demo has: no process in between, and no signal handlers but the command line's.
IN_PROCESS = """
    import time
    from pathlib import Path
    from local.leaving import end_in_order
    from local.supervisor import LocalRuntime
    end_in_order()
    with LocalRuntime(Path("{assembly}"), state=Path("{state}"), port=None):
        while True:
            time.sleep(1)
"""
LOCUST = """
    import time
    from pathlib import Path
    from loadtests.load import sending
    from local.leaving import end_in_order
    end_in_order()
    sending.LOCUSTFILE = Path("{state}.py")
    words = ["--users", "2", "--spawn-rate", "2", "--run-time", "600", "--processes", "2"]
    with sending._locust(words, Path("{state}.txt")):
        while True:
            time.sleep(1)
"""
LOCUSTFILE = """
    import locust
    class Sender(locust.User):
        @locust.task
        def send(self):
            locust.events.request.fire(
                request_type="GET", name="x", response_time=1, response_length=0, exception=None)
            open("{state}.ready", "w").close()
            self._sleep(600)
"""


class Started:
    """A program that starts processes, and all that came of it."""

    def __init__(self, command: Sequence[str], folder: Path) -> None:
        self.state = folder / "state"
        write_assembly(folder / "assembly")
        words = {"assembly": str(folder / "assembly"), "state": str(self.state)}
        self._mark = str(folder)
        self._output = folder / "output.txt"
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                [word.format(**words) for word in command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, MARK: self._mark},
            )

    def wait_for(self, holds: Callable[[], object]) -> None:
        deadline = time.monotonic() + LIMIT_SECONDS
        while not holds():
            assert self.process.poll() is None, self._output.read_text()
            assert time.monotonic() < deadline, self._output.read_text()
            time.sleep(0.02)

    def wait_until_it_runs(self) -> None:
        self.wait_for((self.state / FILE_NAME).exists)

    def pids(self, part: str = "") -> list[int]:
        """Its processes, whoever their parent is by now; handlers have no environment of ours."""
        found = []
        for process in psutil.process_iter():
            try:
                command = " ".join(process.cmdline())
                marked = self._mark in command or process.environ().get(MARK) == self._mark
                if marked and part in command and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process.pid)
            except psutil.Error:
                continue
        return found

    def freeze_handlers(self) -> None:
        handlers = self.pids(HANDLER)
        assert handlers
        for pid in handlers:
            os.kill(pid, signal.SIGSTOP)

    def end(self, number: signal.Signals) -> None:
        """Send the signal; afterwards nothing is left."""
        below = [each.pid for each in psutil.Process(self.process.pid).children(recursive=True)]
        assert below
        self.process.send_signal(number)
        self.process.wait(LIMIT_SECONDS)
        wait_until_gone(below, LIMIT_SECONDS)
        wait_until_gone(self.pids(), LIMIT_SECONDS)
        assert self.pids() == []

    def close(self) -> None:
        for pid in self.pids():
            os.kill(pid, signal.SIGKILL)
        self.process.wait()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[Sequence[str]], Started]]:
    started: list[Started] = []

    def begin(command: Sequence[str]) -> Started:
        started.append(Started(command, tmp_path))
        return started[-1]

    yield begin
    for each in started:
        each.close()


def script(text: str) -> list[str]:
    return [sys.executable, "-c", dedent(text)]


@pytest.mark.parametrize("number", SIGNALS)
def test_nothing_is_left_of_local_up_with_stopped_handlers(
    start: Callable[[Sequence[str]], Started], number: signal.Signals
) -> None:
    started = start(UP)
    started.wait_until_it_runs()
    assert started.pids(EMULATOR)
    assert started.pids(GATEWAY)
    started.freeze_handlers()
    started.end(number)


def test_nothing_is_left_of_a_killed_soak_run_with_stopped_handlers(
    start: Callable[[Sequence[str]], Started],
) -> None:
    started = start(script(ARENA))
    started.wait_until_it_runs()
    assert started.pids("loadtests.soak.proxy")
    started.freeze_handlers()
    started.end(signal.SIGKILL)


@pytest.mark.parametrize(
    "program", [UP, script(ARENA), script(IN_PROCESS)], ids=["up", "soak", "demo"]
)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_of_what_had_only_begun_to_start(
    start: Callable[[Sequence[str]], Started], program: Sequence[str], number: signal.Signals
) -> None:
    started = start(program)
    started.wait_for(lambda: started.pids(EMULATOR))
    started.end(number)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_of_the_processes_that_send_a_load(
    start: Callable[[Sequence[str]], Started], tmp_path: Path, number: signal.Signals
) -> None:
    file = LOCUSTFILE.format(state=tmp_path / "state")
    (tmp_path / "state.py").write_text(dedent(file))
    started = start(script(LOCUST))
    started.wait_for((tmp_path / "state.ready").exists)
    assert len(started.pids("locust")) >= 3
    started.end(number)
