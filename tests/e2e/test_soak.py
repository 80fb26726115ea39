"""A short soak run: faults for some seconds, then an account of every event."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from loadtests.soak.runtime import CALLS
from tests.e2e.conftest import ROOT
from tests.functional.local.support import wait_until_gone

SECONDS, SEED = "14", "7"
LIMIT_SECONDS = 300


def test_nothing_is_lost_under_faults(tmp_path: Path) -> None:
    output, state = tmp_path / "soak.json", tmp_path / "state"
    options = ["--seconds", SECONDS, "--seed", SEED, "--output", str(output), "--state", str(state)]
    done = subprocess.run(
        [sys.executable, "-m", "loadtests.soak", *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Every event is accounted for" in done.stdout
    figures = json.loads(output.read_text())
    outcomes = ("delivered", "duplicate", "rejected", "failed")
    assert figures["accepted"] == sum(figures[name] for name in outcomes) > 100
    assert all(figures[name] > 0 for name in outcomes)
    assert figures["lost"] == figures["unknown"] == 0
    assert figures["violations"] == []
    assert figures["stream_records"] >= figures["accepted"]
    assert figures["stream_events"] > figures["stream_records"]  # a batch carries several
    assert sum(figures["stream_outcomes"].values()) == figures["stream_events"]
    assert figures["unsettled"] == figures["unknown_on_stream"] == 0
    assert (
        figures["ledger_events"] == figures["stream_events"] - figures["stream_outcomes"]["failed"]
    )
    assert figures["seed"] == int(SEED)
    faults = figures["faults"]
    assert faults["runtime_killed"] == 1
    assert faults["poison_killed"] >= 4  # all of its batch, then parts of it, then retries
    assert sum(faults.get(name, 0) for name in ("sqs_out", "s3_out", "dynamodb_failing")) > 0
    calls = [json.loads(line) for line in (state / CALLS).read_text().splitlines()]
    runtimes = {call["call"].partition("-")[0] for call in calls if "call" in call}
    assert len(runtimes) == 2  # the log begins before the kill
    assert _processes_of(state) == []


def test_a_run_that_is_terminated_in_the_midst_of_it_leaves_nothing(tmp_path: Path) -> None:
    state, output = tmp_path / "state", tmp_path / "output.txt"
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
        while not (calls.exists() and calls.stat().st_size):
            assert soak.poll() is None, output.read_text()
            assert time.monotonic() < deadline, output.read_text()
            time.sleep(0.05)
        below = [each.pid for each in psutil.Process(soak.pid).children(recursive=True)]
        soak.terminate()
        assert soak.wait(LIMIT_SECONDS) == 128 + signal.SIGTERM, output.read_text()
    wait_until_gone(below, LIMIT_SECONDS)
    assert _processes_of(state) == []


def _processes_of(state: Path) -> list[str]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().decode(errors="replace")
        except OSError:
            continue
        if str(state) in words:
            found.append(words)
    return found
