"""The Kinesis data stream that every event passes."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_kinesis as kinesis
from constructs import Construct

from infra.application.checks import acknowledge

if TYPE_CHECKING:
    from aws_cdk import aws_kms as kms

    from settings.deployment import StreamSettings


class EventStream(Construct):
    """The stream.

    The policy of its key, the stack's own as that of AWS, lets every principal of the account use
    it through Kinesis, so no role here needs a permission on a key.

    Parameters
    ----------
    key : kms.IKey, optional
        Encrypts it; without one, the key that AWS manages does.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: StreamSettings,
        key: kms.IKey | None = None,
    ) -> None:
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
            encryption=kinesis.StreamEncryption.KMS if key else kinesis.StreamEncryption.MANAGED,
            encryption_key=key,
            removal_policy=RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
        )
        if key is not None:
            acknowledge(
                self.stream,
                {
                    "KDS3": "The rule is about price: a key of one's own is billed, some dollars a "
                    "month. It can be disabled, and its use is in CloudTrail."
                },
            )
        resource = cast("kinesis.CfnStream", self.stream.node.default_child)
        resource.max_record_size_in_kib = settings.max_record_kib
