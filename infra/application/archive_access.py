"""What a role may do with the archive: prefix by prefix, and never with all of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import aws_iam as iam

from infra.application.checks import acknowledge, wildcard

if TYPE_CHECKING:
    from collections.abc import Mapping

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
