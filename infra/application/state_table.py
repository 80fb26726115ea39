"""A DynamoDB table of what the pipeline remembers: what was delivered, how far feeds are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from constructs import Construct

if TYPE_CHECKING:
    from aws_cdk import aws_kms as kms

    from settings.deployment_table import TableSettings


class StateTable(Construct):
    """Items by `pk`, restorable to any second, and kept when the stack goes.

    A new deduplication table would let a week of retries through as new. Without its positions, a
    new stack would begin each feed at `start_hours_ago`, and what lies between would be missing.

    Parameters
    ----------
    capacity : TableSettings, optional
        How its capacity is paid for; without, by request.
    expires : str, optional
        The attribute that says when an item goes, in epoch seconds; without one, none does.
    key : kms.IKey, optional
        Encrypts it; without one, the key that AWS manages does.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        capacity: TableSettings | None = None,
        expires: str | None = None,
        key: kms.IKey | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        bounds = capacity.bounds if capacity else None
        self.table = dynamodb.Table(
            self,
            "Table",
            partition_key=dynamodb.Attribute(name="pk", type=dynamodb.AttributeType.STRING),
            time_to_live_attribute=expires,
            encryption=dynamodb.TableEncryption.CUSTOMER_MANAGED if key else None,
            encryption_key=key,
            billing_mode=(
                dynamodb.BillingMode.PROVISIONED if bounds else dynamodb.BillingMode.PAY_PER_REQUEST
            ),
            read_capacity=bounds[0] if bounds else None,
            write_capacity=bounds[0] if bounds else None,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            removal_policy=RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
        )
        if bounds and capacity:
            self._scale(*bounds, capacity.target_percent)

    def _scale(self, least: int, most: int, target_percent: int) -> None:
        """Have Application Auto Scaling follow what is used.

        It adds capacity after two minutes above the target, and takes some away after 15 below it
        (Amazon DynamoDB Developer Guide, auto scaling). Within that time what is beyond the
        capacity and five minutes' worth of what was left unused is throttled.
        """
        for scaling in (
            self.table.auto_scale_read_capacity(min_capacity=least, max_capacity=most),
            self.table.auto_scale_write_capacity(min_capacity=least, max_capacity=most),
        ):
            scaling.scale_on_utilization(target_utilization_percent=target_percent)
