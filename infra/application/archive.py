"""The archive bucket, and the dead-letter queue that holds a ticket for what needs someone."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra.application.checks import acknowledge
from infra.application.tickets import Tickets
from pipeline.archive.keys import (
    FAILED_PREFIX,
    JOBS_PREFIX,
    LEDGER_PREFIX,
    QUARANTINE_PREFIX,
    QUERY_RESULTS_PREFIX,
    RAW_PREFIX,
    REJECTED_PREFIX,
)

if TYPE_CHECKING:
    from aws_cdk import aws_kms as kms

    from settings import deployment

PASSING = (QUARANTINE_PREFIX, QUERY_RESULTS_PREFIX)
"""What expires soon, and of which no former version is kept."""

SMALL_OBJECTS_STAY = (
    s3.TransitionDefaultMinimumObjectSize.ALL_STORAGE_CLASSES_128_K  # S3's default, made explicit
)
"""Amazon S3 User Guide, transitions: cold storage bills an object of less as 128 KB."""


class Archive(Construct):
    """The bucket, its lifecycle, and its notifications.

    Each object under `rejected/` and `aws/lambda/` puts one ticket into the dead-letter queue, so
    that the queue's depth is the work that is outstanding. Nothing else makes one: `quarantine/`,
    because anyone on the internet can cause a bad signature, and the rest needs nobody.

    Parameters
    ----------
    key : kms.IKey, optional
        Encrypts both; without one, the keys that AWS manages do.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: deployment.ArchiveSettings,
        key: kms.IKey | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        self._key = key
        tickets = Tickets(self, "Tickets", key=key)
        self.dead_letters = tickets.queue(self, key)
        self.bucket = self._bucket(settings)
        tickets.notify(cast("s3.CfnBucket", self.bucket.node.default_child), self.dead_letters)

    def _bucket(self, settings: deployment.ArchiveSettings) -> s3.Bucket:
        bucket = s3.Bucket(
            self,
            "Bucket",
            versioned=True,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            encryption=s3.BucketEncryption.KMS if self._key else s3.BucketEncryption.S3_MANAGED,
            encryption_key=self._key,
            # One call to KMS for many objects; without it, each write and read is one.
            bucket_key_enabled=self._key is not None,
            enforce_ssl=True,
            minimum_tls_version=1.2,
            removal_policy=RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
            lifecycle_rules=_lifecycle(settings),
            transition_default_minimum_object_size=SMALL_OBJECTS_STAY,
        )
        acknowledge(
            bucket,
            {
                "S1": "Server access logs would be a second bucket to guard, written with some "
                "delay and no promise of completeness. The stack's own writers log each object "
                "that they write; reads by people are a matter of the account's CloudTrail."
            },
        )
        return bucket


def _lifecycle(settings: deployment.ArchiveSettings) -> list[s3.LifecycleRule]:
    """Return the rules by prefix, and one for the whole bucket.

    The ledger and the jobs go with `raw/`, which they explain: an audit of a day of which only one
    half is left would find events missing. The ledger's and the rejected objects are small, so
    `raw/` alone moves. It moves to the class that Athena and a replay read without restoring.
    """
    days = {
        RAW_PREFIX: settings.raw_days,
        LEDGER_PREFIX: settings.raw_days,
        JOBS_PREFIX: settings.raw_days,
        REJECTED_PREFIX: settings.rejected_days,
        QUARANTINE_PREFIX: settings.quarantine_days,
        FAILED_PREFIX: settings.failed_days,
        QUERY_RESULTS_PREFIX: settings.query_results_days,
    }
    rules = [
        s3.LifecycleRule(
            id=prefix.rstrip("/").replace("/", "-"),
            prefix=prefix,
            expiration=Duration.days(count),
            transitions=_cool(settings) if prefix == RAW_PREFIX else None,
            noncurrent_version_expiration=Duration.days(1) if prefix in PASSING else None,
        )
        for prefix, count in days.items()
    ]
    # In a versioned bucket, expiry only puts a delete marker before what it hides.
    rest = s3.LifecycleRule(
        id="tidy",
        noncurrent_version_expiration=Duration.days(settings.noncurrent_days),
        expired_object_delete_marker=True,
        abort_incomplete_multipart_upload_after=Duration.days(7),
    )
    return [*rules, rest]


def _cool(settings: deployment.ArchiveSettings) -> list[s3.Transition]:
    if settings.cold_after_days is None:
        return []
    return [
        s3.Transition(
            storage_class=s3.StorageClass.GLACIER_INSTANT_RETRIEVAL,
            transition_after=Duration.days(settings.cold_after_days),
        )
    ]
