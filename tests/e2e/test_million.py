"""A million in small: some thousand events under every kind of fault, each accounted for."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from loadtests.million.course import DUPLICATES
from loadtests.million.figures import NEEDED
from loadtests.soak.runtime import CALLS
from tests.e2e.conftest import ROOT
from tests.functional.local.support import processes_with

EVENTS, SECONDS, SEED = 2_000, 14, 7


@pytest.mark.timeout(1_800)
def test_nothing_is_lost_under_every_kind_of_fault(tmp_path: Path) -> None:
    output, state = tmp_path / "million.json", tmp_path / "state"
    # How long it takes is not judged here: a busy machine has all the minutes.
    options = ["--events", EVENTS, "--seconds", SECONDS, "--minutes", 100, "--seed", SEED]
    options += ["--output", output, "--state", state]
    done = subprocess.run(
        [sys.executable, "-m", "loadtests.million", *map(str, options)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "every event is accounted for" in " ".join(done.stdout.split())
    figures = json.loads(output.read_text())
    outcomes = ("delivered", "duplicate", "rejected", "failed")
    assert figures["accepted"] == sum(figures[name] for name in outcomes)
    assert figures["events_accepted"] >= EVENTS
    assert all(figures[name] > 0 for name in ("delivered", "duplicate", "rejected"))
    # The sender of the record that kills was told so, or not; it is on the stream in any case.
    assert figures["stream_outcomes"]["failed"] > 0
    assert figures["lost"] == figures["unknown"] == 0
    assert figures["violations"] == figures["misses"] == []
    assert sum(figures["stream_outcomes"].values()) == figures["stream_events"]
    assert figures["unsettled"] == figures["unknown_on_stream"] == 0
    assert figures["seed"] == SEED
    faults = figures["faults"]
    assert all(faults[strike] > 0 for strike in NEEDED)
    assert faults["poison_killed"] >= 4  # all of its batch, then parts of it, then retries
    ways = figures["events_by_way"]
    for way in ("1 KB", "real GitHub", "batch", "lines of JSON", "polled", "replayed"):
        assert ways[way]["events"] > 0
    assert ways["batch"]["events"] > ways["batch"]["requests"]
    assert set(figures["memory"]) >= {"fan-out", "archiver", "gateway", "event source mappings"}
    named = (state / DUPLICATES).read_text().splitlines()
    assert sum(int(line.split("\t")[1]) for line in named) == figures["delivered_twice"]
    log = [json.loads(line) for line in (state / CALLS).read_text().splitlines()]
    # The log begins before the kill and before the deployment, each of which brings a new runtime.
    runtimes = [str(line["runtime"]) for line in log if "runtime" in line]
    assert len(runtimes) == 3
    assert {line["call"].partition("-")[0] for line in log if "call" in line} <= {*runtimes}
    assert processes_with(state) == []
