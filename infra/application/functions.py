"""A Lambda function with a log group and a role of its own that allows what it is told, no more."""

from __future__ import annotations

import re
from collections.abc import Mapping  # noqa: TC003 - of a constant
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.application.checks import acknowledge

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aws_cdk import Stack
    from aws_cdk import aws_kms as kms

RUNTIME = lambda_.Runtime.PYTHON_3_13
ARCHITECTURE = lambda_.Architecture.ARM_64
LOG_RETENTION = logs.RetentionDays.ONE_MONTH
RETENTIONS = {
    1: logs.RetentionDays.ONE_DAY,
    3: logs.RetentionDays.THREE_DAYS,
    5: logs.RetentionDays.FIVE_DAYS,
    7: logs.RetentionDays.ONE_WEEK,
    14: logs.RetentionDays.TWO_WEEKS,
    30: logs.RetentionDays.ONE_MONTH,
    60: logs.RetentionDays.TWO_MONTHS,
    90: logs.RetentionDays.THREE_MONTHS,
    120: logs.RetentionDays.FOUR_MONTHS,
    150: logs.RetentionDays.FIVE_MONTHS,
    180: logs.RetentionDays.SIX_MONTHS,
    365: logs.RetentionDays.ONE_YEAR,
}
"""By the days of the settings."""


_OWN_LINES_ALONE: Mapping[str, Any] = {
    "logging_format": lambda_.LoggingFormat.JSON,
    "system_log_level_v2": lambda_.SystemLogLevel.WARN,
    "application_log_level_v2": lambda_.ApplicationLogLevel.INFO,
}
"""AWS Lambda Developer Guide, JSON and plain text log formats: what a function writes as JSON stays
as it is, and of Lambda's lines those remain that are warnings."""


@dataclass(frozen=True)
class FunctionPackage:
    """What a function of the stack runs: the code asset and the layers under it.

    `key` encrypts their logs; without one, the key that AWS manages does. `log_retention` says how
    long these are kept.
    """

    code: lambda_.Code
    layers: tuple[lambda_.ILayerVersion, ...]
    key: kms.IKey | None = None
    log_retention: logs.RetentionDays = LOG_RETENTION


class PipelineFunction(Construct):
    """A function of this project.

    Parameters
    ----------
    handler : str
        The handler, as `package.module.function`.
    permissions : Mapping[str, Sequence[iam.PolicyStatement]]
        Inline policies by name; one without statements is left out.
    traced : bool
        Whether it begins traces by itself: of one request a second, and of 5% of the rest (AWS
        Lambda Developer Guide, X-Ray). Else it goes on with those that its caller has begun.
    system_log : bool
        Whether Lambda's own lines are kept: START, END and REPORT of each invocation.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        package: FunctionPackage,
        handler: str,
        description: str,
        environment: Mapping[str, str],
        permissions: Mapping[str, Sequence[iam.PolicyStatement]],
        memory_mb: int,
        timeout_seconds: int,
        reserved_concurrency: int | None = None,
        traced: bool = True,
        system_log: bool = True,
    ) -> None:
        super().__init__(scope, construct_id)
        log_group = logs.LogGroup(
            self,
            "Logs",
            retention=package.log_retention,
            encryption_key=package.key,
            # They outlive the stack, and go by themselves when the retention is over.
            removal_policy=RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
        )
        self.function = lambda_.Function(
            self,
            "Function",
            description=description,
            runtime=RUNTIME,
            architecture=ARCHITECTURE,
            handler=handler,
            code=package.code,
            layers=list(package.layers),
            environment=dict(environment),
            memory_size=memory_mb,
            timeout=Duration.seconds(timeout_seconds),
            reserved_concurrent_executions=reserved_concurrency,
            role=self._role(log_group, permissions),
            log_group=log_group,
            **({} if system_log else _OWN_LINES_ALONE),
        )
        # The construct lets the function depend on its role twice over; cfn-lint notes it.
        resource = cast("lambda_.CfnFunction", self.function.node.default_child)
        # Not the construct's own setting, which would give the role a second, separate policy.
        resource.tracing_config = lambda_.CfnFunction.TracingConfigProperty(
            mode="Active" if traced else "PassThrough"
        )
        resource.add_metadata("cfn-lint", {"config": {"ignore_checks": ["W3005"]}})
        acknowledge(
            self.function,
            {
                "L1": "A supported runtime, and the one that the layer's wheels are locked for. "
                "It moves when the lock moves, not when AWS adds a newer one."
            },
        )

    def _role(
        self,
        log_group: logs.LogGroup,
        permissions: Mapping[str, Sequence[iam.PolicyStatement]],
    ) -> iam.Role:
        # The managed AWSLambdaBasicExecutionRole may write to every log group of the account.
        to_logs = iam.PolicyStatement(
            actions=["logs:CreateLogStream", "logs:PutLogEvents"],
            resources=[log_group.log_group_arn],
        )
        traces = iam.PolicyStatement(
            actions=["xray:PutTelemetryRecords", "xray:PutTraceSegments"], resources=["*"]
        )
        policies = {"Logs": [to_logs], "Traces": [traces], **permissions}
        # Inline, so that the role is complete before the function and its mapping are created.
        role = iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
            inline_policies={
                name: iam.PolicyDocument(statements=list(statements))
                for name, statements in policies.items()
                if statements
            },
        )
        acknowledge(role, {"IAM5[Resource::*]": "Traces: X-Ray's actions know no resource."})
        return role


def common_environment(*, project: str, service: str, stage: str) -> dict[str, str]:
    """Return the variables that every function has."""
    return {
        "PROJECT": project,
        "STAGE": stage,
        "POWERTOOLS_SERVICE_NAME": service,
        "POWERTOOLS_METRICS_NAMESPACE": project,
        "POWERTOOLS_LOG_LEVEL": "INFO",
    }


def read_parameters(arns: Sequence[str]) -> list[iam.PolicyStatement]:
    """Allow to read these SSM parameters, if there are any.

    A SecureString without a key of its own is encrypted with `alias/aws/ssm`, whose policy lets
    every principal of the account decrypt through SSM (AWS Systems Manager User Guide, how
    Parameter Store uses KMS). So there is no statement on a key.
    """
    if not arns:
        return []
    return [
        iam.PolicyStatement(actions=["ssm:GetParameter"], resources=list(arns)),
    ]


def functions_of(stack: Stack) -> dict[str, lambda_.Function]:
    """Find every function of a stack, so that none can be forgotten."""
    return {
        _name(construct, stack): construct.function
        for construct in stack.node.find_all()
        if isinstance(construct, PipelineFunction)
    }


def _name(construct: PipelineFunction, stack: Stack) -> str:
    path = construct.node.path.removeprefix(f"{stack.node.path}/").split("/")
    parts = [part for number, part in enumerate(path) if number == 0 or part != path[number - 1]]
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", "".join(parts)).lower()
