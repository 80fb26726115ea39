"""The load test as it is run: a pipeline of its own, locust, and the proof of delivery."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
import pytest

from loadtests.load.run import STAGE, LoadHooks, Running, load_own
from loadtests.load.runtime import OwnPipeline
from loadtests.load.sending import Folder, LoadPlan
from loadtests.load.stage import private_sources, write_stage
from local import emulator
from tests.support.stages import synthesize_here

ROOT = Path(__file__).parents[3]
# What is shown here is what the account decides, and not how fast this machine is.
SLOW = ["--p95-ms", "60000", "--p99-ms", "60000", "--max-backlog", "100000"]
#: Seconds without progress: it catches what hangs, and judges nothing.
HANGS = 900
LOAD = [sys.executable, "-m", "loadtests.load", "--rate", "100", "--seconds", "1"]
LOAD += ["--drain", str(HANGS)]
PLAN = LoadPlan(
    rate=100,
    seconds=1,
    least_requests=50,
    users=20,
    processes=2,
    shape="constant",
    mix="",
    duplicates=0.05,
    bad_requests=0.02,
    max_error_rate=0.001,
    p95_ms=60_000,
    p99_ms=60_000,
    max_backlog=100_000,
)


def load(folder: Path, *words: str) -> tuple[int, Any]:
    """Run the load test; give its exit status and its figures."""
    where = [] if "--state" in words else ["--state", str(folder / "nothing-runs-here")]
    done = subprocess.run(
        [*LOAD, "--output", str(folder), *where, *words],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(folder.parent)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    file = folder / "load.json"
    assert file.exists(), done.stdout + done.stderr
    return done.returncode, json.loads(file.read_text())


@pytest.fixture(scope="module", autouse=True)
def stage() -> Path:
    """The load test's stage, which it finds there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("loadtests.load.stage.synthesize", synthesize_here)
        write_stage(STAGE)
    return STAGE


def test_every_accepted_event_is_accounted_for(tmp_path: Path) -> None:
    folder = tmp_path / "load"
    status, figures = load(
        folder, "--duplicates", "0.2", "--bad-requests", "0.1", "--least-requests", "150", *SLOW
    )
    assert (status, figures["faults"], figures["exceeded"]) == (0, [], [])
    assert figures["requests"] >= 150
    outcomes = figures["outcomes"]
    assert sum(outcomes.values()) == figures["events"] >= figures["accepted"] > 100
    assert figures["messages"] == outcomes["delivered"]
    assert outcomes["duplicate"] > 0
    assert outcomes["rejected:bad_signature"] > 0
    assert 0 < figures["p50_ms"] <= figures["p95_ms"] <= figures["p99_ms"]
    assert 0 < figures["delivery_p50_ms"] <= figures["delivery_p99_ms"]
    assert figures["events_per_second"] > 0
    # Each request was one record, and the means are rounded to a tenth.
    records = figures["invocations"] * figures["events_an_invocation"]
    assert records == pytest.approx(figures["accepted"], abs=0.05 * figures["invocations"] + 1)
    assert figures["invocation_ms"] > 0
    assert (folder / "report.html").stat().st_size > 0
    assert "/zoom-direct" in (folder / "report_stats.csv").read_text()


class Thief:
    """Takes one message before the consumer reads any, once all of them are in the queues."""

    def __init__(self) -> None:
        self.stolen: list[str] = []

    def started(self, running: Running) -> None:
        os.kill(running.consumer_pid, signal.SIGSTOP)

    def drained(self, running: Running) -> None:
        where = running.endpoints
        sqs = emulator.client(
            "sqs",
            endpoint_url=where.aws_endpoint_url,
            region=where.region,
            credentials=where.credentials,
        )
        for url in where.queues.values():
            if found := sqs.receive_message(QueueUrl=url, WaitTimeSeconds=0).get("Messages", []):
                sqs.delete_message(QueueUrl=url, ReceiptHandle=found[0]["ReceiptHandle"])
                self.stolen.append(found[0]["MessageId"])
                break
        os.kill(running.consumer_pid, signal.SIGCONT)


def test_a_message_that_is_gone_is_a_fault(tmp_path: Path, stage: Path) -> None:
    thief, folder = Thief(), Folder(tmp_path)
    hooks = LoadHooks(started=thief.started, drained=thief.drained)
    # Two processes that send, and one that leads them.
    result = load_own(stage, tmp_path / "state", PLAN, folder, drain=HANGS, hooks=hooks)
    assert len(thief.stolen) == 1
    assert not result.holds
    assert result.exceeded == []
    assert result.proof.messages == result.proof.outcomes["delivered"] - 1 > 20
    assert result.proof.lost == 0
    assert len(list(folder.journals.iterdir())) == 2
    assert result.proof.faults[-1].endswith("messages received")
    assert thief.stolen[0] not in folder.messages.read_text()


def test_what_fails_in_a_hook_ends_the_run_and_all_of_its_processes(
    tmp_path: Path, stage: Path
) -> None:
    seen: list[Running] = []

    def fail(running: Running) -> None:
        seen.append(running)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        load_own(stage, tmp_path / "state", PLAN, Folder(tmp_path), hooks=LoadHooks(started=fail))
    (running,) = seen
    assert not psutil.pid_exists(running.consumer_pid)
    assert not (tmp_path / "state" / "endpoints.json").exists()


def test_a_threshold_decides_and_what_runs_keeps_its_messages(tmp_path: Path, stage: Path) -> None:
    with OwnPipeline(stage / "cdk.out", tmp_path / "state") as pipeline:
        words = ["--state", str(pipeline.state), "--private-sources", str(private_sources(stage))]
        words += ["--least-requests", "30", "--mix", "github:real=1"]
        # The last of two values counts.
        words += [*SLOW, "--p99-ms", "0.001"]
        status, figures = load(tmp_path / "load", *words)
        where = pipeline.endpoints
        sqs = emulator.client(
            "sqs",
            endpoint_url=where.aws_endpoint_url,
            region=where.region,
            credentials=where.credentials,
        )
        names = ["ApproximateNumberOfMessages"]
        answer = sqs.get_queue_attributes(QueueUrl=where.queues["github"], AttributeNames=names)
    assert status == 1
    (exceeded,) = figures["exceeded"]
    assert exceeded.startswith("99th percentile: ")
    assert figures["faults"] == []
    assert figures["messages"] is None
    assert int(answer["Attributes"][names[0]]) == figures["outcomes"]["delivered"] > 10
    assert figures["ledger_p50_ms"] <= figures["ledger_p99_ms"]


def test_a_mix_that_is_none_is_told(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "loadtests.load", "--output", str(tmp_path), "--stack", "absent",
         "--aws-region", "us-west-2"],
        cwd=ROOT,
        env={**os.environ, "AWS_ENDPOINT_URL": "http://127.0.0.1:9"},
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "load test: absent: cannot be described" in done.stderr
