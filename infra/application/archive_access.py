"""What a role may do with the archive: prefix by prefix, and never with all of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from aws_cdk import aws_iam as iam

from infra.application.checks import acknowledge, wildcard
from pipeline.archive.keys import (
    FAILED_PREFIX,
    LEDGER_PREFIX,
    QUARANTINE_PREFIX,
    RAW_PREFIX,
    REJECTED_PREFIX,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_cdk import aws_lambda as lambda_
    from aws_cdk import aws_s3 as s3
    from constructs import IConstruct


def write_objects(bucket: s3.Bucket, *prefixes: str) -> iam.PolicyStatement:
    """Allow to write objects under prefixes.

    Parameters
    ----------
    *prefixes : str
        Each with the slash at its end.
    """
    return iam.PolicyStatement(actions=["s3:PutObject"], resources=_objects(bucket, prefixes))


def read_objects(bucket: s3.Bucket, *prefixes: str) -> iam.PolicyStatement:
    """Allow to read objects under prefixes.

    Parameters
    ----------
    *prefixes : str
        Each with the slash at its end.
    """
    return iam.PolicyStatement(actions=["s3:GetObject"], resources=_objects(bucket, prefixes))


def list_objects(bucket: s3.Bucket, *prefixes: str) -> iam.PolicyStatement:
    """Allow to list the archive.

    Parameters
    ----------
    *prefixes : str
        What the listing must ask for; everything when there are none.
    """
    wanted = {"StringLike": {"s3:prefix": [f"{prefix}*" for prefix in prefixes]}}
    return iam.PolicyStatement(
        actions=["s3:ListBucket"],
        resources=[bucket.bucket_arn],
        conditions=wanted if prefixes else None,
    )


def guard_archive(
    bucket: s3.Bucket,
    *,
    fan_out: lambda_.IFunction,
    archiver: lambda_.IFunction,
    poller: lambda_.IFunction | None,
) -> None:
    """Refuse each write, below the prefixes that a replay believes, of all but their own writers.

    The refusal is in the bucket's policy, so it holds against whatever another policy of the
    account allows: administrators and the root user are refused, too. Whoever may change that
    policy, or run code with one of the roles, gets past it.

    Notes
    -----
    - The failure destination of an event source mapping writes with its function's role (AWS
      Lambda Developer Guide, retaining discarded records in S3).
    - `aws:PrincipalArn` is the role's ARN also for a session of it, and a negated operator matches
      where a request has no such key, so nobody without a name gets through (IAM User Guide, global
      condition context keys; condition operators).
    - Copies, forms and multipart uploads are `s3:PutObject`; what a replication rule brings from
      another bucket is `s3:ReplicateObject` (Service Authorization Reference).
    """
    writers = {
        RAW_PREFIX: [archiver],
        LEDGER_PREFIX: [fan_out],
        QUARANTINE_PREFIX: [fan_out],
        REJECTED_PREFIX: [fan_out, *([poller] if poller else [])],
        FAILED_PREFIX: [fan_out, archiver],
    }
    for prefix, functions in writers.items():
        roles = [cast("iam.IRole", function.role).role_arn for function in functions]
        bucket.add_to_resource_policy(
            iam.PolicyStatement(
                sid=f"OwnWritersOf{prefix.title().replace('/', '')}",
                effect=iam.Effect.DENY,
                principals=[iam.AnyPrincipal()],
                actions=["s3:PutObject", "s3:ReplicateObject"],
                resources=_objects(bucket, (prefix,)),
                conditions={"StringNotEquals": {"aws:PrincipalArn": roles}},
            )
        )


def acknowledge_prefixes(
    construct: IConstruct, bucket: s3.Bucket, reasons: Mapping[str, str]
) -> None:
    """Accept that a role's policy ends in an asterisk below these prefixes.

    Parameters
    ----------
    reasons : Mapping[str, str]
        Prefix: why the keys below it cannot be listed.
    """
    acknowledge(
        construct,
        {
            wildcard(bucket, resource): reason
            for prefix, reason in reasons.items()
            for resource in _objects(bucket, (prefix,))
        },
    )


def _objects(bucket: s3.Bucket, prefixes: tuple[str, ...]) -> list[str]:
    return [bucket.arn_for_objects(f"{prefix}*") for prefix in prefixes]
