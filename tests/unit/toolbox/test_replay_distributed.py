"""`replay --distributed` and `--stack`: what is asked of AWS, on fakes."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import orjson
import pytest

from pipeline.archive.keys import ArchiveKind
from pipeline.replay.event_types import EventTypes
from pipeline.replay.filters import Filter, FilterError
from pipeline.replay.job import Job, JobStore
from pipeline.replay.worker import Batch
from tests.support.fakes import client_error
from tests.support.replay import JOB, FakeArchive, FakeKinesis
from toolbox.cli.replay_distributed import execution_status, start_distributed
from toolbox.deployments import RunningDeployment, RunningDeploymentError, find_deployment
from toolbox.replaying.plan import ReplayPlan

OUTPUTS = {
    "StreamName": "stream",
    "ArchiveBucketName": "archive",
    "DedupeTableName": "table",
    "DeadLetterQueueUrl": "http://127.0.0.1/queue",
    "ReplayStateMachineArn": "arn:machine",
}


class FakeWorkflows:
    def __init__(self) -> None:
        self.started: list[dict[str, Any]] = []
        self.broken: Exception | None = None

    def start_execution(self, **request: Any) -> dict[str, str]:
        if self.broken:
            raise self.broken
        self.started.append(request)
        return {"executionArn": f"arn:execution:{request['name']}"}

    def describe_execution(self, **request: Any) -> dict[str, str]:
        if self.broken:
            raise self.broken
        return {"status": "SUCCEEDED"}


class FakeStacks:
    def __init__(self, outputs: dict[str, str]) -> None:
        self.outputs = outputs

    def describe_stacks(self, *, StackName: str) -> dict[str, Any]:
        if StackName != "there":
            raise client_error("ValidationError", "DescribeStacks")
        outputs = [{"OutputKey": k, "OutputValue": v} for k, v in self.outputs.items()]
        return {"Stacks": [{"Outputs": outputs}]}

    def get_caller_identity(self) -> dict[str, str]:
        return {"Arn": "arn:aws:iam::000000000000:user/operator"}


class Setup:
    def __init__(self, wanted: Filter, machine: str = "arn:machine") -> None:
        self.s3, self.kinesis, self.workflows = FakeArchive(), FakeKinesis(4), FakeWorkflows()
        clients: dict[str, Any] = {
            "s3": self.s3,
            "kinesis": self.kinesis,
            "stepfunctions": self.workflows,
        }
        where = RunningDeployment(
            "stack there",
            False,
            "stream",
            "archive",
            "table",
            "queue",
            machine,
            clients.__getitem__,
        )
        options = {"rate": None, "limit": 3, "force": True}
        job = Job(JOB, {}, datetime.now(UTC).isoformat(), wanted.to_json(), options)
        self.plan = ReplayPlan(where, job, wanted, EventTypes())

    def input(self) -> Any:
        (request,) = self.workflows.started
        assert request["name"] == JOB
        assert request["stateMachineArn"] == "arn:machine"
        return orjson.loads(request["input"])


def test_the_workflow_gets_what_its_workers_read(capsys: pytest.CaptureFixture[str]) -> None:
    setup = Setup(Filter(frozenset({ArchiveKind.RAW}), frozenset({"github"}), ids=frozenset({"a"})))
    start_distributed(setup.plan, 4, as_json=True)
    document = setup.input()
    ids_key = f"jobs/replay/{JOB}.ids.gz"
    assert document == {
        "job": JOB,
        "prefix": "raw/source=github/",
        "filter": {**setup.plan.wanted.to_json(), "ids": ids_key},
        "rate": 500.0,
        "limit": 3,
        "force": True,
        "concurrency": 4,
    }
    store = JobStore(setup.s3, "archive")
    assert store.load_ids(ids_key) == {"a"}
    kept = store.load(JOB)
    assert kept.status == "distributed"
    assert kept.options["execution"] == f"arn:execution:{JOB}"
    assert orjson.loads(capsys.readouterr().out)["id"] == JOB
    shared = {name: document[name] for name in ("job", "filter", "rate", "limit", "force")}
    assert Batch.read({"BatchInput": shared, "Items": [{"Key": "k", "Size": 1}]}).force


def test_what_cannot_be_started() -> None:
    raw = Filter(frozenset({ArchiveKind.RAW}))
    with pytest.raises(RunningDeploymentError, match="ReplayStateMachineArn"):
        start_distributed(Setup(raw, machine="").plan, 4, as_json=True)
    with pytest.raises(FilterError, match="--kind"):
        start_distributed(Setup(Filter(frozenset(ArchiveKind))).plan, 4, as_json=True)
    setup = Setup(raw)
    setup.workflows.broken = client_error("AccessDenied", "StartExecution", 403)
    with pytest.raises(RunningDeploymentError, match="not started"):
        start_distributed(setup.plan, 4, as_json=True)
    assert JobStore(setup.s3, "archive").load(JOB).status == "distributed"
    assert "AccessDenied" in execution_status(setup.workflows, "arn")
    setup.workflows.broken = None
    assert execution_status(setup.workflows, "arn") == "SUCCEEDED"


def test_a_stack_is_found_by_its_outputs(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeStacks(OUTPUTS)
    monkeypatch.setattr(boto3.Session, "client", lambda *_, **__: fake)
    found = find_deployment(Path("unused"), "there")
    assert (found.stream, found.archive_bucket, found.local) == ("stream", "archive", False)
    assert found.replay_state_machine == "arn:machine"
    assert found.who()["identity"] == "arn:aws:iam::000000000000:user/operator"
    with pytest.raises(RunningDeploymentError, match="cannot be described"):
        find_deployment(Path("unused"), "gone")
    fake.outputs = {}
    with pytest.raises(RunningDeploymentError, match="no output StreamName"):
        find_deployment(Path("unused"), "there")
