"""The key of a stack: for its stream, queues, tables, archive, logs and parameters."""

from __future__ import annotations

from aws_cdk import Aws, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

THROUGH = ("dynamodb", "kinesis", "s3", "sqs", "ssm")
"""The services through which the account's principals use the key."""


class StackKey(Construct):
    """One customer-managed key, which rotates each year and outlives the stack.

    Its policy is that of AWS's own keys for these services: whoever may use the stream, a queue, a
    table, an object or a parameter of this account may use the key through that service, and in no
    other way. So the permissions of a role stay those on the things themselves, and the key adds
    what AWS's own keys lack: it can be disabled, its use is in CloudTrail, and its policy can be
    narrowed. Sources: AWS KMS Developer Guide, `kms:ViaService`; CloudWatch Logs User Guide,
    encrypting log data; Amazon S3 User Guide, notifications to an encrypted topic; Amazon SNS
    Developer Guide, key management, an encrypted topic with an encrypted queue.
    """

    def __init__(self, scope: Construct, construct_id: str) -> None:
        super().__init__(scope, construct_id)
        stack = Stack.of(self)
        self.key = kms.Key(
            self,
            "Key",
            alias=f"alias/{stack.stack_name}",
            description=f"{stack.stack_name}: events, archive, secrets and logs",
            enable_key_rotation=True,
            # What is kept when the stack goes could not be read without it.
            removal_policy=RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
        )
        for statement in (
            self._services(stack),
            self._notifications(),
            self._tickets(stack),
            self._logs(stack),
        ):
            self.key.add_to_resource_policy(statement)

    def _services(self, stack: Stack) -> iam.PolicyStatement:
        return iam.PolicyStatement(
            sid="ThroughServicesOfThisAccount",
            principals=[iam.AnyPrincipal()],
            actions=[
                "kms:CreateGrant",
                "kms:Decrypt",
                "kms:DescribeKey",
                "kms:Encrypt",
                "kms:GenerateDataKey",
                "kms:ReEncryptFrom",
                "kms:ReEncryptTo",
            ],
            resources=["*"],
            conditions={
                "StringEquals": {
                    "kms:CallerAccount": Aws.ACCOUNT_ID,
                    "kms:ViaService": [
                        f"{service}.{stack.region}.amazonaws.com" for service in THROUGH
                    ],
                }
            },
        )

    def _notifications(self) -> iam.PolicyStatement:
        """Let S3 publish its notifications to the encrypted topic.

        AWS's example names no source, and no page says whether S3 gives one to KMS. Where it does,
        it must be this account; where it does not, the topic's policy has asked it already.
        """
        return iam.PolicyStatement(
            sid="NotificationsOfThisAccount",
            principals=[iam.ServicePrincipal("s3.amazonaws.com")],
            actions=["kms:Decrypt", "kms:GenerateDataKey"],
            resources=["*"],
            conditions={"StringEqualsIfExists": {"aws:SourceAccount": Aws.ACCOUNT_ID}},
        )

    def _tickets(self, stack: Stack) -> iam.PolicyStatement:
        """Let SNS put them on the encrypted dead-letter queue."""
        topics = f"arn:{Aws.PARTITION}:sns:{stack.region}:{Aws.ACCOUNT_ID}:*"
        return iam.PolicyStatement(
            sid="TicketsOfThisAccount",
            principals=[iam.ServicePrincipal("sns.amazonaws.com")],
            actions=["kms:Decrypt", "kms:GenerateDataKey"],
            resources=["*"],
            conditions={"ArnLike": {"aws:SourceArn": topics}},
        )

    def _logs(self, stack: Stack) -> iam.PolicyStatement:
        """Let CloudWatch Logs use it: AWS's own statement with its asterisks written out."""
        groups = f"arn:{Aws.PARTITION}:logs:{stack.region}:{Aws.ACCOUNT_ID}:log-group:*"
        return iam.PolicyStatement(
            sid="LogGroupsOfThisAccount",
            principals=[iam.ServicePrincipal(f"logs.{stack.region}.amazonaws.com")],
            actions=[
                "kms:Decrypt",
                "kms:DescribeKey",
                "kms:Encrypt",
                "kms:GenerateDataKey",
                "kms:GenerateDataKeyPair",
                "kms:GenerateDataKeyPairWithoutPlaintext",
                "kms:GenerateDataKeyWithoutPlaintext",
                "kms:ReEncryptFrom",
                "kms:ReEncryptTo",
            ],
            resources=["*"],
            conditions={"ArnLike": {"kms:EncryptionContext:aws:logs:arn": groups}},
        )
