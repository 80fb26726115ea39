"""The archive bucket, and the dead-letter queue that holds a ticket for what needs someone."""

from __future__ import annotations

from typing import cast

from aws_cdk import CfnResource, Duration, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.checks import acknowledge

REJECTED_PREFIX = "rejected/"
QUARANTINE_PREFIX = "quarantine/"
FAILED_PREFIX = "aws/lambda/"
"""Where an event source mapping writes a batch that failed.

AWS Lambda Developer Guide, retaining discarded records in S3; the prefix cannot be set.
"""

QUARANTINE_DAYS = 30


class Archive(Construct):
    """The bucket, its lifecycle, and its notifications.

    Each object under `rejected/` and `aws/lambda/` puts one ticket into the dead-letter queue, so
    that the queue's depth is the work that is outstanding. `quarantine/` makes none: anyone on the
    internet can cause a bad signature.

    Parameters
    ----------
    scope : Construct
        The parent.
    construct_id : str
        The name within it.
    """

    def __init__(self, scope: Construct, construct_id: str) -> None:
        super().__init__(scope, construct_id)
        self.dead_letters = self._dead_letters()
        self.bucket = self._bucket()
        self._notify()

    def _dead_letters(self) -> sqs.Queue:
        queue = sqs.Queue(
            self,
            "DeadLetters",
            retention_period=Duration.days(14),
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            removal_policy=RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
        )
        acknowledge(
            queue,
            {
                "SQS3": "This is the dead-letter queue. Nothing consumes it on its own: a ticket "
                "is deleted by whoever replayed or dismissed its object."
            },
        )
        # The bucket's ARN in the condition would make a circle: S3 checks that it may send when
        # the bucket is created, which is after the policy.
        queue.add_to_resource_policy(
            iam.PolicyStatement(
                sid="TicketsFromThisAccount",
                principals=[iam.ServicePrincipal("s3.amazonaws.com")],
                actions=["sqs:SendMessage"],
                resources=[queue.queue_arn],
                conditions={"StringEquals": {"aws:SourceAccount": Stack.of(self).account}},
            )
        )
        return queue

    def _bucket(self) -> s3.Bucket:
        bucket = s3.Bucket(
            self,
            "Bucket",
            versioned=True,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            encryption=s3.BucketEncryption.S3_MANAGED,
            enforce_ssl=True,
            minimum_tls_version=1.2,
            removal_policy=RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
            lifecycle_rules=[
                s3.LifecycleRule(
                    id="quarantine",
                    prefix=QUARANTINE_PREFIX,
                    expiration=Duration.days(QUARANTINE_DAYS),
                    noncurrent_version_expiration=Duration.days(1),
                ),
                s3.LifecycleRule(
                    id="unfinished-uploads",
                    abort_incomplete_multipart_upload_after=Duration.days(7),
                ),
            ],
        )
        acknowledge(
            bucket,
            {
                "S1": "Server access logs would be a second bucket to guard, written with some "
                "delay and no promise of completeness. The stack's own two writers log each object "
                "that they write; reads by people are a matter of the account's CloudTrail."
            },
        )
        return bucket

    def _notify(self) -> None:
        # On the bucket itself: the construct's own notifications are a custom resource, a function
        # that may change the notifications of every bucket of the account.
        resource = cast("s3.CfnBucket", self.bucket.node.default_child)
        resource.notification_configuration = s3.CfnBucket.NotificationConfigurationProperty(
            queue_configurations=[
                s3.CfnBucket.QueueConfigurationProperty(
                    event="s3:ObjectCreated:*",
                    queue=self.dead_letters.queue_arn,
                    filter=s3.CfnBucket.NotificationFilterProperty(
                        s3_key=s3.CfnBucket.S3KeyFilterProperty(
                            rules=[s3.CfnBucket.FilterRuleProperty(name="prefix", value=prefix)]
                        )
                    ),
                )
                for prefix in (REJECTED_PREFIX, FAILED_PREFIX)
            ]
        )
        policy = self.dead_letters.node.find_child("Policy").node.default_child
        resource.add_resource_dependency(cast("CfnResource", policy))
