"""The roles of the checks between two stages: what the smoke test and the load test may do."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Literal, TypeVar

from aws_cdk import Arn, ArnComponents, Stack
from aws_cdk import aws_iam as iam

from infra.application.archive import Archive
from infra.application.checks import acknowledge, wildcard
from infra.application.state_table import StateTable
from pipeline.archive.keys import FAILED_PREFIX, LEDGER_PREFIX, RAW_PREFIX

if TYPE_CHECKING:
    from collections.abc import Mapping

    from constructs import Construct

    from infra.application.stack import ApplicationStack
    from settings.delivery_pipeline import DeliverySettings, DeliveryStage
    from settings.deployment import Deployment
    from settings.source.loader import LoadedSource

Check = Literal["smoke", "load"]
T = TypeVar("T", Archive, StateTable)

_READ_PREFIXES = (RAW_PREFIX, LEDGER_PREFIX, FAILED_PREFIX)
_LONGEST_ROLE_NAME = 64


def step_role_name(delivery: DeliverySettings, stage: DeliveryStage, check: Check) -> str:
    """Return the name of the role that a check's build runs with, in the pipeline's account."""
    return _bounded(f"{delivery.stack_name}-{stage.name}-{check}")


def target_role_name(deployment: Deployment, check: Check) -> str:
    """Return the name of the role that a check takes on, in the stage's account."""
    return _bounded(f"{deployment.stack_name}-{check}")


def role_arn(scope: Construct, account: str, name: str) -> str:
    """Return the ARN of a role by its name."""
    return Arn.format(
        ArnComponents(
            service="iam", region="", account=account, resource="role", resource_name=name
        ),
        Stack.of(scope),
    )


def add_target_role(
    stack: ApplicationStack,
    *,
    check: Check,
    delivery: DeliverySettings,
    stage: DeliveryStage,
    deployment: Deployment,
    sources: Mapping[str, LoadedSource],
) -> None:
    """Put the role that a check takes on into the stack that it checks.

    There it can name the stack's own bucket and table, whatever CloudFormation called them, and
    the same way works in the pipeline's account and in another. Both names are fixed, because
    neither of the two stacks may depend on the other.

    Parameters
    ----------
    check : Check
        Whether for the smoke test or for the load test.
    """
    builder = role_arn(stack, delivery.account, step_role_name(delivery, stage, check))
    statements = [
        iam.PolicyStatement(
            sid="FindTheStack",
            actions=["cloudformation:DescribeStacks"],
            resources=[stack.stack_id],
        ),
        *_secrets(stack, deployment, sources),
        *(_archive(stack) if check == "smoke" else []),
    ]
    role = iam.Role(
        stack,
        f"{check.capitalize()}TestRole",
        role_name=target_role_name(deployment, check),
        description=f"Taken on by the {check} test of {delivery.stack_name}",
        assumed_by=iam.PrincipalWithConditions(
            iam.AccountPrincipal(delivery.account), {"ArnEquals": {"aws:PrincipalArn": builder}}
        ),
        inline_policies={"Check": iam.PolicyDocument(statements=statements)},
    )
    bucket = _child(stack, "Archive", Archive).bucket
    findings = {
        wildcard(stack, bucket.arn_for_objects(f"{prefix}*")): "The objects' names are made of the "
        f"time and the shard; it may read {prefix} and no other part of the archive."
        for prefix in _READ_PREFIXES
    }
    findings[wildcard(stack, _any_key(stack))] = (
        "The key of the parameters is chosen by whoever writes the secrets; the conditions allow "
        "it for these parameters and through SSM alone."
    )
    acknowledge(role, findings)


def _secrets(
    stack: ApplicationStack, deployment: Deployment, sources: Mapping[str, LoadedSource]
) -> list[iam.PolicyStatement]:
    arns = [
        stack.format_arn(
            service="ssm",
            resource="parameter",
            resource_name=deployment.parameter(name, source.settings.parameter)[1:],
        )
        for name, source in sorted(sources.items())
        if source.settings.ingest != "poll"
    ]
    if not arns:
        return []
    return [
        iam.PolicyStatement(sid="SignAsTheSendersDo", actions=["ssm:GetParameter"], resources=arns),
        iam.PolicyStatement(
            sid="DecryptWhatItReads",
            actions=["kms:Decrypt"],
            resources=[_any_key(stack)],
            conditions={
                "StringEquals": {
                    "kms:ViaService": f"ssm.{stack.region}.amazonaws.com",
                    "kms:EncryptionContext:PARAMETER_ARN": arns,
                }
            },
        ),
    ]


def _archive(stack: ApplicationStack) -> list[iam.PolicyStatement]:
    bucket = _child(stack, "Archive", Archive).bucket
    table = _child(stack, "Delivered", StateTable).table
    keys = {key.key_arn for key in (bucket.encryption_key, table.encryption_key) if key is not None}
    statements = [
        iam.PolicyStatement(
            sid="ListTheArchive",
            actions=["s3:ListBucket"],
            resources=[bucket.bucket_arn],
            conditions={"StringLike": {"s3:prefix": [f"{prefix}*" for prefix in _READ_PREFIXES]}},
        ),
        iam.PolicyStatement(
            sid="ReadWhatBecameOfItsEvents",
            actions=["s3:GetObject"],
            resources=[bucket.arn_for_objects(f"{prefix}*") for prefix in _READ_PREFIXES],
        ),
        iam.PolicyStatement(
            sid="SeeThatTheyWereDelivered",
            actions=["dynamodb:GetItem"],
            resources=[table.table_arn],
        ),
    ]
    if keys:
        statements.append(
            iam.PolicyStatement(
                sid="DecryptTheArchive", actions=["kms:Decrypt"], resources=sorted(keys)
            )
        )
    return statements


def _any_key(stack: Stack) -> str:
    return stack.format_arn(service="kms", resource="key", resource_name="*")


def _child(stack: ApplicationStack, construct_id: str, kind: type[T]) -> T:
    child = stack.node.find_child(construct_id)
    if not isinstance(child, kind):
        raise TypeError(f"{child.node.path} is a {type(child).__name__}, not a {kind.__name__}")
    return child


def _bounded(name: str) -> str:
    """Shorten a role's name to what IAM takes, and keep it a name of its own."""
    if len(name) <= _LONGEST_ROLE_NAME:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:10]
    return f"{name[: _LONGEST_ROLE_NAME - 11]}-{digest}"
