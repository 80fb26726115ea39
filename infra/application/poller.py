"""The poller: a function that fetches from REST APIs, and the schedules that call it."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from aws_cdk import Duration, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.application.archive_access import acknowledge_prefixes, write_objects
from infra.application.checks import acknowledge_warnings
from infra.application.functions import PipelineFunction, read_parameters
from infra.application.state_table import StateTable
from pipeline.archive.keys import REJECTED_PREFIX
from pipeline.aws.limits import ENVIRONMENT_BYTES
from settings.deployment import DeploymentError
from settings.poll_targets import environment_value

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aws_cdk import aws_kinesis as kinesis
    from aws_cdk import aws_s3 as s3

    from infra.application.functions import FunctionPackage
    from settings.poll_targets import PollTarget

MEMORY_MB = 1_024
"""A page of 32 MiB, the most that the poller takes, is several times that once it is parsed."""

TIMEOUT_SECONDS = 300
"""Long enough to catch up in few calls. The lock of a feed keeps the ticks in between away."""

_OTHER_VARIABLES = 900
_STACK_IN_NAME = 40
_LONGEST_EVENT_AGE_MINUTES = 6 * 60
"""AWS Lambda API reference, PutFunctionEventInvokeConfig: the largest event age."""


class PollerFunction(Construct):
    """One function for every feed, and one rule for each, which names the feed.

    Nothing is tried again: neither by EventBridge nor by Lambda. The next tick goes on from the
    checkpoint, so another try would only compete with it; for the same reason, a call that could
    not be made is given up once the next is due.

    The function reserves no concurrency. The rules are all that calls it, and a feed's lock lets
    one call at a time work: the others end at once. So an API that hangs holds as many executions
    as it has feeds. A reservation would cap no more than that, would be taken from the account
    whether it is used or not, and fails to deploy where the account has no more than the minimum.

    Parameters
    ----------
    poll_targets : Sequence[PollTarget]
        What it fetches; one or more.
    stream : kinesis.Stream
        Where events go.
    max_record_kib : int
        How large a record of it may be.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        package: FunctionPackage,
        environment: Mapping[str, str],
        poll_targets: Sequence[PollTarget],
        stream: kinesis.Stream,
        max_record_kib: int,
        bucket: s3.Bucket,
        parameter_arns: Sequence[str],
    ) -> None:
        super().__init__(scope, construct_id)
        self.table = StateTable(self, "Checkpoints", key=package.key).table
        function = PipelineFunction(
            self,
            "Poller",
            package=package,
            handler="ingest_lambdas.poller.handler",
            description="Fetches feeds of REST APIs and puts their events on the stream",
            environment={
                **environment,
                "STREAM_NAME": stream.stream_name,
                "MAX_RECORD_KIB": str(max_record_kib),
                "CHECKPOINT_TABLE": self.table.table_name,
                "ARCHIVE_BUCKET": bucket.bucket_name,
                "POLL_TARGETS": _target_variable(poll_targets),
            },
            permissions={
                "ReadCredentials": read_parameters(parameter_arns),
                "KeepCheckpoints": [
                    iam.PolicyStatement(
                        actions=["dynamodb:UpdateItem"], resources=[self.table.table_arn]
                    )
                ],
                "PutRecords": [
                    iam.PolicyStatement(
                        actions=["kinesis:ListShards", "kinesis:PutRecords"],
                        resources=[stream.stream_arn],
                    )
                ],
                "WriteArchive": [write_objects(bucket, REJECTED_PREFIX)],
            },
            memory_mb=MEMORY_MB,
            timeout_seconds=TIMEOUT_SECONDS,
        )
        self.function = function.function
        acknowledge_prefixes(
            function.node.find_child("Role"),
            bucket,
            {REJECTED_PREFIX: "An event that no record can hold is an object named by its hour."},
        )
        self._schedule(poll_targets)

    def _schedule(self, poll_targets: Sequence[PollTarget]) -> None:
        shortest = min(target.every_minutes for target in poll_targets)
        age = Duration.minutes(min(shortest, _LONGEST_EVENT_AGE_MINUTES))
        self.function.configure_async_invoke(max_event_age=age, retry_attempts=0)
        function = self._function_for_rules()
        for target in poll_targets:
            for feed in target.feeds:
                call = targets.LambdaFunction(
                    function,
                    event=events.RuleTargetInput.from_object(
                        {"source": target.source, "feed": feed}
                    ),
                    max_event_age=age,
                    retry_attempts=0,
                )
                events.Rule(
                    self,
                    # A dot is in neither name, so no two pairs give one id.
                    f"{target.source}.{feed}",
                    rule_name=self._rule_name(target.source, feed),
                    description=f"Has {feed} of {target.source} fetched",
                    schedule=events.Schedule.rate(Duration.minutes(target.every_minutes)),
                    targets=[call],
                )

    def _function_for_rules(self) -> lambda_.IFunction:
        """Return the function as a target that adds no permission of its own for each rule.

        One for all takes their place: the function's policy may have 20,480 bytes, which a
        permission for each feed fills with some 43 of them.
        """
        rules = Stack.of(self).format_arn(
            service="events", resource="rule", resource_name=f"{self._rule_prefix()}*"
        )
        self.function.add_permission(
            "Rules", principal=iam.ServicePrincipal("events.amazonaws.com"), source_arn=rules
        )
        target = lambda_.Function.from_function_arn(self, "Target", self.function.function_arn)
        acknowledge_warnings(
            target,
            {
                "Annotation::UnclearLambdaEnvironment": "Targets are to add no permission: "
                "the one above is for all rules."
            },
        )
        return target

    def _rule_prefix(self) -> str:
        return f"{Stack.of(self).stack_name[:_STACK_IN_NAME]}-poll-"

    def _rule_name(self, source: str, feed: str) -> str:
        """Name a rule in 64 characters: CloudFormation's own names leave out parts of a stack's."""
        parts = f"{Stack.of(self).stack_name} {source} {feed}"
        return self._rule_prefix() + hashlib.sha256(parts.encode()).hexdigest()[:16]


def _target_variable(poll_targets: Sequence[PollTarget]) -> str:
    value = environment_value(poll_targets)
    if len(value) + _OTHER_VARIABLES > ENVIRONMENT_BYTES:
        raise DeploymentError(
            f"{len(poll_targets)} polled sources: their settings do not fit the "
            f"{ENVIRONMENT_BYTES} bytes of a function's environment; spread the sources over more "
            "services, as 'config check' says"
        )
    return value
