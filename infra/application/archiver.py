"""The archiver: stream to `raw/`, whatever the fan-out says of an event."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.application.stream_consumer import StreamConsumer
from pipeline.archive.keys import RAW_PREFIX

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_cdk import aws_kinesis as kinesis
    from aws_cdk import aws_s3 as s3
    from constructs import Construct

    from infra.application.functions import FunctionPackage
    from settings.deployment import Deployment


class ArchiverFunction(StreamConsumer):
    """The consumer that keeps everything.

    Its batches of a shard are processed one after the other, so that the objects of a shard hold
    its records in their order and without overlap; the audit relies on it.

    Parameters
    ----------
    stream : kinesis.Stream
        Where records come from.
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
        bucket: s3.Bucket,
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            package=package,
            handler="stream_processors.archiver.handler",
            description="Keeps everything that was on the stream",
            environment=environment,
            permissions={},
            settings=deployment.archiver,
            stream=stream,
            maximum_record_age_seconds=deployment.stream.maximum_record_age_seconds,
            bucket=bucket,
            prefixes=(RAW_PREFIX,),
        )
