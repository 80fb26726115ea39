"""The replay's workflow: its definition as Step Functions reads it, and what it takes."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from infra.application.replay_definition import DEFAULTS, replay_definition
from local.emulator import Emulator
from pipeline.archive.objects import ArchiveReadError
from pipeline.replay.worker import Batch
from pipeline.stream.shards import StreamUnreachableError
from tests.infra.policies import written

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.infra.conftest import Synthesized

Definition = dict[str, Any]
TERMINAL = {"Succeed", "Fail"}
CALLS = {"Invoke": "lambda:invoke", "List": "s3:listObjectsV2", "Write": "s3:putObject"}


@pytest.fixture
def definition(stack: Synthesized) -> Definition:
    _, machine = stack.one("AWS::StepFunctions::StateMachine")
    parsed: Definition = json.loads(machine["DefinitionString"])
    return parsed


def flows(flow: Definition) -> Iterator[Definition]:
    """Return a flow of states, and those inside its map states."""
    yield flow
    for state in flow["States"].values():
        if "ItemProcessor" in state:
            yield from flows(state["ItemProcessor"])


def following(state: Definition) -> set[str]:
    choices = state.get("Choices", [])
    found = {state.get("Next"), state.get("Default"), *(choice.get("Next") for choice in choices)}
    return {name for name in found if name}


def test_every_state_is_reached_and_ends(definition: Definition) -> None:
    seen: list[str] = []
    for flow in flows(definition):
        states = flow["States"]
        seen += states
        reached, waiting = set(), {flow["StartAt"]}
        while waiting:
            name = waiting.pop()
            reached.add(name)
            waiting |= following(states[name]) - reached
        assert reached == set(states)
        for name, state in states.items():
            ways = bool(following(state)) + bool(state.get("End")) + (state["Type"] in TERMINAL)
            assert ways == 1, name
    # Names are unique over a definition, those inside a map included.
    assert len(seen) == len(set(seen))


def test_paths_are_marked_as_paths(definition: Definition) -> None:
    def check(node: Any, key: str = "") -> None:
        if isinstance(node, dict):
            for name, value in node.items():
                check(value, name)
        elif isinstance(node, list):
            for item in node:
                check(item, key)
        elif key.endswith(".$"):
            assert node.startswith(("$", "States.")), key
        elif key not in {"Variable", "ResultPath", "OutputPath", "MaxConcurrencyPath"}:
            assert not (isinstance(node, str) and node.startswith("$.")), key

    check(definition)


def test_objects_are_spread_over_workers(stack: Synthesized, definition: Definition) -> None:
    replay = definition["States"]["Replay"]
    assert replay["ItemProcessor"]["ProcessorConfig"] == {
        "Mode": "DISTRIBUTED",
        "ExecutionType": "STANDARD",
    }
    assert replay["ItemReader"] == {
        "Resource": "${List}",
        "Parameters": {"Bucket": "${Bucket}", "Prefix.$": "$.prefix"},
    }
    assert replay["ItemBatcher"] == {
        "MaxItemsPerBatch": 5,
        "BatchInput": {
            f"{name}.$": f"$.{name}" for name in ("job", "filter", "rate", "limit", "force")
        },
    }
    assert set(replay["ItemSelector"]) == {"Key.$", "Size.$"}
    assert replay["MaxConcurrencyPath"] == "$.concurrency"
    assert replay["ToleratedFailurePercentage"] == 0
    assert replay["ResultWriter"] == {
        "Resource": "${Write}",
        "Parameters": {
            "Bucket": "${Bucket}",
            "Prefix.$": "States.Format('jobs/replay/{}', $.job)",
        },
    }
    _, machine = stack.one("AWS::StepFunctions::StateMachine")
    arn = {name: f"arn:<AWS::Partition>:states:::{call}" for name, call in CALLS.items()}
    substitutions = machine["DefinitionSubstitutions"]
    assert {name: written(substitutions[name]) for name in CALLS} == arn
    assert substitutions["Bucket"] == {"Ref": stack.one("AWS::S3::Bucket")[0]}


def test_the_worker_is_called_with_its_batch_and_retries(
    stack: Synthesized, definition: Definition
) -> None:
    (work,) = definition["States"]["Replay"]["ItemProcessor"]["States"].values()
    worker, function = stack.one("AWS::Lambda::Function", "ReplayWorker")
    _, machine = stack.one("AWS::StepFunctions::StateMachine")
    assert machine["DefinitionSubstitutions"]["Worker"] == {"Fn::GetAtt": [worker, "Arn"]}
    assert work["Resource"] == "${Invoke}"
    # The input of a batch is {"BatchInput": …, "Items": […]}, and it goes on as it is.
    assert work["Parameters"] == {"FunctionName": "${Worker}", "Payload.$": "$"}
    assert work["OutputPath"] == "$.Payload"
    assert work["TimeoutSeconds"] > function["Timeout"] == 900
    ours, later = work["Retry"]
    assert {"Lambda.TooManyRequestsException", "Lambda.ServiceException"} <= set(
        ours["ErrorEquals"]
    )
    assert ours["MaxAttempts"] >= 5
    # Lambda reports an exception by the name of its class.
    assert set(later["ErrorEquals"]) == {StreamUnreachableError.__name__, ArchiveReadError.__name__}
    for retry in work["Retry"]:
        assert retry["BackoffRate"] > 1
        assert retry["JitterStrategy"] == "FULL"


def test_the_workflow_logs_and_traces(stack: Synthesized) -> None:
    logs, _ = stack.one("AWS::Logs::LogGroup", "ReplayLogs")
    role, _ = stack.one("AWS::IAM::Role", "ReplayWorkflowRole")
    _, machine = stack.one("AWS::StepFunctions::StateMachine")
    assert machine["StateMachineName"] == "MozDef-EF-ingest-test-replay"
    assert machine["StateMachineType"] == "STANDARD"
    assert machine["RoleArn"] == {"Fn::GetAtt": [role, "Arn"]}
    assert machine["TracingConfiguration"] == {"Enabled": True}
    destination = {"CloudWatchLogsLogGroup": {"LogGroupArn": {"Fn::GetAtt": [logs, "Arn"]}}}
    assert machine["LoggingConfiguration"] == {
        "Destinations": [destination],
        "IncludeExecutionData": False,
        "Level": "ALL",
    }


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, str]]:
    """The workflow in the emulator, which knows no distributed map: a step takes its place."""
    definition = replay_definition(900)
    definition["States"]["Replay"] = {"Type": "Pass", "End": True}
    del definition["States"]["Done"]
    folder = tmp_path_factory.mktemp("states")
    with Emulator(folder, region="us-west-2", services=["states"]) as emulator:
        client = emulator.client("stepfunctions")
        created = client.create_state_machine(
            name="replay",
            definition=json.dumps(definition),
            roleArn="arn:aws:iam::000000000000:role/replay",
        )
        yield client, created["stateMachineArn"]


def run(machine: tuple[Any, str], given: dict[str, Any]) -> dict[str, Any]:
    client, arn = machine
    execution = client.start_execution(stateMachineArn=arn, input=json.dumps(given))
    end = time.monotonic() + 600
    while True:
        found: dict[str, Any] = client.describe_execution(executionArn=execution["executionArn"])
        if found["status"] != "RUNNING":
            return found
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize(
    "given",
    [
        {"job": "j", "prefix": "rejected/source=github/dt=2026-11-23/"},
        {"job": "j", "prefix": "aws/lambda/", "rate": 0.5, "limit": 1, "force": True},
        {"job": "j", "prefix": "raw/", "filter": {"ids": ["a"]}, "concurrency": 100},
        {"job": "j", "prefix": "quarantine/source=github/", "concurrency": 1},
    ],
)
def test_what_an_input_leaves_out_has_a_default(
    machine: tuple[Any, str], given: dict[str, Any]
) -> None:
    found = run(machine, given)
    assert found["status"] == "SUCCEEDED"
    assert json.loads(found["output"]) == {**DEFAULTS, **given}


@pytest.mark.parametrize(
    "wrong",
    [
        {"job": None},
        {"job": 7},
        {"prefix": None},
        {"prefix": "jobs/replay/"},
        {"prefix": ""},
        {"rate": "fast"},
        {"rate": 0},
        {"limit": "3"},
        {"force": "yes"},
        {"concurrency": 0},
        {"concurrency": 101},
    ],
)
def test_a_wrong_input_starts_no_worker(machine: tuple[Any, str], wrong: dict[str, Any]) -> None:
    changed = {"job": "j", "prefix": "raw/", **wrong}
    given = {name: value for name, value in changed.items() if value is not None}
    found = run(machine, given)
    assert (found["status"], found["error"]) == ("FAILED", "WrongInput")


def test_the_worker_reads_what_the_workflow_gives_it(definition: Definition) -> None:
    replay = definition["States"]["Replay"]
    given = {**DEFAULTS, "job": "replay-20261123T120000-abcd"}
    shared = {
        name.removesuffix(".$"): given[path.removeprefix("$.")]
        for name, path in replay["ItemBatcher"]["BatchInput"].items()
    }
    item = {name.removesuffix(".$"): "1" for name in replay["ItemSelector"]}
    batch = Batch.read({"BatchInput": shared, "Items": [item]})
    assert (batch.job, batch.rate, batch.limit) == (given["job"], 200, 3)
    assert len(batch.objects) == 1
