"""What makes clients of the services, with the types that boto3-stubs gives them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol, overload

if TYPE_CHECKING:
    from botocore.client import BaseClient
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_kinesis import KinesisClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_ssm import SSMClient


class Clients(Protocol):
    """Makes boto3's client of a service."""

    @overload
    def __call__(self, service: Literal["cloudformation"], /) -> CloudFormationClient: ...
    @overload
    def __call__(self, service: Literal["dynamodb"], /) -> DynamoDBClient: ...
    @overload
    def __call__(self, service: Literal["kinesis"], /) -> KinesisClient: ...
    @overload
    def __call__(self, service: Literal["s3"], /) -> S3Client: ...
    @overload
    def __call__(self, service: Literal["sqs"], /) -> SQSClient: ...
    @overload
    def __call__(self, service: Literal["ssm"], /) -> SSMClient: ...
    @overload
    def __call__(self, service: str, /) -> BaseClient: ...
