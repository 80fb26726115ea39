"""Runs tests in a forked interpreter: once as the code is, then against one mutant each.

The parent never imports the project. A child does, with the mutant in the place of its module, so
a changed constant counts as much as a changed line, and no file is written. What the parent has
imported already are the libraries.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import math
import os
import resource
import signal
import sys
import time
import warnings
from dataclasses import dataclass, field
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import types
    from collections.abc import Callable, Iterator, Sequence

    from tests.mutants.mutations import Mutant

#: Seconds after which a child that waits for something is ended; nothing is judged by it.
HANG_SECONDS = 180
LARGEST_MEMORY = 6 * 1024**3


@dataclass
class Result:
    """What a child did: its exit status, or a signal as a negative number."""

    status: int
    said: dict[str, Any]
    log: str


@dataclass(eq=False)
class Watcher:
    """A pytest plugin: runs chosen tests, the quickest first, and notes the first that fails.

    Parameters
    ----------
    chosen : dict[str, float] | None
        Test to its place in the order; None for all tests, as they are collected.
    on_phase : Callable[[str], None]
        Told the test that is about to be called, or nothing while one is set up.
    """

    chosen: dict[str, float] | None = None
    on_phase: Callable[[str], object] = str
    failed: str = ""
    seconds: dict[str, float] = field(default_factory=dict)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Leave the chosen tests, file by file."""
        if self.chosen is None:
            return
        chosen = self.chosen
        left = [item for item in items if item.nodeid in chosen]
        files: dict[Path, float] = {}
        for item in left:
            files[item.path] = files.get(item.path, 0.0) + chosen[item.nodeid]
        items[:] = sorted(
            left, key=lambda one: (files[one.path], str(one.path), chosen[one.nodeid])
        )

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self) -> None:
        """Say that what runs now may serve several tests."""
        self.on_phase("")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> None:
        """Say which test runs."""
        self.on_phase(item.nodeid)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_teardown(self) -> None:
        """Say that the test is over."""
        self.on_phase("")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note how long the test took, and whether it failed."""
        self.seconds[report.nodeid] = self.seconds.get(report.nodeid, 0.0) + report.duration
        if report.failed and not self.failed:
            self.failed = report.nodeid

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note a file that cannot even be imported."""
        if report.failed and not self.failed:
            self.failed = report.nodeid


def run_tests(project: Path, tests: Sequence[str], watcher: Watcher) -> int:
    """Run tests in this process, up to the first that fails."""
    os.chdir(project)
    sys.path.insert(0, str(project))
    # Failing inputs are not made smaller: that they fail is enough.
    os.environ["HYPOTHESIS_PROFILE"] = "mutants"
    options = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--rootdir", str(project)]
    return int(pytest.main([*options, *tests], plugins=[watcher]))


@contextlib.contextmanager
def in_place_of(file: Path, code: Callable[[], Any]) -> Iterator[None]:
    """Have an import of a module compile something else."""
    original = SourceFileLoader.get_code

    def get_code(loader: Any, fullname: str) -> types.CodeType | None:
        if Path(loader.get_filename(fullname)) == file:
            compiled: types.CodeType = compile(code(), file, "exec", dont_inherit=True)
            return compiled
        return original(loader, fullname)

    SourceFileLoader.get_code = get_code  # type: ignore[assignment, method-assign]
    try:
        yield
    finally:
        SourceFileLoader.get_code = original  # type: ignore[method-assign]


def preload(modules: Sequence[str]) -> None:
    """Import the libraries that the tests use, for the children to come."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in modules:
            with contextlib.suppress(Exception):
                importlib.import_module(name)


def libraries(project: Path) -> list[str]:
    """Return the modules that are loaded and that are not the project's."""
    folders = ("site-packages", "lib-dynload", "lib/python")
    return [
        name
        for name, module in list(sys.modules.items())
        if (file := str(getattr(module, "__file__", None) or ""))
        and any(folder in file for folder in folders)
        and (str(project) not in file or "site-packages" in file)
        and not name.startswith(("tests", "_pytest", "__"))
    ]


@dataclass
class Children:
    """Forked interpreters, so many at a time.

    Parameters
    ----------
    folder : Path
        Where they write what they have to say.
    hang_seconds : float
        After so many, one that waits for something is ended.
    """

    folder: Path
    jobs: int = 1
    hang_seconds: float = HANG_SECONDS
    _running: dict[int, tuple[int, float]] = field(default_factory=dict)

    def each(self, works: Sequence[Callable[[], dict[str, Any]]]) -> Iterator[tuple[int, Result]]:
        """Do each work in a child; return number and result of each as they end."""
        waiting = list(enumerate(works))[::-1]
        try:
            while waiting or self._running:
                while waiting and len(self._running) < self.jobs:
                    number, work = waiting.pop()
                    self._running[self._fork(number, work)] = (number, time.monotonic())
                yield from self._ended()
        finally:
            for child in self._running:
                _kill(child)
                os.waitpid(child, 0)

    def _ended(self) -> Iterator[tuple[int, Result]]:
        time.sleep(0.02)
        for child, (number, since) in list(self._running.items()):
            found, status = os.waitpid(child, os.WNOHANG)
            if not found and time.monotonic() - since > self.hang_seconds:
                _kill(child)
                found, status = os.waitpid(child, 0)
            if found:
                del self._running[child]
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(child, signal.SIGKILL)  # what its tests have left running
                yield number, self._result(number, status)

    def _result(self, number: int, status: int) -> Result:
        said, log = self.folder / f"{number}.json", self.folder / f"{number}.log"
        found = json.loads(said.read_text()) if said.exists() else {}
        text = log.read_text(errors="replace")
        said.unlink(missing_ok=True)
        log.unlink(missing_ok=True)
        return Result(os.waitstatus_to_exitcode(status), found, text)

    def _fork(self, number: int, work: Callable[[], dict[str, Any]]) -> int:
        child = os.fork()
        if child:
            return child
        status = 70
        try:
            os.setsid()
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            log = os.open(self.folder / f"{number}.log", os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
            nothing = os.open(os.devnull, os.O_RDONLY)
            for target, source in ((0, nothing), (1, log), (2, log)):
                os.dup2(source, target)
            resource.setrlimit(resource.RLIMIT_AS, (LARGEST_MEMORY,) * 2)
            said = work()
            (self.folder / f"{number}.json").write_text(json.dumps(said))
            status = int(said["status"])
        finally:
            # Whatever the tests have registered for the end of a process is not for this one.
            os._exit(status)


def _kill(child: int) -> None:
    """Kill a child that nobody has waited for, and its group, which it may not have made yet."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    os.kill(child, signal.SIGKILL)


def try_mutant(
    project: Path,
    tests: Sequence[str],
    mutant: Mutant,
    chosen: dict[str, float],
    cpu_seconds: float,
) -> dict[str, Any]:
    """Run the chosen tests against a mutant: the work of a child.

    Parameters
    ----------
    cpu_seconds : float
        How long it may compute: what goes on beyond that has no end.
    """
    resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(cpu_seconds),) * 2)
    watcher = Watcher(chosen)
    with in_place_of(project / mutant.file, mutant.make):
        status = run_tests(project, tests, watcher)
    return {"status": status, "failed": watcher.failed}
