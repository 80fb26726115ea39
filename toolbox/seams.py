# ruff: noqa: N803 - the names of parameters are boto3's
"""What the operator's tools ask of AWS, beside the seams of `pipeline.aws`.

Names, parameters and answers are boto3's. A tool that a test gives a stand-in names a Protocol;
a factory of clients names boto3's own types, which only mypy sees.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, Protocol, overload

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_kinesis import KinesisClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_ssm import SSMClient

    from pipeline.aws.seams import ServiceAnswer


class TicketQueue(Protocol):
    """A queue whose messages are held hidden, and deleted one by one (Amazon SQS)."""

    def receive_message(
        self,
        *,
        QueueUrl: str,
        MaxNumberOfMessages: int,
        WaitTimeSeconds: int,
        VisibilityTimeout: int,
        AttributeNames: Sequence[Any],  # Literals in boto3's stubs
    ) -> ServiceAnswer:
        """Take up to ten messages."""
        ...

    def delete_message(self, *, QueueUrl: str, ReceiptHandle: str) -> object:
        """Delete one message."""
        ...

    def delete_message_batch(self, *, QueueUrl: str, Entries: Sequence[Any]) -> ServiceAnswer:
        """Delete up to ten messages; the answer says which could not be."""
        ...

    def change_message_visibility_batch(self, *, QueueUrl: str, Entries: Sequence[Any]) -> object:
        """Hide up to ten messages for longer, or give them back."""
        ...


class CountedQueue(Protocol):
    """A queue that says how many messages it has (Amazon SQS)."""

    def get_queue_attributes(
        self,
        *,
        QueueUrl: str,
        AttributeNames: Sequence[Any],  # Literals in boto3's stubs
    ) -> ServiceAnswer:
        """Read attributes."""
        ...


class CountedTicketQueue(TicketQueue, CountedQueue, Protocol):
    """A queue of tickets that says how many it has."""


class KeyedTable(Protocol):
    """A table whose items are read one by one (Amazon DynamoDB)."""

    def get_item(self, *, TableName: str, Key: Mapping[str, Any]) -> ServiceAnswer:
        """Read an item; the answer has no `Item` where there is none."""
        ...


class SecretParameters(Protocol):
    """Parameters that are read, described and written (AWS Systems Manager)."""

    def get_parameter(self, *, Name: str, WithDecryption: bool) -> ServiceAnswer:
        """Read one."""
        ...

    def describe_parameters(self, *, ParameterFilters: Sequence[Any]) -> ServiceAnswer:
        """Say with which key parameters are encrypted."""
        ...

    def put_parameter(
        self,
        *,
        Name: str,
        Value: str,
        Type: Literal["SecureString"],
        Overwrite: bool,
        KeyId: str = ...,
    ) -> object:
        """Write one."""
        ...


class Paginator(Protocol):
    """Asks for page after page."""

    def paginate(self, **request: Any) -> Iterable[ServiceAnswer]:
        """Return the pages of an answer."""
        ...


class Measurements(Protocol):
    """Metrics and alarms (Amazon CloudWatch)."""

    def get_paginator(
        self, operation: Literal["get_metric_data", "list_metrics", "describe_alarms"], /
    ) -> Paginator:
        """Return what asks for all pages of an operation."""
        ...


class FilteredLogs(Protocol):
    """Log events that are searched (Amazon CloudWatch Logs)."""

    def get_paginator(self, operation: Literal["filter_log_events"], /) -> Paginator:
        """Return what asks for all pages of a search."""
        ...


class DescribedFunctions(Protocol):
    """Functions that are described (AWS Lambda)."""

    def get_function_configuration(self, *, FunctionName: str) -> ServiceAnswer:
        """Read a function's settings, its variables included."""
        ...


class Workflows(Protocol):
    """Workflows (AWS Step Functions)."""

    def start_execution(self, *, stateMachineArn: str, name: str, input: str) -> ServiceAnswer:  # noqa: A002
        """Start one."""
        ...

    def describe_execution(self, *, executionArn: str) -> ServiceAnswer:
        """Say how one does."""
        ...


class Queries(Protocol):
    """Runs SQL over tables (Amazon Athena)."""

    def start_query_execution(
        self, *, QueryString: str, WorkGroup: str, QueryExecutionContext: Mapping[str, str]
    ) -> ServiceAnswer:
        """Start a query."""
        ...

    def batch_get_query_execution(self, *, QueryExecutionIds: Sequence[str]) -> ServiceAnswer:
        """Say how up to 50 queries do."""
        ...

    def stop_query_execution(self, *, QueryExecutionId: str) -> object:
        """Stop one."""
        ...


class DescribedTables(Protocol):
    """Tables that are described (AWS Glue)."""

    def get_table(self, *, DatabaseName: str, Name: str) -> ServiceAnswer:
        """Read a table's columns and properties."""
        ...


class Callers(Protocol):
    """Who calls (AWS Security Token Service)."""

    def get_caller_identity(self) -> ServiceAnswer:
        """Say who it is."""
        ...


class ServiceClients(Protocol):
    """Makes boto3's client of a service."""

    @overload
    def __call__(self, service: Literal["athena"], /) -> Queries: ...
    @overload
    def __call__(self, service: Literal["glue"], /) -> DescribedTables: ...
    @overload
    def __call__(self, service: Literal["cloudformation"], /) -> CloudFormationClient: ...
    @overload
    def __call__(self, service: Literal["cloudwatch"], /) -> Measurements: ...
    @overload
    def __call__(self, service: Literal["dynamodb"], /) -> DynamoDBClient: ...
    @overload
    def __call__(self, service: Literal["kinesis"], /) -> KinesisClient: ...
    @overload
    def __call__(self, service: Literal["lambda"], /) -> DescribedFunctions: ...
    @overload
    def __call__(self, service: Literal["logs"], /) -> FilteredLogs: ...
    @overload
    def __call__(self, service: Literal["s3"], /) -> S3Client: ...
    @overload
    def __call__(self, service: Literal["sqs"], /) -> SQSClient: ...
    @overload
    def __call__(self, service: Literal["ssm"], /) -> SSMClient: ...
    @overload
    def __call__(self, service: Literal["stepfunctions"], /) -> Workflows: ...
    @overload
    def __call__(self, service: Literal["sts"], /) -> Callers: ...
