"""A rule of the template in the running stack: its function is called, and its events arrive."""

from __future__ import annotations

import json
from textwrap import dedent
from typing import TYPE_CHECKING, Any

import pytest

from local.supervisor import LocalRuntime
from local.template import TemplateError
from tests.functional.local.small_stack import HANDLERS, messages, post, write_assembly
from tests.functional.local.support import wait_for, wait_for_status, wait_until_gone

if TYPE_CHECKING:
    from pathlib import Path

FETCH = """
    kinesis = boto3.client("kinesis")

    def fetch(event, context):
        if event["feed"] == "broken":
            raise KeyError("no such feed")
        time.sleep(event.get("seconds", 0))
        for number in range(3):
            kinesis.put_record(StreamName=os.environ["STREAM"], PartitionKey=str(number),
                               Data=f"{event['feed']} {number}".encode())
"""


def rule(event: dict[str, Any], **changes: Any) -> dict[str, Any]:
    target = {
        "Arn": {"Fn::GetAtt": ["Fetch", "Arn"]},
        "Id": "Target0",
        "Input": json.dumps(event),
        "RetryPolicy": {"MaximumRetryAttempts": 0},
    }
    return {
        "Type": "AWS::Events::Rule",
        "Properties": {"ScheduleExpression": "rate(1 hour)", "Targets": [target], **changes},
    }


def scheduled(folder: Path, **rules: dict[str, Any]) -> Path:
    function = {
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "Runtime": "python3.13",
            "Handler": "handlers.fetch",
            "Timeout": 60,
            "Code": {"S3Bucket": "assets", "S3Key": "code.zip"},
            "Environment": {"Variables": {"STREAM": {"Ref": "Stream"}}},
        },
    }
    assembly = write_assembly(folder, Fetch=function, **rules)
    (assembly / "asset.code" / "handlers.py").write_text(dedent(HANDLERS) + dedent(FETCH))
    return assembly


def test_what_is_fetched_arrives_beside_what_is_sent(tmp_path: Path, state: Path) -> None:
    assembly = scheduled(
        tmp_path / "cdk.out",
        One=rule({"feed": "one", "seconds": 1}),
        Broken=rule({"feed": "broken"}),
        Off=rule({"feed": "off"}, State="DISABLED"),
    )
    with LocalRuntime(assembly, state=state, port=None) as runtime:
        where = runtime.endpoints
        assert post(where, "sent") == 200
        # Without a word about how long that takes: idle means that the first run is over.
        assert runtime.wait_until_idle(60)
        assert messages(where) == ["one 0", "one 1", "one 2", "sent"]
        found = wait_for_status(state, lambda status: bool(status["idle"]))["schedules"]
    assert set(found) == {"One", "Broken"}
    assert (found["One"]["runs"], found["One"]["errors"]) == (1, 0)
    assert (found["Broken"]["runs"], found["Broken"]["errors"]) == (1, 1)
    assert found["Broken"]["last_error"] == "KeyError: 'no such feed'"


def test_a_run_in_progress_does_not_hold_up_the_end(tmp_path: Path, state: Path) -> None:
    assembly = scheduled(tmp_path / "cdk.out", Slow=rule({"feed": "slow", "seconds": 50}))
    runtime = LocalRuntime(assembly, state=state, port=None)
    with runtime:
        # Emulator, gateway, the mapping's function and this one.
        wait_for(lambda: len(runtime.pids()) == 4, "its function never started")
        pids = runtime.pids()
        assert not runtime.status()["idle"]
    wait_until_gone(pids, 0)


def test_a_rule_that_cannot_run_is_refused_at_the_start(tmp_path: Path, state: Path) -> None:
    assembly = scheduled(
        tmp_path / "cdk.out", Cron=rule({"feed": "x"}, ScheduleExpression="cron(0 12 * * ? *)")
    )
    runtime = LocalRuntime(assembly, state=state, port=None)
    with pytest.raises(TemplateError, match="Cron: ScheduleExpression 'cron"):
        runtime.start()
    assert not (state / "endpoints.json").exists()
