"""The fan-out function, and the event source mapping that feeds it from the stream."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.archive import FAILED_PREFIX, QUARANTINE_PREFIX, REJECTED_PREFIX
from infra.checks import acknowledge
from infra.functions import PipelineFunction, read_parameters
from pipeline.deployment import DeploymentError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aws_cdk import aws_dynamodb as dynamodb
    from aws_cdk import aws_kinesis as kinesis
    from aws_cdk import aws_s3 as s3
    from aws_cdk import aws_sqs as sqs

    from infra.functions import FunctionPackage
    from pipeline.deployment import Deployment

ENVIRONMENT_LIMIT = 4_096
"""AWS Lambda Developer Guide, quotas: bytes of all environment variables together."""

_OTHER_VARIABLES = 700
_QUEUE_URL = 60


class FanOut(Construct):
    """Stream to queues, with everything that fails on the way to the archive.

    Parameters
    ----------
    scope : Construct
        The parent.
    construct_id : str
        The name within it.
    package : FunctionPackage
        Code and layer.
    deployment : Deployment
        Sizes and batch settings.
    environment : Mapping[str, str]
        The variables that every function has.
    stream : kinesis.Stream
        Where records come from.
    queues : Mapping[str, sqs.Queue]
        Delivery queues by name.
    table : dynamodb.Table
        What was delivered.
    bucket : s3.Bucket
        The archive.
    parameter_arns : Sequence[str]
        The parameters that hold the signing secrets of its sources.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        package: FunctionPackage,
        deployment: Deployment,
        environment: Mapping[str, str],
        stream: kinesis.Stream,
        queues: Mapping[str, sqs.Queue],
        table: dynamodb.Table,
        bucket: s3.Bucket,
        parameter_arns: Sequence[str],
    ) -> None:
        super().__init__(scope, construct_id)
        settings = deployment.fan_out
        function = PipelineFunction(
            self,
            "FanOut",
            package=package,
            handler="stream_processors.fan_out.handler",
            description="Verifies, validates and deduplicates events, and hands them to MozDef",
            environment={
                **environment,
                "QUEUE_URLS": self._queue_urls(queues),
                "DEDUPE_TABLE": table.table_name,
                "ARCHIVE_BUCKET": bucket.bucket_name,
            },
            permissions={
                "ReadStream": [_read_stream(stream)],
                "ReadSecrets": read_parameters(parameter_arns),
                "Deduplicate": [_deduplicate(table)],
                "Deliver": [_deliver(queues)],
                "WriteRejected": [_write(bucket, REJECTED_PREFIX, QUARANTINE_PREFIX)],
                "WriteFailed": [_write(bucket, FAILED_PREFIX), _list(bucket)],
            },
            memory_mb=settings.memory_mb,
            timeout_seconds=settings.timeout_seconds,
            reserved_concurrency=settings.reserved_concurrency,
        )
        self.function = function.function
        _acknowledge_prefixes(function, bucket)
        self._map(deployment, stream, bucket)

    def _queue_urls(self, queues: Mapping[str, sqs.Queue]) -> str:
        prefix = len(Stack.of(self).stack_name) + _QUEUE_URL
        estimate = _OTHER_VARIABLES + sum(prefix + 2 * len(name) for name in queues)
        if estimate > ENVIRONMENT_LIMIT:
            raise DeploymentError(
                f"{len(queues)} delivery queues: their URLs do not fit the {ENVIRONMENT_LIMIT} "
                "bytes of a function's environment; spread the sources over more services"
            )
        return Stack.of(self).to_json_string(
            {name: queue.queue_url for name, queue in queues.items()}
        )

    def _map(self, deployment: Deployment, stream: kinesis.Stream, bucket: s3.Bucket) -> None:
        """Map the stream to the function.

        TRIM_HORIZON: with LATEST, what is put while the mapping is being created is missed.
        Retries are finite, so that a record that kills the function gives its shard free and ends,
        payload included, in the archive; an attempt that only splits the batch is not counted.
        The L2 construct would let the function read, list and delete the whole archive for the
        sake of the failure destination, which needs to put and to list.
        """
        settings = deployment.fan_out
        destination = lambda_.CfnEventSourceMapping.OnFailureProperty(destination=bucket.bucket_arn)
        lambda_.CfnEventSourceMapping(
            self,
            "StreamMapping",
            function_name=self.function.function_name,
            event_source_arn=stream.stream_arn,
            starting_position="TRIM_HORIZON",
            batch_size=settings.batch_size,
            maximum_batching_window_in_seconds=settings.batching_window_seconds,
            parallelization_factor=settings.parallelization_factor,
            bisect_batch_on_function_error=True,
            function_response_types=["ReportBatchItemFailures"],
            maximum_retry_attempts=settings.retry_attempts,
            maximum_record_age_in_seconds=deployment.stream.maximum_record_age_seconds,
            destination_config=lambda_.CfnEventSourceMapping.DestinationConfigProperty(
                on_failure=destination
            ),
        )


def _read_stream(stream: kinesis.Stream) -> iam.PolicyStatement:
    return iam.PolicyStatement(
        actions=[
            "kinesis:DescribeStream",
            "kinesis:DescribeStreamSummary",
            "kinesis:GetRecords",
            "kinesis:GetShardIterator",
            "kinesis:ListShards",
        ],
        resources=[stream.stream_arn],
    )


def _deduplicate(table: dynamodb.Table) -> iam.PolicyStatement:
    return iam.PolicyStatement(
        actions=["dynamodb:BatchGetItem", "dynamodb:BatchWriteItem"], resources=[table.table_arn]
    )


def _deliver(queues: Mapping[str, sqs.Queue]) -> iam.PolicyStatement:
    return iam.PolicyStatement(
        actions=["sqs:SendMessage"], resources=[queue.queue_arn for queue in queues.values()]
    )


def _write(bucket: s3.Bucket, *prefixes: str) -> iam.PolicyStatement:
    return iam.PolicyStatement(
        actions=["s3:PutObject"],
        resources=[bucket.arn_for_objects(f"{prefix}*") for prefix in prefixes],
    )


def _list(bucket: s3.Bucket) -> iam.PolicyStatement:
    """AWS Lambda Developer Guide, discarded batches: an S3 destination needs ListBucket as well."""
    return iam.PolicyStatement(actions=["s3:ListBucket"], resources=[bucket.bucket_arn])


def _acknowledge_prefixes(function: PipelineFunction, bucket: s3.Bucket) -> None:
    logical_id = Stack.of(bucket).get_logical_id(bucket.node.default_child)  # type: ignore[arg-type]
    acknowledge(
        function.node.find_child("Role"),
        {
            f"IAM5[Resource::<{logical_id}.Arn>/{prefix}*]": reason
            for prefix, reason in (
                (REJECTED_PREFIX, "One object a batch, named by its records: the key varies."),
                (QUARANTINE_PREFIX, "One object a batch, named by its records: the key varies."),
                (FAILED_PREFIX, "The mapping chooses the key below this prefix."),
            )
        },
    )
