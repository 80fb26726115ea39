"""The reconciler: when it is called, what it is told, and that it may only read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.infra.policies import ROLE, granted, statements

if TYPE_CHECKING:
    from tests.infra.conftest import Synthesized

FUNCTION = "AWS::Lambda::Function"
HALF_AN_HOUR_AND_TWO_MORE_TRIES = {"MaximumEventAgeInSeconds": 1_800, "MaximumRetryAttempts": 2}


def test_a_rule_calls_it_at_one_minute_of_each_hour(stack: Synthesized) -> None:
    function, _ = stack.one(FUNCTION, "Reconciler")
    name, rule = stack.one("AWS::Events::Rule", "Reconciler")
    assert rule["ScheduleExpression"] == "cron(15 * * * ? *)"
    assert rule["State"] == "ENABLED"
    (target,) = rule["Targets"]
    assert target["Arn"] == {"Fn::GetAtt": [function, "Arn"]}
    assert json.loads(target["Input"]) == {}
    assert target["RetryPolicy"] == HALF_AN_HOUR_AND_TWO_MORE_TRIES
    callers = [
        permission["SourceArn"]["Fn::GetAtt"][0]
        for permission in stack.all("AWS::Lambda::Permission").values()
        if permission["FunctionName"] == {"Fn::GetAtt": [function, "Arn"]}
    ]
    assert callers == [name]


def test_a_call_that_failed_is_made_again_within_its_hour(stack: Synthesized) -> None:
    function, _ = stack.one(FUNCTION, "Reconciler")
    _, invoke = stack.one("AWS::Lambda::EventInvokeConfig", "Reconciler")
    expected = {"FunctionName": {"Ref": function}, "Qualifier": "$LATEST"}
    assert invoke == {**expected, **HALF_AN_HOUR_AND_TWO_MORE_TRIES}


def test_it_knows_whose_accounts_it_compares(stack: Synthesized) -> None:
    _, function = stack.one(FUNCTION, "Reconciler")
    assert function["Handler"] == "stream_processors.reconciler.handler"
    assert (function["Timeout"], function["MemorySize"]) == (900, 1_769)
    variables = function["Environment"]["Variables"]
    assert variables["ARCHIVE_BUCKET"] == {"Ref": stack.one("AWS::S3::Bucket")[0]}
    assert variables["FAN_OUT_FUNCTION"] == {"Ref": stack.one(FUNCTION, "FanOut")[0]}
    assert variables["ARCHIVER_FUNCTION"] == {"Ref": stack.one(FUNCTION, "Archiver")[0]}


def test_it_may_read_what_it_compares_and_nothing_else(stack: Synthesized) -> None:
    logs, _ = stack.one("AWS::Logs::LogGroup", "Reconciler")
    bucket, _ = stack.one("AWS::S3::Bucket")
    _, role = stack.one(ROLE, "ReconcilerRole")
    assert granted(role) == {
        ("logs:CreateLogStream", logs),
        ("logs:PutLogEvents", logs),
        ("xray:PutTelemetryRecords", "*"),
        ("xray:PutTraceSegments", "*"),
        ("s3:GetObject", f"{bucket}/raw/*"),
        ("s3:GetObject", f"{bucket}/ledger/*"),
        ("s3:GetObject", f"{bucket}/aws/lambda/*"),
        ("s3:ListBucket", bucket),
    }
    (conditions,) = [
        statement["Condition"]
        for policy in role["Policies"]
        for statement in statements(policy["PolicyDocument"])
        if "s3:ListBucket" in statement["Action"]
    ]
    wanted = ["raw/*", "ledger/*", "aws/lambda/*"]
    assert conditions == {"StringLike": {"s3:prefix": wanted}}
