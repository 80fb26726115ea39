"""A DynamoDB table of what the pipeline remembers: what was delivered, how far feeds are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from constructs import Construct

if TYPE_CHECKING:
    from aws_cdk import aws_kms as kms


class StateTable(Construct):
    """Items by `pk`, billed by request, restorable to any second, and kept when the stack goes.

    A new deduplication table would let a week of retries through as new. Without its positions, a
    new stack would begin each feed at `start_hours_ago`, and what lies between would be missing.

    Parameters
    ----------
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
        expires: str | None = None,
        key: kms.IKey | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        self.table = dynamodb.Table(
            self,
            "Table",
            partition_key=dynamodb.Attribute(name="pk", type=dynamodb.AttributeType.STRING),
            time_to_live_attribute=expires,
            encryption=dynamodb.TableEncryption.CUSTOMER_MANAGED if key else None,
            encryption_key=key,
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            removal_policy=RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
        )
