"""The poller's handler against the emulator, and an API played on this machine."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ingest_lambdas import poller
from local.emulator import Emulator
from pipeline.polling.checkpoints import Checkpoints
from pipeline.polling.errors import LeaseLostError, PollError
from pipeline.runtime.environment import SettingsError
from tests.functional.handlers.test_handlers import Context
from tests.functional.replay.test_replay import Account
from tests.support.api_players import OktaPlayer, Reply
from tests.support.polling import okta_event

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.event.compiled_source import Catalog

OKTA = "okta-system-log"
EVENT = {"source": OKTA, "feed": "logs"}


@dataclass
class Deployment:
    """What one test has of the emulator, and its API."""

    account: Account
    player: OktaPlayer

    def row(self) -> dict[str, Any]:
        answer = self.account.client("dynamodb").get_item(
            TableName=self.account.name, Key={"pk": {"S": f"{OKTA}#logs"}}, ConsistentRead=True
        )
        return dict(answer.get("Item", {}))

    def metrics(self, text: str) -> dict[str, float]:
        found: dict[str, float] = {}
        for line in text.splitlines():
            plain = json.loads(line)
            if "_aws" in plain:
                assert (plain["source"], plain["feed"]) == (OKTA, "logs")
                found |= {k: v[0] for k, v in plain.items() if k.startswith("Poll")}
        return found


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with Emulator(tmp_path_factory.mktemp("emulator"), region="us-west-2") as running:
        yield running


@pytest.fixture
def deployment(
    emulator: Emulator, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Deployment]:
    assert catalog.get(OKTA)
    name = f"p-{time.time_ns()}"
    s3, kinesis = emulator.client("s3"), emulator.client("kinesis")
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": emulator.region})
    kinesis.create_stream(StreamName=name, ShardCount=2)
    kinesis.get_waiter("stream_exists").wait(StreamName=name, WaiterConfig={"Delay": 1})
    emulator.client("dynamodb").create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    emulator.client("ssm").put_parameter(
        Name=f"/{name}/{OKTA}/dev/api_credential", Value="t0ken\n", Type="SecureString"
    )
    with OktaPlayer([okta_event(n) for n in range(25)], page=10) as player:
        for key, value in {
            "AWS_ENDPOINT_URL": emulator.endpoint_url,
            **emulator.credentials.environment(),
            "PROJECT": name,
            "STAGE": "dev",
            "STREAM_NAME": name,
            "MAX_RECORD_KIB": "1024",
            "CHECKPOINT_TABLE": name,
            "ARCHIVE_BUCKET": name,
            "POLL_TARGETS": json.dumps({OKTA: {"base_url": player.base_url}}),
        }.items():
            monkeypatch.setenv(key, value)
        poller.poller.cache_clear()
        yield Deployment(Account(emulator, name, ""), player)
    poller.poller.cache_clear()


def run(seconds: float = 60.0) -> dict[str, Any]:
    return poller.handler(EVENT, Context(seconds))  # type: ignore[arg-type]


def test_a_feed_reaches_the_stream_and_the_next_call_goes_on(
    deployment: Deployment, capsys: pytest.CaptureFixture[str]
) -> None:
    summary = run()
    assert (summary["outcome"], summary["events"], summary["pages"]) == ("drained", 25, 4)
    output = capsys.readouterr().out
    assert deployment.metrics(output) == {
        "PollEvents": 25,
        "PollPages": 4,
        "PollErrors": 0,
        "PollSkipped": 0,
        "PollLagSeconds": 0,
    }
    assert "t0ken" not in output
    assert "after=" not in output
    deployment.player.events.append(okta_event(25))
    poller.poller.cache_clear()
    assert run()["events"] == 1
    envelopes = deployment.account.on_stream()
    assert sorted(one.key for one in envelopes) == [f"event-{n:05d}" for n in range(26)]
    assert set(deployment.row()) == {"pk", "position", "state", "updated"}


def test_a_failure_is_raised_counted_and_logged(
    deployment: Deployment,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    refusal = b'{"error": "no \x1b[31m place for SSWS t0ken here"}'
    deployment.player.faults += [deployment.player.answer, Reply(404, refusal)]
    with pytest.raises(PollError, match="GET /api/v1/logs: status 404"):
        run()
    output = capsys.readouterr().out
    metrics = deployment.metrics(output)
    assert (metrics["PollErrors"], metrics["PollEvents"]) == (1, 10)
    assert metrics["PollLagSeconds"] > 0
    (told,) = (vars(record)["poll"] for record in caplog.records if record.msg == "poll")
    assert "t0ken" not in str(told)
    assert told["answer"] == '{"error": "no \\x1b[31m place for *** here"}'
    assert run()["events"] == 15
    assert len(deployment.account.on_stream()) == 25


def test_the_lock_and_the_fence_hold_in_the_table(deployment: Deployment) -> None:
    client, name = deployment.account.client("dynamodb"), deployment.account.name
    now = [time.time() - 1000]
    table = Checkpoints(client, name, lambda: now[0])
    row = f"{OKTA}#logs"
    first = table.acquire(row, 10, "one")
    assert first is not None
    assert table.acquire(row, 10, "two") is None
    now[0] += 21
    second = table.acquire(row, 10_000, "two")
    assert second is not None
    assert second.position == "one"
    with pytest.raises(LeaseLostError):
        table.write(first, "stale")
    assert not table.release(first)
    assert run()["outcome"] == "skipped"
    assert not deployment.player.seen
    table.write(second, "written")
    assert table.release(second, int(time.time() * 1000) + 60_000)
    assert set(deployment.row()) == {"pk", "position", "state", "updated", "not_before"}
    with pytest.raises(PollError, match="its position cannot be read"):
        run()


def test_a_pause_that_the_sender_asks_for_is_kept(deployment: Deployment) -> None:
    deployment.player.faults += [Reply(429, b"", [("Retry-After", "300")])]
    assert run()["outcome"] == "paused"
    poller.poller.cache_clear()
    assert run()["outcome"] == "paused"
    assert len(deployment.player.seen) == 1


@pytest.mark.parametrize("event", [{}, {"source": OKTA}, {"source": 1, "feed": "logs"}])
def test_an_event_of_another_form_is_an_error(
    deployment: Deployment, event: dict[str, Any]
) -> None:
    with pytest.raises(PollError, match="the schedule's rule has it"):
        poller.handler(event, Context())  # type: ignore[arg-type]


@pytest.mark.parametrize("value", ["", "{", "[]"])
def test_broken_targets_are_an_error(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("POLL_TARGETS", value)
    with pytest.raises(SettingsError, match="POLL_TARGETS"):
        run()


def test_a_cold_start_loads_nothing_of_the_build() -> None:
    root = Path(__file__).parents[3]
    code = "import ingest_lambdas.poller, sys; print(*sys.modules)"
    environment = {"PYTHONPATH": str(root), "POWERTOOLS_SERVICE_NAME": "s", "PATH": ""}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert "pipeline.polling.poller" in loaded
    assert not loaded & {"pydantic", "yaml", "typer", "rich", "aiohttp", "duo_client"}
