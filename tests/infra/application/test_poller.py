"""The poller: what it fetches, when, and what it may do."""

from __future__ import annotations

import json
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import pytest

from tests.infra.linting import lint
from tests.infra.policies import ROLE, granted, written
from tests.infra.polled_sources import VARIABLES, settings, write_sources

if TYPE_CHECKING:
    from collections.abc import Callable

    from settings.deployment import Deployment
    from tests.infra.conftest import Synthesized


@pytest.fixture(scope="module")
def polling_stack(
    synthesized: Callable[[Deployment], Synthesized], tmp_path_factory: pytest.TempPathFactory
) -> Synthesized:
    folder = write_sources(tmp_path_factory.mktemp("polled"))
    return synthesized(settings(folder, {"audit": {"variables": VARIABLES}}))


def rules_of_the_poller(stack: Synthesized) -> dict[str, dict[str, Any]]:
    rules = stack.all("AWS::Events::Rule")
    return {name: rule for name, rule in rules.items() if name.startswith("Poller")}


def test_each_feed_has_a_rule_that_names_it(polling_stack: Synthesized) -> None:
    function, _ = polling_stack.one("AWS::Lambda::Function", "Poller")
    rules = rules_of_the_poller(polling_stack)
    found = {}
    for name, rule in rules.items():
        (target,) = rule["Targets"]
        assert target["Arn"] == {"Fn::GetAtt": [function, "Arn"]}
        assert target["RetryPolicy"] == {
            "MaximumRetryAttempts": 0,
            "MaximumEventAgeInSeconds": 60,
        }
        assert rule["State"] == "ENABLED"
        found[name] = (json.loads(target["Input"]), rule["ScheduleExpression"])
    assert sorted(found.values(), key=str) == [
        ({"source": "audit", "feed": "changes"}, "rate(5 minutes)"),
        ({"source": "audit", "feed": "logins"}, "rate(5 minutes)"),
        ({"source": "plain", "feed": "all"}, "rate(1 minute)"),
    ]


def test_lambda_tries_no_call_again(polling_stack: Synthesized) -> None:
    function, _ = polling_stack.one("AWS::Lambda::Function", "Poller")
    _, invoke = polling_stack.one("AWS::Lambda::EventInvokeConfig", "Poller")
    assert invoke == {
        "FunctionName": {"Ref": function},
        "MaximumEventAgeInSeconds": 60,
        "MaximumRetryAttempts": 0,
        "Qualifier": "$LATEST",
    }


def test_only_its_rules_may_call_it(polling_stack: Synthesized) -> None:
    """By one permission: a function's policy has no room for one of each of many feeds."""
    function, _ = polling_stack.one("AWS::Lambda::Function", "Poller")
    (permission,) = [
        permission
        for permission in polling_stack.all("AWS::Lambda::Permission").values()
        if permission["FunctionName"] == {"Fn::GetAtt": [function, "Arn"]}
    ]
    assert permission["Principal"] == "events.amazonaws.com"
    allowed = written(permission["SourceArn"]).rpartition(":rule/")[2]
    assert allowed.endswith("-poll-*")
    assert allowed.count("*") == 1
    rules = polling_stack.all("AWS::Events::Rule")
    for logical_id, rule in rules.items():
        is_of_the_poller = logical_id in rules_of_the_poller(polling_stack)
        name = rule.get("Name", logical_id)
        assert fnmatchcase(name, allowed) is is_of_the_poller, name
        assert len(name) <= 64
    names = [rule["Name"] for rule in rules.values() if "Name" in rule]
    assert len(names) == len(set(names)) == len(rules_of_the_poller(polling_stack))


