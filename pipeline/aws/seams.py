# ruff: noqa: N803 - the names of parameters are boto3's
"""What the domain asks of AWS: one Protocol for each use of a service, and no method more.

The lean clients, boto3's clients and the tests' fakes all fit; `tests/unit/aws/test_seams.py` has
mypy see to it. Names, parameters and answers are boto3's. Only annotations name this module, so
it costs a cold start nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError

#: What a service answered: the members of the AWS API reference.
ServiceAnswer = Mapping[str, Any]
#: What a call that did not work has in the place of an answer.
Failure = ClientError | BotoCoreError


class Queue(Protocol):
    """Queues that are written to (Amazon SQS)."""

    def send_message_batches(
        self, calls: Sequence[Mapping[str, Any]], /
    ) -> Sequence[ServiceAnswer | Failure]:
        """Make several SendMessageBatch calls at once; an error is in the place of its answer."""
        ...


class Table(Protocol):
    """A table that is read and written in batches (Amazon DynamoDB)."""

    def batch_get_items(
        self, calls: Sequence[Mapping[str, Any]], /
    ) -> Sequence[ServiceAnswer | Failure]:
        """Make several BatchGetItem calls at once; an error is in the place of its answer."""
        ...

    def batch_write_items(
        self, calls: Sequence[Mapping[str, Any]], /
    ) -> Sequence[ServiceAnswer | Failure]:
        """Make several BatchWriteItem calls at once; an error is in the place of its answer."""
        ...


class LockTable(Protocol):
    """A table whose rows are changed under a condition (Amazon DynamoDB)."""

    def update_item(
        self,
        *,
        TableName: str,
        Key: Mapping[str, Any],
        UpdateExpression: str,
        ConditionExpression: str,
        ExpressionAttributeNames: Mapping[str, str],
        ExpressionAttributeValues: Mapping[str, Any],
        ReturnValues: Any,  # a Literal in boto3's stubs
    ) -> ServiceAnswer:
        """Change a row, or fail with ConditionalCheckFailedException."""
        ...


class Bucket(Protocol):
    """A bucket that is written to (Amazon S3)."""

    def put_object(self, *, Bucket: str, Key: str, Body: bytes, ContentType: str) -> ServiceAnswer:
        """Write an object."""
        ...


class ReadableBucket(Protocol):
    """A bucket that is read (Amazon S3)."""

    def get_object(
        self, *, Bucket: str, Key: str, Range: str = ..., IfMatch: str = ...
    ) -> ServiceAnswer:
        """Read an object, or a range of it."""
        ...

    def list_objects_v2(
        self,
        *,
        Bucket: str,
        Prefix: str,
        Delimiter: str = ...,
        StartAfter: str = ...,
        ContinuationToken: str = ...,
    ) -> ServiceAnswer:
        """List a page of keys."""
        ...


class Stream(Protocol):
    """A stream that takes one record at a time (Amazon Kinesis Data Streams)."""

    def put_record(self, *, StreamName: str, PartitionKey: str, Data: bytes) -> ServiceAnswer:
        """Put one record on the stream."""
        ...


class BatchStream(Protocol):
    """A stream that takes many records at once (Amazon Kinesis Data Streams)."""

    def put_records(self, *, StreamName: str, Records: Sequence[Any]) -> ServiceAnswer:
        """Put records on the stream; the answer says which of them were refused."""
        ...


class ShardedStream(Protocol):
    """A stream that tells its shards (Amazon Kinesis Data Streams)."""

    def list_shards(self, *, StreamName: str = ..., NextToken: str = ...) -> ServiceAnswer:
        """List a page of shards."""
        ...


class TargetStream(BatchStream, ShardedStream, Protocol):
    """A stream that a job writes to, shard by shard."""


class DescribedStream(Protocol):
    """A stream that says what it can take (Amazon Kinesis Data Streams)."""

    def describe_stream_summary(self, *, StreamName: str) -> ServiceAnswer:
        """Read mode, number of shards and largest record."""
        ...


class Parameters(Protocol):
    """The Parameter Store (AWS Systems Manager)."""

    def get_parameter(self, *, Name: str, WithDecryption: bool) -> ServiceAnswer:
        """Read one parameter."""
        ...


class WritableParameters(Parameters, Protocol):
    """The Parameter Store, for who may write a parameter."""

    def put_parameter(self, *, Name: str, Value: str, Type: str, Overwrite: bool) -> ServiceAnswer:
        """Write one parameter; the answer has its `Version`."""
        ...
