"""A soak run that is ended by a signal; `test_million` has one that comes to its end."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from loadtests.soak.__main__ import BUILD, CONFIG
from loadtests.soak.runtime import CALLS
from tests.e2e.conftest import ROOT
from tests.functional.local.support import processes_with, wait_until_gone
from tests.support.stages import synthesize_here

SEED = "7"
LIMIT_SECONDS = 600


def test_a_run_that_is_terminated_in_the_midst_of_it_leaves_nothing(tmp_path: Path) -> None:
    state, output = tmp_path / "state", tmp_path / "output.txt"
    # `test_million` is about a run that synthesizes for itself.
    synthesize_here("soak", BUILD / "soak-cdk.out", CONFIG)
    options = ["--seconds", "600", "--seed", SEED, "--state", str(state)]
    with output.open("wb") as file:
        soak = subprocess.Popen(
            [sys.executable, "-m", "loadtests.soak", *options],
            cwd=ROOT,
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    with soak:
        deadline = time.monotonic() + LIMIT_SECONDS
        calls = state / CALLS
        while not (calls.exists() and b'"call"' in calls.read_bytes()):
            assert soak.poll() is None, output.read_text()
            assert time.monotonic() < deadline, output.read_text()
            time.sleep(0.05)
        below = [each.pid for each in psutil.Process(soak.pid).children(recursive=True)]
        soak.terminate()
        assert soak.wait(LIMIT_SECONDS) == 128 + signal.SIGTERM, output.read_text()
    wait_until_gone(below, LIMIT_SECONDS)
    assert processes_with(state) == []
