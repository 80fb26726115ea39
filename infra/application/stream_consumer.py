"""A function that reads the stream, and the event source mapping that feeds it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import aws_iam as iam
from aws_cdk import aws_kinesis as kinesis
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.application.archive_access import acknowledge_prefixes, list_objects, write_objects
from infra.application.functions import PipelineFunction
from pipeline.archive.keys import FAILED_PREFIX

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aws_cdk import aws_s3 as s3

    from infra.application.functions import FunctionPackage
    from settings import deployment

_ONE_OBJECT_A_BATCH = "One object a batch, named by its records: the key varies."
_CHOSEN_BY_LAMBDA = "The mapping chooses the key below this prefix."


class StreamConsumer(Construct):
    """A consumer of the stream; what it fails to process goes, payload included, to the archive.

    Parameters
    ----------
    construct_id : str
        The name within it, and the name of the function within the consumer.
    permissions : Mapping[str, Sequence[iam.PolicyStatement]]
        What it may do besides reading the stream and writing to the archive.
    stream : kinesis.Stream
        Where records come from.
    maximum_record_age_seconds : int
        When a record is given up.
    prefixes : Sequence[str]
        Where in the archive the function writes.
    enhanced_fan_out : bool
        Whether records are pushed to it, with read throughput of its own.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        package: FunctionPackage,
        handler: str,
        description: str,
        environment: Mapping[str, str],
        permissions: Mapping[str, Sequence[iam.PolicyStatement]],
        settings: deployment.ConsumerSettings,
        stream: kinesis.Stream,
        maximum_record_age_seconds: int,
        bucket: s3.Bucket,
        prefixes: Sequence[str],
        parallelization_factor: int = 1,
        enhanced_fan_out: bool = False,
    ) -> None:
        super().__init__(scope, construct_id)
        reader = None
        if enhanced_fan_out:
            reader = kinesis.CfnStreamConsumer(
                self, "Reader", consumer_name=construct_id, stream_arn=stream.stream_arn
            )
        function = PipelineFunction(
            self,
            construct_id,
            package=package,
            handler=handler,
            description=description,
            environment={**environment, "ARCHIVE_BUCKET": bucket.bucket_name},
            permissions={
                "ReadStream": _read_stream(stream, reader),
                **permissions,
                "WriteArchive": [write_objects(bucket, *prefixes)],
                # AWS Lambda Developer Guide, discarded batches: an S3 destination needs to list.
                "WriteFailed": [write_objects(bucket, FAILED_PREFIX), list_objects(bucket)],
            },
            memory_mb=settings.memory_mb,
            timeout_seconds=settings.timeout_seconds,
            reserved_concurrency=settings.reserved_concurrency,
        )
        self.function = function.function
        reasons = {**dict.fromkeys(prefixes, _ONE_OBJECT_A_BATCH), FAILED_PREFIX: _CHOSEN_BY_LAMBDA}
        acknowledge_prefixes(function.node.find_child("Role"), bucket, reasons)
        source = reader.attr_consumer_arn if reader else stream.stream_arn
        self._map(settings, source, maximum_record_age_seconds, bucket, parallelization_factor)

    def _map(
        self,
        settings: deployment.ConsumerSettings,
        source_arn: str,
        maximum_record_age_seconds: int,
        bucket: s3.Bucket,
        parallelization_factor: int,
    ) -> None:
        """Map the stream to the function.

        TRIM_HORIZON: with LATEST, what is put while the mapping is being created is missed.
        Retries are finite, so that a record that kills the function gives its shard free and ends,
        payload included, in the archive; an attempt that only splits the batch is not counted.
        The L2 construct would let the function read, list and delete the whole archive for the
        sake of the failure destination, which needs to put and to list.
        """
        destination = lambda_.CfnEventSourceMapping.OnFailureProperty(destination=bucket.bucket_arn)
        lambda_.CfnEventSourceMapping(
            self,
            "StreamMapping",
            function_name=self.function.function_name,
            event_source_arn=source_arn,
            starting_position="TRIM_HORIZON",
            batch_size=settings.batch_size,
            maximum_batching_window_in_seconds=settings.batching_window_seconds,
            parallelization_factor=parallelization_factor,
            bisect_batch_on_function_error=True,
            function_response_types=["ReportBatchItemFailures"],
            maximum_retry_attempts=settings.retry_attempts,
            maximum_record_age_in_seconds=maximum_record_age_seconds,
            destination_config=lambda_.CfnEventSourceMapping.DestinationConfigProperty(
                on_failure=destination
            ),
        )


def _read_stream(
    stream: kinesis.Stream, reader: kinesis.CfnStreamConsumer | None
) -> list[iam.PolicyStatement]:
    """Allow what a mapping needs; with enhanced fan-out, to subscribe (AWS Lambda, Kinesis)."""
    read = iam.PolicyStatement(
        actions=[
            "kinesis:DescribeStream",
            "kinesis:DescribeStreamSummary",
            "kinesis:GetRecords",
            "kinesis:GetShardIterator",
            "kinesis:ListShards",
        ],
        resources=[stream.stream_arn],
    )
    if reader is None:
        return [read]
    subscribe = iam.PolicyStatement(
        actions=["kinesis:DescribeStreamConsumer", "kinesis:SubscribeToShard"],
        resources=[reader.attr_consumer_arn],
    )
    return [read, subscribe]
