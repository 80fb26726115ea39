"""The findings of cdk-nag in the pipeline's own stack that are accepted, each with its reason.

The policies are those that CDK Pipelines writes for its builds and actions. What has no reason
here fails the synthesis, so a new version of the CDK cannot widen a policy without being noticed.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from aws_cdk import aws_codebuild as codebuild
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3

from infra.application.checks import acknowledge, wildcard

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aws_cdk import Stack
    from constructs import IConstruct

#: What the CDK's grants of a bucket and of a key write.
_GRANTS = frozenset(
    {
        "kms:GenerateDataKey*",
        "kms:ReEncrypt*",
        "s3:Abort*",
        "s3:DeleteObject*",
        "s3:GetBucket*",
        "s3:GetObject*",
        "s3:List*",
    }
)
_GRANT = (
    "The CDK's own grant to hand artifacts from one action to the next: some actions of one verb, "
    "on the artifacts' bucket and key alone."
)
_RESOURCES = (
    (
        r"IAM5\[Resource::<[A-Za-z0-9]*(Artifacts|Bucket)[A-Za-z0-9]*\.Arn>/\*\]",
        "The names of artifacts are made by CodePipeline, run by run.",
    ),
    (
        r"IAM5\[Resource::arn:[a-z-]+:s3:::[a-z0-9-]+/\*\]",
        "The names of artifacts are made by CodePipeline, run by run.",
    ),
    (
        r"IAM5\[Resource::arn:[^\]]+:log-group:/aws/codebuild/(<\w+>:)?\*\]",
        "The log streams of CodeBuild's own groups; the publishers' projects share a role.",
    ),
    (
        r"IAM5\[Resource::arn:[^\]]+:report-group/(<\w+>-)?\*\]",
        "CodeBuild names a report group after its project; none is made here.",
    ),
    (
        r"IAM5\[Resource::arn:\*:iam::\d{12}:role/\*\]",
        "The pipeline deploys itself with roles of `cdk bootstrap`: a condition wants their tag.",
    ),
)
_EVERYTHING = {
    frozenset(
        {
            "kms:Decrypt",
            "kms:DescribeKey",
            "kms:Encrypt",
            "kms:GenerateDataKey*",
            "kms:ReEncrypt*",
        }
    ): (
        "A stage in another region has a bucket and a key there, in a stack whose key CDK "
        "Pipelines cannot name from here. The keys' own policies say who may use them."
    ),
    frozenset({"cloudformation:DescribeStacks", "s3:ListBucket"}): (
        "How `cdk deploy` finds what `cdk bootstrap` made, whose names it does not know beforehand."
    ),
    frozenset({"codebuild:BatchGetBuilds", "codebuild:StartBuild", "codebuild:StopBuild"}): (
        "CDK Pipelines writes this role before the projects that publish assets have names. It "
        "starts builds, and changes none."
    ),
}
"""Where CDK Pipelines names no resource: the very actions, and why."""


def acknowledge_findings(stack: Stack) -> None:
    """Accept what CDK Pipelines needs, construct by construct."""
    for node in (*stack.node.find_all(), *_support(stack)):
        if isinstance(node, s3.Bucket):
            acknowledge(
                node,
                {
                    "S1": "Artifacts are copies of what is in the repository; they expire, and "
                    "only the pipeline's own roles can read them."
                },
            )
        if isinstance(node, codebuild.Project):
            acknowledge(
                node,
                {
                    "CB4": "Without a stage in another account, S3's own key encrypts artifacts: "
                    "they hold no secret, and a key of their own costs a dollar a month."
                },
            )
        if isinstance(node, iam.Policy):
            acknowledge(node, dict(_findings(stack, node)))


def _support(stack: Stack) -> Iterator[IConstruct]:
    """Return what is in the stacks that the CDK makes for stages in other regions."""
    for child in stack.node.root.node.children:
        if child.node.id.startswith("cross-region-stack-"):
            yield from child.node.find_all()


def _findings(stack: Stack, policy: iam.Policy) -> Iterator[tuple[str, str]]:
    for statement in stack.resolve(policy.document)["Statement"]:
        actions = _listed(statement["Action"])
        for action in actions:
            if action in _GRANTS:
                yield f"IAM5[Action::{action}]", _GRANT
        for resource in _listed(statement["Resource"]):
            if resource == "*" and frozenset(actions) in _EVERYTHING:
                yield "IAM5[Resource::*]", _EVERYTHING[frozenset(actions)]
            finding = wildcard(stack, resource)
            for pattern, reason in _RESOURCES:
                if re.fullmatch(pattern, finding):
                    yield finding, reason


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
