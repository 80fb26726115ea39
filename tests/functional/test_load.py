"""The load test as it is run: a pipeline of its own, locust, and the proof of delivery."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from loadtests.load.runtime import OwnPipeline
from loadtests.load.stage import private_sources, write_stage
from pipeline.local import emulator, endpoints
from pipeline.local.endpoints import NotRunningError

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
# What is shown here is what the account decides, and not how fast this machine is.
SLOW = ["--p95-ms", "60000", "--p99-ms", "60000", "--max-backlog", "100000"]


def load(folder: Path, *words: str, watch: Callable[[], None] | None = None) -> tuple[int, Any]:
    """Run the load test; give its exit status and its figures."""
    command = [sys.executable, "-m", "loadtests.load", "--rate", "40", "--output", str(folder)]
    where = [] if "--state" in words else ["--state", str(folder / "nothing-runs-here")]
    with (folder.parent / "said.txt").open("wb") as said:
        process = subprocess.Popen(
            [*command, *where, *words],
            cwd=ROOT,
            env={**os.environ, "TMPDIR": str(folder.parent)},
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
        )
    try:
        if watch:
            watch()
        status = process.wait(120)
    finally:
        process.kill()
    file = folder / "load.json"
    assert file.exists(), (folder.parent / "said.txt").read_text()
    return status, json.loads(file.read_text())


def test_every_accepted_event_is_accounted_for(tmp_path: Path) -> None:
    folder = tmp_path / "load"
    status, figures = load(
        folder, "--seconds", "3", "--duplicates", "0.2", "--bad-requests", "0.1", *SLOW
    )
    assert (status, figures["faults"], figures["exceeded"]) == (0, [], [])
    outcomes = figures["outcomes"]
    assert sum(outcomes.values()) == figures["events"] >= figures["accepted"] > 60
    assert figures["messages"] == outcomes["delivered"]
    assert outcomes["duplicate"] > 0
    assert outcomes["rejected:bad_signature"] > 0
    assert 0 < figures["p50_ms"] <= figures["p95_ms"] <= figures["p99_ms"]
    assert 0 < figures["delivery_p50_ms"] <= figures["delivery_p99_ms"]
    assert figures["events_per_second"] > 0
    assert (folder / "report.html").stat().st_size > 0
    assert "/zoom-direct" in (folder / "report_stats.csv").read_text()


def test_a_message_that_is_gone_is_a_fault(tmp_path: Path) -> None:
    stolen: list[str] = []

    def thief() -> None:
        """Takes one message from a queue, as soon as there is one."""
        while not stolen:
            for found in tmp_path.glob("mozdef-ef-load-*/state/endpoints.json"):
                with suppress(NotRunningError):
                    steal(endpoints.read(found.parent), stolen)
            if stop.wait(0.05):
                return

    stop = threading.Event()
    thread = threading.Thread(target=thief)
    thread.start()
    try:
        # Two processes that send, and one that leads them.
        status, figures = load(tmp_path / "load", "--seconds", "3", "--processes", "2", *SLOW)
    finally:
        stop.set()
        thread.join()
    assert len(stolen) == 1
    assert status == 1
    assert figures["exceeded"] == []
    assert figures["messages"] == figures["outcomes"]["delivered"] - 1
    assert len(list((tmp_path / "load" / "accepted").iterdir())) == 2
    said = figures["faults"][-1]
    assert said.endswith("messages received")


def steal(where: endpoints.Endpoints, stolen: list[str]) -> None:
    sqs = emulator.client("sqs", endpoint_url=where.aws_endpoint_url, region=where.region)
    for url in where.queues.values():
        for message in sqs.receive_message(QueueUrl=url).get("Messages", []):
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            stolen.append(message["MessageId"])
            return


@pytest.fixture(scope="module")
def stage() -> Path:
    folder = ROOT / "build" / "load-stage"
    write_stage(folder)
    return folder


def test_a_threshold_decides_and_what_runs_keeps_its_messages(tmp_path: Path, stage: Path) -> None:
    with OwnPipeline(stage / "cdk.out", tmp_path / "state") as pipeline:
        words = ["--state", str(pipeline.state), "--private-sources", str(private_sources(stage))]
        words += ["--seconds", "2", "--mix", "github:real=1", "--p99-ms", "0.001"]
        status, figures = load(tmp_path / "load", *words)
        where = pipeline.endpoints
        sqs = emulator.client("sqs", endpoint_url=where.aws_endpoint_url, region=where.region)
        names = ["ApproximateNumberOfMessages"]
        answer = sqs.get_queue_attributes(QueueUrl=where.queues["github"], AttributeNames=names)
    assert status == 1
    (exceeded,) = figures["exceeded"]
    assert exceeded.startswith("99th percentile: ")
    assert figures["faults"] == []
    assert figures["messages"] is None
    assert int(answer["Attributes"][names[0]]) == figures["outcomes"]["delivered"] > 20
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
