"""The seams to AWS: what stands at one must fit, in its types and in its names.

mypy reads the assignments of this module; a client or a fake that has another signature fails
`make lint`. The tests see that each of them also has the methods when the code runs.
"""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from pipeline.aws import clients, seams
from pipeline.aws.account import Account
from pipeline.aws.s3_reading import ReadableS3
from pipeline.replay.job import JobBucket
from tests.support import fakes
from tests.support.polling import FakeCheckpoints
from tests.support.replay import FakeArchive, FakeKinesis

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_kinesis import KinesisClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_ssm import SSMClient

ACCOUNT = Account("us-west-2", "key", "secret", endpoint_url="http://127.0.0.1:9")
QUEUES: tuple[seams.Queue, ...] = (clients.Sqs(ACCOUNT), fakes.FakeSqs())
TABLES: tuple[seams.Table, ...] = (clients.DynamoDb(ACCOUNT), fakes.FakeDynamoDb())
BUCKETS: tuple[seams.Bucket, ...] = (clients.S3(ACCOUNT, "archive"), fakes.FakeS3())
STREAMS: tuple[seams.Stream, ...] = (clients.Kinesis(ACCOUNT), fakes.FakeStream())
WRITABLE_PARAMETERS: tuple[seams.WritableParameters, ...] = (
    clients.WritableSsm(ACCOUNT),
    fakes.FakeSsm(),
)
PARAMETERS: tuple[seams.Parameters, ...] = (clients.Ssm(ACCOUNT), fakes.FakeSsm())


def _client(service: Any) -> Any:
    return boto3.client(
        service,
        region_name="us-west-2",
        aws_access_key_id="key",
        aws_secret_access_key="secret",
    )


DYNAMODB: DynamoDBClient = _client("dynamodb")
KINESIS: KinesisClient = _client("kinesis")
S3: S3Client = _client("s3")
SSM: SSMClient = _client("ssm")

LOCK_TABLES: tuple[seams.LockTable, ...] = (
    clients.LockDynamoDb(ACCOUNT),
    DYNAMODB,
    FakeCheckpoints(),
)
JOB_BUCKETS: tuple[JobBucket, ...] = (ReadableS3(ACCOUNT, "archive"), S3, FakeArchive())
READABLE_BUCKETS: tuple[seams.ReadableBucket, ...] = JOB_BUCKETS
BOTO_BUCKETS: tuple[seams.Bucket, ...] = (S3, FakeArchive())
TARGET_STREAMS: tuple[seams.TargetStream, ...] = (
    clients.TargetKinesis(ACCOUNT),
    KINESIS,
    FakeKinesis(),
)
DESCRIBED_STREAMS: tuple[seams.DescribedStream, ...] = (KINESIS, FakeKinesis())
BOTO_PARAMETERS: tuple[seams.Parameters, ...] = (SSM,)

FITTING: list[tuple[type, tuple[object, ...]]] = [
    (seams.Queue, QUEUES),
    (seams.Table, TABLES),
    (seams.Bucket, BUCKETS + BOTO_BUCKETS),
    (seams.Stream, STREAMS),
    (seams.Parameters, PARAMETERS + BOTO_PARAMETERS),
    (seams.WritableParameters, WRITABLE_PARAMETERS),
    (seams.LockTable, LOCK_TABLES),
    (seams.ReadableBucket, READABLE_BUCKETS),
    (JobBucket, JOB_BUCKETS),
    (seams.TargetStream, TARGET_STREAMS),
    (seams.DescribedStream, DESCRIBED_STREAMS),
]


ROOT = Path(__file__).parents[3]
CLIENT = re.compile(r"(sqs|ssm|s3|kinesis|dynamodb|client|stream|table)[a-z_]*")


def _methods(seam: type) -> list[str]:
    return [name for name, _ in inspect.getmembers(seam, inspect.isfunction) if name[0] != "_"]


@pytest.mark.parametrize(("seam", "implementations"), FITTING)
def test_what_stands_at_a_seam_has_its_methods(
    seam: type, implementations: tuple[object, ...]
) -> None:
    assert _methods(seam)
    for implementation in implementations:
        for name in _methods(seam):
            assert callable(getattr(implementation, name)), (implementation, name)


@pytest.mark.parametrize(
    "seam",
    [
        seams.Queue,
        seams.Table,
        seams.LockTable,
        seams.Bucket,
        JobBucket,
        seams.Stream,
        seams.TargetStream,
        seams.Parameters,
        seams.WritableParameters,
    ],
)
def test_a_lean_client_has_no_method_that_no_seam_asks_for(seam: type) -> None:
    lean = next(one for known, some in FITTING for one in some if known is seam)
    assert {name for name in dir(lean) if name[0] != "_"} == set(_methods(seam))


@pytest.mark.parametrize("package", ["pipeline", "ingest_lambdas", "stream_processors"])
def test_no_client_is_taken_for_anything(package: str) -> None:
    paths = sorted((ROOT / package).rglob("*.py"))
    assert paths
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.arg | ast.AnnAssign) and node.annotation is not None:
                name = node.arg if isinstance(node, ast.arg) else ast.unparse(node.target)
                if CLIENT.fullmatch(name):
                    assert ast.unparse(node.annotation) != "Any", f"{path}:{node.lineno} {name}"
