"""Who may do what: every policy of the stack, action by action."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.infra.policies import ROLE, TRACES, WITHOUT_RESOURCE, granted, statements

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.infra.conftest import Synthesized


def parameter(name: str) -> str:
    return f"arn:<AWS::Partition>:ssm:<AWS::Region>:<AWS::AccountId>:parameter/{name}"


def test_api_gateway_may_put_records_on_this_stream_alone(stack: Synthesized) -> None:
    stream, _ = stack.one("AWS::Kinesis::Stream")
    role_id, role = stack.one(ROLE, "PutRecordRole")
    assert granted(role) == {("kinesis:PutRecord", stream)}
    assert "ManagedPolicyArns" not in role
    for method in stack.all("AWS::ApiGateway::Method").values():
        assert method["Integration"]["Credentials"] == {"Fn::GetAtt": [role_id, "Arn"]}


def test_authorizer_may_read_the_tokens_of_its_sources_alone(stack: Synthesized) -> None:
    logs, _ = stack.one("AWS::Logs::LogGroup", "Authorizer")
    _, role = stack.one(ROLE, "AuthorizerRole")
    tokens = [parameter(f"MozDef-EF/{name}/test/auth_token") for name in ("alarms", "generic")]
    assert granted(role) == {
        ("logs:CreateLogStream", logs),
        ("logs:PutLogEvents", logs),
        *TRACES,
        *(("ssm:GetParameter", token) for token in tokens),
    }


def test_fan_out_may_do_what_it_does_alone(stack: Synthesized) -> None:
    logs, _ = stack.one("AWS::Logs::LogGroup", "FanOut")
    stream, _ = stack.one("AWS::Kinesis::Stream")
    table, _ = stack.one("AWS::DynamoDB::Table")
    bucket, _ = stack.one("AWS::S3::Bucket")
    queues = [
        queue
        for queue, properties in stack.all("AWS::SQS::Queue").items()
        if "RedrivePolicy" in properties
    ]
    secret = parameter("MozDef-EF/github/test/signing_secret")
    _, role = stack.one(ROLE, "FanOutRole")
    assert granted(role) == {
        ("logs:CreateLogStream", logs),
        ("logs:PutLogEvents", logs),
        *TRACES,
        ("kinesis:DescribeStream", stream),
        ("kinesis:DescribeStreamSummary", stream),
        ("kinesis:GetRecords", stream),
        ("kinesis:GetShardIterator", stream),
        ("kinesis:ListShards", stream),
        ("ssm:GetParameter", secret),
        ("dynamodb:BatchGetItem", table),
        ("dynamodb:BatchWriteItem", table),
        *(("sqs:SendMessage", queue) for queue in queues),
        ("s3:PutObject", f"{bucket}/rejected/*"),
        ("s3:PutObject", f"{bucket}/quarantine/*"),
        ("s3:PutObject", f"{bucket}/ledger/*"),
        ("s3:PutObject", f"{bucket}/aws/lambda/*"),
        ("s3:ListBucket", bucket),
    }
    assert len(queues) == 3


def test_archiver_may_do_what_it_does_alone(stack: Synthesized) -> None:
    logs, _ = stack.one("AWS::Logs::LogGroup", "Archiver")
    stream, _ = stack.one("AWS::Kinesis::Stream")
    bucket, _ = stack.one("AWS::S3::Bucket")
    _, role = stack.one(ROLE, "ArchiverRole")
    assert granted(role) == {
        ("logs:CreateLogStream", logs),
        ("logs:PutLogEvents", logs),
        *TRACES,
        ("kinesis:DescribeStream", stream),
        ("kinesis:DescribeStreamSummary", stream),
        ("kinesis:GetRecords", stream),
        ("kinesis:GetShardIterator", stream),
        ("kinesis:ListShards", stream),
        ("s3:PutObject", f"{bucket}/raw/*"),
        ("s3:PutObject", f"{bucket}/aws/lambda/*"),
        ("s3:ListBucket", bucket),
    }


def test_there_are_no_other_roles_and_policies(stack: Synthesized) -> None:
    assert not stack.all("AWS::IAM::Policy")
    assert not stack.all("AWS::IAM::ManagedPolicy")
    managed = {name for name, role in stack.all(ROLE).items() if "ManagedPolicyArns" in role}
    (cloud_watch,) = managed
    assert "CloudWatchRole" in cloud_watch, "the account's own, with the policy that AWS documents"
    assert len(stack.all(ROLE)) == 8


def test_nothing_allows_every_action_or_every_resource(stack: Synthesized) -> None:
    seen = 0
    for name, resource in stack.document["Resources"].items():
        if resource["Type"] == "AWS::KMS::Key":
            continue  # in a key's policy, `*` is that key, and its account administers it
        if resource["Type"] == "AWS::WAFv2::WebACL":
            continue  # its statements say what a request is like, and allow nobody anything
        for document in policy_documents(resource["Properties"]):
            for statement in statements(document):
                if statement["Effect"] != "Allow":
                    continue
                seen += 1
                assert not any("*" in action for action in statement["Action"]), name
                if "*" in statement["Resource"]:
                    assert set(statement["Action"]) <= WITHOUT_RESOURCE, name
                assert statement.get("Principal") != "*", name
                assert statement.get("Principal") != {"AWS": "*"}, name
    assert seen > 10


def policy_documents(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        if "Statement" in node:
            yield node
        else:
            for value in node.values():
                yield from policy_documents(value)
    elif isinstance(node, list):
        for value in node:
            yield from policy_documents(value)


def test_tickets_come_from_this_account_alone(stack: Synthesized) -> None:
    queue, _ = stack.one("AWS::SQS::Queue", "DeadLetters")
    topic, _ = stack.one("AWS::SNS::Topic", "Tickets")
    _, policy = stack.one("AWS::SQS::QueuePolicy", "DeadLetters")
    allowed = [s for s in statements(policy["PolicyDocument"]) if s["Effect"] == "Allow"]
    assert len(allowed) == 1
    assert allowed[0]["Principal"] == {"Service": "sns.amazonaws.com"}
    assert allowed[0]["Action"] == ["sqs:SendMessage"]
    assert allowed[0]["Resource"] == [{"Fn::GetAtt": [queue, "Arn"]}]
    assert allowed[0]["Condition"] == {"ArnEquals": {"aws:SourceArn": {"Ref": topic}}}
    _, policy = stack.one("AWS::SNS::TopicPolicy", "Tickets")
    allowed = [s for s in statements(policy["PolicyDocument"]) if s["Effect"] == "Allow"]
    assert len(allowed) == 1
    assert allowed[0]["Principal"] == {"Service": "s3.amazonaws.com"}
    assert allowed[0]["Action"] == ["sns:Publish"]
    assert allowed[0]["Resource"] == [{"Ref": topic}]
    assert allowed[0]["Condition"] == {
        "StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
    }


@pytest.mark.parametrize("resource_type", ["AWS::SQS::QueuePolicy", "AWS::S3::BucketPolicy"])
def test_only_tls_is_taken(stack: Synthesized, resource_type: str) -> None:
    policies = stack.all(resource_type)
    owners = stack.all(resource_type.removesuffix("Policy"))
    assert len(policies) == len(owners)
    for policy in policies.values():
        denied = [s for s in statements(policy["PolicyDocument"]) if s["Effect"] == "Deny"]
        assert {"Bool": {"aws:SecureTransport": "false"}} in [s["Condition"] for s in denied]


def test_each_authorizer_alone_may_invoke_the_function(stack: Synthesized) -> None:
    authorizers = set(stack.all("AWS::ApiGateway::Authorizer"))
    invokers = set()
    for permission in stack.all("AWS::Lambda::Permission").values():
        if permission["Principal"] == "events.amazonaws.com":
            continue  # test_reconciler.py and test_poller.py say which rules may call
        assert permission["Principal"] == "apigateway.amazonaws.com"
        invokers.add(permission["SourceArn"]["Fn::Join"][1][-1]["Ref"])
    assert invokers == authorizers
