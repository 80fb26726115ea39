"""`--enforce-iam`: a call that the template does not allow is refused as AWS refuses it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from local.emulator import client
from local.iam.calls import CALLS_FILE, read_calls
from local.iam.enforcement import NotAllowedError
from local.iam.mode import IamMode
from local.supervisor import LocalRuntime
from tests.functional.local.small_stack import HANDLERS, messages, post, write_assembly
from tests.functional.local.support import wait_for

if TYPE_CHECKING:
    from pathlib import Path

    from local.endpoints import Endpoints


def arn(name: str, below: str = "") -> Any:
    whole = {"Fn::GetAtt": [name, "Arn"]}
    return {"Fn::Join": ["", [whole, below]]} if below else whole


def role(service: str, *allowed: tuple[str, Any]) -> dict[str, Any]:
    taken = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    statements = [{"Effect": "Allow", "Action": a, "Resource": to} for a, to in allowed]
    policy = {"PolicyName": "own", "PolicyDocument": {"Statement": statements}}
    properties = {
        "AssumeRolePolicyDocument": {"Statement": [taken]},
        "Policies": [policy] if statements else [],
    }
    return {"Type": "AWS::IAM::Role", "Properties": properties}


DELIVER = [
    *((f"kinesis:{name}", arn("Stream")) for name in ("DescribeStream", "DescribeStreamSummary")),
    *((f"kinesis:{name}", arn("Stream")) for name in ("GetRecords", "GetShardIterator")),
    ("kinesis:ListShards", arn("Stream")),
    ("s3:PutObject", arn("Archive", "/aws/lambda/*")),
    ("s3:ListBucket", arn("Archive")),
    ("sqs:SendMessage", arn("Queue")),
]


def stack(directory: Path, without: str = "") -> Path:
    """A small stack whose policies allow what it does, but for one action."""

    def function(handler: str, taken: str, **environment: Any) -> dict[str, Any]:
        properties = {
            "Runtime": "python3.13",
            "Handler": handler,
            "Timeout": 60,
            "Code": {"S3Bucket": "assets", "S3Key": "code.zip"},
            "Environment": {"Variables": environment},
            "Role": arn(taken),
        }
        return {"Type": "AWS::Lambda::Function", "Properties": properties}

    kept = [each for each in DELIVER if each[0] != without]
    changes = {
        "Role": role("apigateway.amazonaws.com", ("kinesis:PutRecord", arn("Stream"))),
        "DeliverRole": role("lambda.amazonaws.com", *kept),
        "AuthorizeRole": role("lambda.amazonaws.com"),
        "Deliver": function("handlers.deliver", "DeliverRole", QUEUE_URL={"Ref": "Queue"}),
        "Authorize": function("handlers.authorize", "AuthorizeRole"),
        "Invoke": {
            "Type": "AWS::Lambda::Permission",
            "Properties": {
                "Action": "lambda:InvokeFunction",
                "FunctionName": arn("Authorize"),
                "Principal": "apigateway.amazonaws.com",
            },
        },
    }
    if without == "lambda:InvokeFunction":
        changes.pop("Invoke")
    return write_assembly(directory, **changes)


def refused(where: Endpoints, service: Any, call: str, **arguments: Any) -> tuple[str, int, str]:
    """Make a call with the function's role; give the code, status and text of the refusal."""
    credentials = where.credentials.of_role("DeliverRole")
    own = client(
        service,
        endpoint_url=where.aws_endpoint_url,
        region=where.region,
        credentials=credentials,
    )
    with pytest.raises(ClientError) as caught:
        getattr(own, call)(**arguments)
    answer = caught.value.response
    error = answer["Error"]
    return error["Code"], answer["ResponseMetadata"]["HTTPStatusCode"], error.get("Message", "")


def test_what_is_not_allowed_is_refused_in_each_service_s_own_words(
    tmp_path: Path, state: Path
) -> None:
    assembly = stack(tmp_path / "cdk.out", without="sqs:SendMessage")
    assert "sqs.send_message" in HANDLERS
    with LocalRuntime(assembly, state=state, port=None, iam=IamMode.ENFORCE) as runtime:
        where = runtime.endpoints
        assert post(where, "an event") == 200
        log = state / "logs" / "Deliver.log"
        wait_for(lambda: log.exists() and "not authorized to perform" in log.read_text(), "refusal")
        assert "sqs:SendMessage" in log.read_text()
        assert messages(where) == []
        table = {"TableName": where.dedupe_table, "Key": {"pk": {"S": "1"}}}
        bucket, url = where.archive_bucket, where.dead_letter_queue
        json = ("AccessDeniedException", 400)
        record = {"StreamName": where.stream, "Data": b"", "PartitionKey": "k"}
        secret = {"Name": "/small/hook/test/auth_token", "WithDecryption": True}
        assert refused(where, "kinesis", "put_record", **record)[:2] == json
        assert refused(where, "dynamodb", "get_item", **table)[:2] == json
        assert refused(where, "ssm", "get_parameter", **secret)[:2] == json
        assert refused(where, "sqs", "receive_message", QueueUrl=url)[:2] == ("AccessDenied", 403)
        code, status, text = refused(where, "s3", "get_object", Bucket=bucket, Key="a&b")
        assert (code, status) == ("AccessDenied", 403)
        assert f"s3:GetObject on resource: arn:aws:s3:::{bucket}/a&b" in text
        assert 'missing in the policies of DeliverRole: {"Effect": "Allow"' in text
        assert refused(where, "s3", "head_object", Bucket=bucket, Key="a")[1] == 403
        # Who runs the pipeline is no role of it, and may do everything.
        operator = client(
            "s3",
            endpoint_url=where.aws_endpoint_url,
            region=where.region,
            credentials=where.credentials,
        )
        assert operator.list_objects_v2(Bucket=bucket)["KeyCount"] >= 0
        stack(assembly, without="nothing")
        runtime.reload()
        assert post(where, "allowed") == 200
        wait_for(lambda: messages(where) == ["allowed"], "the policies of the reload do not count")
    actions = {call.action for call in read_calls(state / CALLS_FILE)}
    assert {"kinesis:PutRecord", "kinesis:GetRecords", "sqs:SendMessage"} <= actions


def test_a_front_door_that_may_not_invoke_its_authorizer_answers_500(
    tmp_path: Path, state: Path
) -> None:
    assembly = stack(tmp_path / "cdk.out", without="lambda:InvokeFunction")
    with LocalRuntime(assembly, state=state, port=None, iam=IamMode.ENFORCE) as runtime:
        assert post(runtime.endpoints, "an event") == 500
    said = (state / "logs" / "gateway.log").read_text()
    assert "apigateway.amazonaws.com may not lambda:InvokeFunction" in said
    assert "/authorizers/Authorizer" in said


def test_a_mapping_that_lambda_would_not_make_ends_the_start(tmp_path: Path, state: Path) -> None:
    assembly = stack(tmp_path / "cdk.out", without="s3:PutObject")
    with pytest.raises(NotAllowedError) as caught:
        LocalRuntime(assembly, state=state, port=None, iam=IamMode.ENFORCE).start()
    (line,) = caught.value.lines
    assert line.startswith("DeliverRole may not s3:PutObject on arn:aws:s3:::")
    assert "(the mapping Mapping): no statement allows it" in line
