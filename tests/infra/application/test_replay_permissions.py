"""What the replay's worker and its workflow may do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.infra.policies import ROLE, TRACES, WITHOUT_RESOURCE, granted, statements

if TYPE_CHECKING:
    from tests.infra.conftest import Synthesized

CHILD_CALLS = ("Describe", "Redrive", "Stop")


def test_replay_worker_may_do_what_it_does_alone(stack: Synthesized) -> None:
    logs, _ = stack.one("AWS::Logs::LogGroup", "ReplayWorker")
    stream, _ = stack.one("AWS::Kinesis::Stream")
    bucket, _ = stack.one("AWS::S3::Bucket")
    _, role = stack.one(ROLE, "ReplayWorkerRole")
    replayable = ("raw", "rejected", "quarantine", "aws/lambda")
    read = (*replayable, "jobs/replay", "ledger")
    assert granted(role) == {
        ("logs:CreateLogStream", logs),
        ("logs:PutLogEvents", logs),
        *TRACES,
        ("kinesis:ListShards", stream),
        ("kinesis:PutRecords", stream),
        *(("s3:GetObject", f"{bucket}/{prefix}/*") for prefix in read),
        ("s3:ListBucket", bucket),
    }


def test_replay_workflow_may_do_what_it_does_alone(stack: Synthesized) -> None:
    worker, _ = stack.one("AWS::Lambda::Function", "ReplayWorker")
    bucket, _ = stack.one("AWS::S3::Bucket")
    _, role = stack.one(ROLE, "ReplayWorkflowRole")
    results = f"{bucket}/jobs/replay/*"
    states = "arn:<AWS::Partition>:states:<AWS::Region>:<AWS::AccountId>"
    execution = f"{states}:execution:MozDef-EF-ingest-test-replay"
    without_resource = {action for action, resource in granted(role) if resource == "*"}
    assert {pair for pair in granted(role) if pair[1] != "*"} == {
        ("lambda:InvokeFunction", worker),
        ("s3:ListBucket", bucket),
        ("s3:AbortMultipartUpload", results),
        ("s3:GetObject", results),
        ("s3:ListMultipartUploadParts", results),
        ("s3:PutObject", results),
        ("states:StartExecution", f"{states}:stateMachine:MozDef-EF-ingest-test-replay"),
        ("states:DescribeExecution", f"{execution}:*"),
        ("states:StopExecution", f"{execution}:*"),
        *((f"states:{name}Execution", f"{execution}/Objects:*") for name in CHILD_CALLS),
    }
    assert without_resource == WITHOUT_RESOURCE
    (listing,) = [
        statement
        for policy in role["Policies"]
        for statement in statements(policy["PolicyDocument"])
        if statement["Action"] == ["s3:ListBucket"]
    ]
    assert listing["Condition"] == {
        "StringLike": {"s3:prefix": ["raw/*", "rejected/*", "quarantine/*", "aws/lambda/*"]}
    }
