"""A running local pipeline, started and stopped as a user would."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from loadtests.deploy_check.permissions import RecordedCalls, keep, reviews
from local import endpoints
from local.assembly import find_template
from local.function_host import FunctionHost
from local.lambdas import configure
from tests.support.catalogue import ROUTED
from tests.support.once import made_once
from tests.support.stages import synthesize_here

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.endpoints import Endpoints

ROOT = Path(__file__).parents[2]
# Seconds. On a busy machine anything takes long; only what hangs takes this long.
HANGS = 600.0
COMMAND = Path(sys.executable).parent / "mozdef-ef"


class Running:
    """`mozdef-ef local up` in a process of its own."""

    def __init__(self, state: Path, *options: str) -> None:
        self.state = state
        self.output = state.parent / "output.txt"
        words = [
            str(COMMAND),
            "local",
            "up",
            "--port",
            "0",
            "--state",
            str(state),
            "--record-calls",
        ]
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [*words, *options],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def wait(self, seconds: float = HANGS) -> Endpoints:
        end = time.monotonic() + seconds
        while not (self.state / endpoints.FILE_NAME).exists():
            assert self.process.poll() is None, self.output.read_text()
            assert time.monotonic() < end, self.output.read_text()
            time.sleep(0.1)
        return endpoints.read(self.state)

    def settle(self, seconds: float = HANGS) -> None:
        """Wait until all that is on the stream by now has its outcome."""
        since, end = time.time(), time.monotonic() + seconds
        while True:
            try:
                status = json.loads((self.state / "status.json").read_text())
            except FileNotFoundError:
                status = {"idle": False}
            if status["idle"] and status["as_of"] > since:
                return
            assert time.monotonic() < end, f"not settled: {status}"
            time.sleep(0.05)

    def descendants(self) -> list[int]:
        """Every process below this one, from /proc."""
        parents: dict[int, int] = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    fields = (entry / "stat").read_text().rpartition(")")[2].split()
                except OSError:
                    continue
                if fields[0] != "Z":
                    parents[int(entry.name)] = int(fields[1])
        found, waiting = [], [self.process.pid]
        while waiting:
            pid = waiting.pop()
            children = [child for child, parent in parents.items() if parent == pid]
            found += children
            waiting += children
        return found

    def stop(self, number: int = signal.SIGINT) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(HANGS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        finally:
            if recorded := RecordedCalls.of(self.state):
                RECORDED[self.state] = recorded
                keep(self.state)


RECORDED: dict[Path, RecordedCalls] = {}
"""What was called in each run that has ended; all of it must be allowed."""


@pytest.fixture(scope="session", autouse=True)
def _every_call_is_allowed() -> Iterator[None]:
    yield
    KEPT.stop()  # of a run that was broken off
    found = reviews(list(RECORDED.values()))
    denied = [line for review in found for line in review.denied()]
    assert not denied, "\n".join(dict.fromkeys(denied))


def built_function(
    folder: Path, where: Endpoints, handler: str, logs: Path, **environment: str
) -> FunctionHost:
    """The function of the template, from the code asset, with its role and the stack's variables.

    Parameters
    ----------
    **environment : str
        Names that the runtime knows once it has made things.
    """
    template = find_template(folder / "cdk.out", region=where.region)
    (name,) = (
        resource.logical_id
        for resource in template.resources("AWS::Lambda::Function")
        if resource.properties["Handler"] == f"stream_processors.{handler}.handler"
    )
    config = configure(
        template,
        name,
        assembly=folder / "cdk.out",
        endpoint_url=where.aws_endpoint_url,
        credentials=where.credentials,
        logs=logs,
    )
    return FunctionHost(replace(config, environment={**config.environment, **environment}))


def alive(pids: list[int]) -> list[int]:
    """Which of these processes still run."""
    found = []
    for pid in pids:
        try:
            os.kill(pid, 0)
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (OSError, IndexError):
            continue
        if state != "Z":
            found.append(pid)
    return found


def synthesized(folder: Path, **settings: object) -> tuple[str, ...]:
    """Synthesize a stage of the tests' own; give the options with which `local up` runs it."""
    stage = {"service": "ingest", "archiver": {"batching_window_seconds": 1}, **settings}
    (folder / "e2e.yaml").write_text(yaml.safe_dump(stage))
    synthesize_here("e2e", folder / "cdk.out", folder)
    return options_of(folder)


def options_of(folder: Path) -> tuple[str, ...]:
    return ("--stage", "e2e", "--no-synth", "--assembly", str(folder / "cdk.out"))


@pytest.fixture(scope="session")
def routed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a stage with a source of each kind of the catalogue that has a route."""
    return made_once(
        tmp_path_factory, "routed", "", lambda folder: synthesized(folder, sources=[*ROUTED])
    )


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(nextitem: pytest.Item | None) -> None:
    """Take note of whether the next test has a use for the pipeline that runs."""
    KEPT.wanted = nextitem is not None and "running" in getattr(nextitem, "fixturenames", ())


@dataclass
class Kept:
    """The pipeline that the tests of several files use one after the other."""

    runtime: Running | None = None
    wanted: bool = False

    def stop(self) -> None:
        if self.runtime:
            self.runtime.stop()
        self.runtime = None


KEPT = Kept()


@pytest.fixture(scope="module")
def running(routed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """That stage at work; it goes on into the next file where that one uses it at once."""
    runtime = KEPT.runtime
    try:
        if runtime is None:
            place = tmp_path_factory.mktemp("local") / "state"
            runtime = KEPT.runtime = Running(place, *options_of(routed))
            runtime.wait()
        yield runtime
    finally:
        if not KEPT.wanted:
            KEPT.stop()


@pytest.fixture(scope="module")
def where(running: Running) -> Endpoints:
    return endpoints.read(running.state)
