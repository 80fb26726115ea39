"""The replay past one machine: a worker, and the workflow that gives it the archive's objects."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from aws_cdk import ArnFormat, Aws, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_stepfunctions as stepfunctions
from constructs import Construct

from infra.application.archive_access import acknowledge_prefixes, list_objects, read_objects
from infra.application.checks import acknowledge, wildcard
from infra.application.functions import PipelineFunction
from infra.application.replay_definition import (
    INTEGRATIONS,
    MAP_LABEL,
    REPLAYABLE,
    replay_definition,
)
from pipeline.archive.keys import LEDGER_PREFIX, REPLAYS_PREFIX

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_cdk import aws_kinesis as kinesis
    from aws_cdk import aws_s3 as s3

    from infra.application.functions import FunctionPackage

WORKER_MEMORY_MB = 1_024
WORKER_TIMEOUT_SECONDS = 900
"""The most that Lambda gives: a worker spends most of its time waiting for its rate."""

_TASK_MARGIN_SECONDS = 30
_LOG_DELIVERY = (
    "logs:CreateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:DescribeLogGroups",
    "logs:DescribeResourcePolicies",
    "logs:GetLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:UpdateLogDelivery",
)
"""AWS Step Functions Developer Guide, logging to CloudWatch Logs; they know no resource."""

_TRACES = (
    "xray:GetSamplingRules",
    "xray:GetSamplingTargets",
    "xray:PutTelemetryRecords",
    "xray:PutTraceSegments",
)
"""AWS Step Functions Developer Guide, X-Ray; they know no resource."""


class Replay(Construct):
    """Puts archived events back on the stream, object by object, with workers side by side.

    Parameters
    ----------
    name : str
        The name of the workflow. It is set, so that the workflow's role can name the workflow.
    stream : kinesis.Stream
        Where events go.
    max_record_kib : int
        How large a record of it may be.
    bucket : s3.Bucket
        Where they come from.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        package: FunctionPackage,
        environment: Mapping[str, str],
        name: str,
        stream: kinesis.Stream,
        max_record_kib: int,
        bucket: s3.Bucket,
    ) -> None:
        super().__init__(scope, construct_id)
        self._name = name
        self._bucket = bucket
        self._package = package
        self._worker = self._replay_worker(
            package, {**environment, "MAX_RECORD_KIB": str(max_record_kib)}, stream
        )
        self.state_machine = self._state_machine()

    def _replay_worker(
        self, package: FunctionPackage, environment: Mapping[str, str], stream: kinesis.Stream
    ) -> PipelineFunction:
        worker = PipelineFunction(
            self,
            "Worker",
            package=package,
            handler="stream_processors.replay_worker.handler",
            description="Puts the events of some archived objects back on the stream",
            environment={
                **environment,
                "ARCHIVE_BUCKET": self._bucket.bucket_name,
                "STREAM_NAME": stream.stream_name,
            },
            permissions={
                # Amazon S3 API reference, GetObject: without a permission to list, an object that
                # expired since it was listed is answered as if it might not be read.
                "ReadArchive": [
                    read_objects(self._bucket, *REPLAYABLE, REPLAYS_PREFIX, LEDGER_PREFIX),
                    list_objects(self._bucket),
                ],
                "PutRecords": [
                    iam.PolicyStatement(
                        actions=["kinesis:ListShards", "kinesis:PutRecords"],
                        resources=[stream.stream_arn],
                    )
                ],
            },
            memory_mb=WORKER_MEMORY_MB,
            timeout_seconds=WORKER_TIMEOUT_SECONDS,
        )
        reasons = dict.fromkeys(REPLAYABLE, "Any archived object can be replayed.")
        reasons[REPLAYS_PREFIX] = "The ids that a job looks for are kept by the name of the job."
        reasons[LEDGER_PREFIX] = "Any archived event can have been delivered before."
        acknowledge_prefixes(worker.node.find_child("Role"), self._bucket, reasons)
        return worker

    def _state_machine(self) -> stepfunctions.CfnStateMachine:
        log_group = logs.LogGroup(
            self,
            "Logs",
            retention=self._package.log_retention,
            encryption_key=self._package.key,
            removal_policy=RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
        )
        destination = stepfunctions.CfnStateMachine.LogDestinationProperty(
            cloud_watch_logs_log_group=stepfunctions.CfnStateMachine.CloudWatchLogsLogGroupProperty(
                log_group_arn=log_group.log_group_arn
            )
        )
        definition = replay_definition(WORKER_TIMEOUT_SECONDS + _TASK_MARGIN_SECONDS)
        # The L2 construct would give the role a policy of its own, which may be created after the
        # first execution, and permissions on the whole bucket.
        return stepfunctions.CfnStateMachine(
            self,
            "StateMachine",
            state_machine_name=self._name,
            state_machine_type="STANDARD",
            role_arn=self._role().role_arn,
            definition_string=json.dumps(definition),
            definition_substitutions={
                "Bucket": self._bucket.bucket_name,
                "Worker": self._worker.function.function_arn,
                **{
                    name: f"arn:{Aws.PARTITION}:states:::{integration}"
                    for name, integration in INTEGRATIONS.items()
                },
            },
            logging_configuration=stepfunctions.CfnStateMachine.LoggingConfigurationProperty(
                destinations=[destination], level="ALL", include_execution_data=False
            ),
            tracing_configuration=stepfunctions.CfnStateMachine.TracingConfigurationProperty(
                enabled=True
            ),
        )

    def _role(self) -> iam.Role:
        invoke = iam.PolicyStatement(
            actions=["lambda:InvokeFunction"], resources=[self._worker.function.function_arn]
        )
        watch = iam.PolicyStatement(actions=[*_LOG_DELIVERY, *_TRACES], resources=["*"])
        policies = {
            "Work": [invoke],
            "ReadList": [list_objects(self._bucket, *REPLAYABLE)],
            "WriteResults": [self._write_results()],
            "RunMap": self._run_map(),
            "Watch": [watch],
        }
        role = iam.Role(
            self,
            "WorkflowRole",
            assumed_by=iam.ServicePrincipal("states.amazonaws.com"),
            inline_policies={
                name: iam.PolicyDocument(statements=statements)
                for name, statements in policies.items()
            },
        )
        self._acknowledge(role)
        return role

    def _write_results(self) -> iam.PolicyStatement:
        """AWS Step Functions Developer Guide, IAM policies for Distributed Map: a ResultWriter."""
        return iam.PolicyStatement(
            actions=[
                "s3:AbortMultipartUpload",
                "s3:GetObject",
                "s3:ListMultipartUploadParts",
                "s3:PutObject",
            ],
            resources=[self._bucket.arn_for_objects(f"{REPLAYS_PREFIX}*")],
        )

    def _run_map(self) -> list[iam.PolicyStatement]:
        """AWS Step Functions Developer Guide, IAM policies for Distributed Map, and its redrive.

        The page names the machine's own executions for the second statement. The ARN of a child
        workflow's execution has the map's label in it, so both forms are allowed.
        """
        return [
            iam.PolicyStatement(
                actions=["states:StartExecution"],
                resources=[self._arn("stateMachine", self._name)],
            ),
            iam.PolicyStatement(
                actions=["states:DescribeExecution", "states:StopExecution"],
                resources=[
                    self._arn("execution", f"{self._name}:*"),
                    self._arn("execution", f"{self._name}/{MAP_LABEL}:*"),
                ],
            ),
            iam.PolicyStatement(
                actions=["states:RedriveExecution"],
                resources=[self._arn("execution", f"{self._name}/{MAP_LABEL}:*")],
            ),
        ]

    def _arn(self, resource: str, name: str) -> str:
        return Stack.of(self).format_arn(
            service="states",
            resource=resource,
            resource_name=name,
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )

    def _acknowledge(self, role: iam.Role) -> None:
        own = "Executions of this workflow, whose names Step Functions makes."
        acknowledge_prefixes(
            role, self._bucket, {REPLAYS_PREFIX: "Step Functions names the objects of a run."}
        )
        acknowledge(
            role,
            {
                wildcard(role, self._arn("execution", f"{self._name}:*")): own,
                wildcard(role, self._arn("execution", f"{self._name}/{MAP_LABEL}:*")): own,
                "IAM5[Resource::*]": "Log deliveries and traces: actions that know no resource.",
            },
        )
