"""The Kinesis data stream that every event passes."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_kinesis as kinesis
from constructs import Construct

if TYPE_CHECKING:
    from pipeline.deployment import Stream


class EventStream(Construct):
    """The stream, encrypted with the key that AWS manages for Kinesis.

    That key's policy lets every principal of the account use it through Kinesis, so nothing here
    needs a permission on a key.

    Parameters
    ----------
    scope : Construct
        The parent.
    construct_id : str
        The name within it.
    settings : Stream
        Mode, retention and record size.
    """

    def __init__(self, scope: Construct, construct_id: str, *, settings: Stream) -> None:
        super().__init__(scope, construct_id)
        on_demand = settings.mode == "on_demand"
        self.stream = kinesis.Stream(
            self,
            "Stream",
            stream_mode=(
                kinesis.StreamMode.ON_DEMAND if on_demand else kinesis.StreamMode.PROVISIONED
            ),
            shard_count=settings.shards,
            retention_period=Duration.hours(settings.retention_hours),
            encryption=kinesis.StreamEncryption.MANAGED,
            removal_policy=RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
        )
        resource = cast("kinesis.CfnStream", self.stream.node.default_child)
        resource.max_record_size_in_kib = settings.max_record_kib
