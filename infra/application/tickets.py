"""The way of a ticket: from an object of the archive to the dead-letter queue."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import Duration, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.application.checks import acknowledge
from infra.application.queues import queue_encryption
from pipeline.archive.keys import FAILED_PREFIX, REJECTED_PREFIX

if TYPE_CHECKING:
    from aws_cdk import CfnResource
    from aws_cdk import aws_kms as kms

_OF_OBJECTS = {"Records": {"eventName": [{"prefix": "ObjectCreated:"}]}}
"""Amazon S3 User Guide, event message structure: the names have no `s3:` there."""


class Tickets(Construct):
    """The dead-letter queue, and the topic through which S3 tells it of new objects.

    S3 sends an `s3:TestEvent` to each destination when notifications are set up, and nobody would
    ever take it off the queue: it would be a ticket of every new stack, and after days an alarm. So
    S3 tells a topic. Its one subscription is made after the bucket has sent its test events, and
    lets pass nothing but created objects, as they are, should there be more test events later.

    Parameters
    ----------
    key : kms.IKey, optional
        Encrypts both; without one, SQS's own key the queue, and the topic is not.
    """

    def __init__(self, scope: Construct, construct_id: str, *, key: kms.IKey | None) -> None:
        super().__init__(scope, construct_id)
        self._topic = sns.Topic(self, "Topic", master_key=key, enforce_ssl=True)
        # The bucket's ARN in the condition would make a circle: S3 checks that it may send when
        # the bucket is created, which is after the policy.
        self._topic.add_to_resource_policy(
            iam.PolicyStatement(
                sid="NotificationsFromThisAccount",
                principals=[iam.ServicePrincipal("s3.amazonaws.com")],
                actions=["sns:Publish"],
                resources=[self._topic.topic_arn],
                conditions={"StringEquals": {"aws:SourceAccount": Stack.of(self).account}},
            )
        )

    def queue(self, scope: Construct, key: kms.IKey | None) -> sqs.Queue:
        """Make the queue; what holds data keeps its place in the stack."""
        queue = sqs.Queue(
            scope,
            "DeadLetters",
            retention_period=Duration.days(14),
            **queue_encryption(key),
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
        queue.add_to_resource_policy(
            iam.PolicyStatement(
                sid="TicketsFromTheTopic",
                principals=[iam.ServicePrincipal("sns.amazonaws.com")],
                actions=["sqs:SendMessage"],
                resources=[queue.queue_arn],
                conditions={"ArnEquals": {"aws:SourceArn": self._topic.topic_arn}},
            )
        )
        return queue

    def notify(self, bucket: s3.CfnBucket, queue: sqs.Queue) -> None:
        """Have new objects of the bucket that need someone made tickets.

        On the bucket itself: the construct's own notifications are a custom resource, a function
        that may change the notifications of every bucket of the account.
        """
        bucket.notification_configuration = s3.CfnBucket.NotificationConfigurationProperty(
            topic_configurations=[
                s3.CfnBucket.TopicConfigurationProperty(
                    event="s3:ObjectCreated:*",
                    topic=self._topic.topic_arn,
                    filter=s3.CfnBucket.NotificationFilterProperty(
                        s3_key=s3.CfnBucket.S3KeyFilterProperty(
                            rules=[s3.CfnBucket.FilterRuleProperty(name="prefix", value=prefix)]
                        )
                    ),
                )
                for prefix in (REJECTED_PREFIX, FAILED_PREFIX)
            ]
        )
        bucket.add_resource_dependency(_policy_of(self._topic))
        subscription = sns.CfnSubscription(
            self,
            "Subscription",
            topic_arn=self._topic.topic_arn,
            protocol="sqs",
            endpoint=queue.queue_arn,
            raw_message_delivery=True,
            filter_policy_scope="MessageBody",
            filter_policy=_OF_OBJECTS,
        )
        subscription.add_resource_dependency(bucket)
        subscription.add_resource_dependency(_policy_of(queue))


def _policy_of(construct: Construct) -> CfnResource:
    policy: CfnResource = construct.node.find_child("Policy").node.default_child  # type: ignore[assignment]
    return policy