def test_it_may_do_what_it_does_alone(polling_stack: Synthesized) -> None:
    logs, _ = polling_stack.one("AWS::Logs::LogGroup", "Poller")
    stream, _ = polling_stack.one("AWS::Kinesis::Stream")
    table, _ = polling_stack.one("AWS::DynamoDB::Table", "Checkpoints")
    bucket, _ = polling_stack.one("AWS::S3::Bucket")
    _, role = polling_stack.one(ROLE, "PollerRole")
    parameter = "arn:<AWS::Partition>:ssm:<AWS::Region>:<AWS::AccountId>:parameter/MozDef-EF"
    assert granted(role) == {
        ("logs:CreateLogStream", logs),
        ("logs:PutLogEvents", logs),
        ("xray:PutTelemetryRecords", "*"),
        ("xray:PutTraceSegments", "*"),
        ("dynamodb:UpdateItem", table),
        ("kinesis:ListShards", stream),
        ("kinesis:PutRecords", stream),
        ("s3:PutObject", f"{bucket}/rejected/*"),
        ("ssm:GetParameter", f"{parameter}/audit/test/api_credential"),
        ("ssm:GetParameter", f"{parameter}/plain/test/api_credential"),
    }


def test_it_knows_where_everything_is(polling_stack: Synthesized) -> None:
    _, function = polling_stack.one("AWS::Lambda::Function", "Poller")
    variables = function["Environment"]["Variables"]
    table, _ = polling_stack.one("AWS::DynamoDB::Table", "Checkpoints")
    assert function["Handler"] == "ingest_lambdas.poller.handler"
    assert function["Timeout"] == 300
    assert "ReservedConcurrentExecutions" not in function
    assert variables["CHECKPOINT_TABLE"] == {"Ref": table}
    assert variables["STREAM_NAME"] == {"Ref": polling_stack.one("AWS::Kinesis::Stream")[0]}
    assert variables["MAX_RECORD_KIB"] == "1024"
    assert variables["ARCHIVE_BUCKET"] == {"Ref": polling_stack.one("AWS::S3::Bucket")[0]}
    assert (variables["PROJECT"], variables["STAGE"]) == ("MozDef-EF", "test")
    assert json.loads(variables["POLL_TARGETS"]) == {
        "audit": {
            "base_url": "https://mine.example.com/api",
            "variables": VARIABLES,
            "start_hours_ago": 48,
        },
        "plain": {
            "base_url": "https://plain.example.com",
            "variables": {},
            "start_hours_ago": 24,
        },
    }


def test_checkpoints_are_kept(polling_stack: Synthesized) -> None:
    name, table = polling_stack.one("AWS::DynamoDB::Table", "Checkpoints")
    assert table["KeySchema"] == [{"AttributeName": "pk", "KeyType": "HASH"}]
    assert table["AttributeDefinitions"] == [{"AttributeName": "pk", "AttributeType": "S"}]
    assert table["BillingMode"] == "PAY_PER_REQUEST"
    assert table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] is True
    assert "TimeToLiveSpecification" not in table
    resource = polling_stack.document["Resources"][name]
    assert resource["DeletionPolicy"] == "RetainExceptOnCreate"
    assert resource["UpdateReplacePolicy"] == "Retain"
    assert polling_stack.document["Outputs"]["CheckpointTableName"]["Value"] == {"Ref": name}


def test_a_polled_source_has_no_route(polling_stack: Synthesized) -> None:
    routes = {
        route["PathPart"] for route in polling_stack.all("AWS::ApiGateway::Resource").values()
    }
    assert routes == {"generic"}
    parts = polling_stack.document["Outputs"]["Sources"]["Value"]["Fn::Join"][1]
    text = "".join(part if isinstance(part, str) else part["Ref"] for part in parts)
    described = json.loads(text)["audit"]
    assert described["ingest"] == "poll"
    assert described.get("route") is None
    assert described["parameter"] == "/MozDef-EF/audit/test/api_credential"


def test_the_rules_of_aws_are_kept(polling_stack: Synthesized) -> None:
    report = json.loads((polling_stack.folder / "validation-report.json").read_text())
    assert report["pluginReports"] == []
    assert [str(match) for match in lint(polling_stack.template)] == []


def test_a_stack_that_polls_nothing_has_no_poller(stack: Synthesized) -> None:
    assert not rules_of_the_poller(stack)
    assert not [name for name in stack.all("AWS::Lambda::Function") if "Poller" in name]
    assert "CheckpointTableName" not in stack.document["Outputs"]
