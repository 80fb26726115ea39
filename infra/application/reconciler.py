"""The reconciler: a function that compares what the two consumers account for, and its schedule."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from constructs import Construct

from infra.application.archive_access import acknowledge_prefixes, list_objects, read_objects
from infra.application.functions import PipelineFunction
from pipeline.archive.keys import FAILED_PREFIX, LEDGER_PREFIX, RAW_PREFIX

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_cdk import aws_s3 as s3

    from infra.application.functions import FunctionPackage
    from infra.application.stream_consumer import StreamConsumer

MEMORY_MB = 1_769
"""AWS Lambda Developer Guide, memory: that of one whole vCPU. It unpacks and parses on one thread,
and needs some 150 MB."""

TIMEOUT_SECONDS = 900
"""The most that Lambda gives; what it has not compared by then it says."""

MINUTE = 15
"""Of each hour. A rate would begin at any moment of the hour: near its turn, a second more or less
would leave an hour out, or compare it twice."""

_EVENT_AGE = Duration.minutes(30)
_TRIES_AGAIN = 2

_READ = (RAW_PREFIX, LEDGER_PREFIX, FAILED_PREFIX)


class ReconcilerFunction(Construct):
    """A function, and the rule that calls it each hour. It may read, and nothing else.

    A call that failed is made again within the same hour: the hour that is compared follows from
    the clock, and the next call compares the next one.

    Parameters
    ----------
    fan_out, archiver : StreamConsumer
        Whose accounts it compares.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        package: FunctionPackage,
        environment: Mapping[str, str],
        bucket: s3.Bucket,
        fan_out: StreamConsumer,
        archiver: StreamConsumer,
    ) -> None:
        super().__init__(scope, construct_id)
        function = PipelineFunction(
            self,
            construct_id,
            package=package,
            handler="stream_processors.reconciler.handler",
            description="Compares what fan-out and archiver account for",
            environment={
                **environment,
                "ARCHIVE_BUCKET": bucket.bucket_name,
                "FAN_OUT_FUNCTION": fan_out.function.function_name,
                "ARCHIVER_FUNCTION": archiver.function.function_name,
            },
            permissions={
                "ReadArchive": [read_objects(bucket, *_READ), list_objects(bucket, *_READ)]
            },
            memory_mb=MEMORY_MB,
            timeout_seconds=TIMEOUT_SECONDS,
        )
        self.function = function.function
        reason = "It reads the objects of any hour, which are named by their records."
        acknowledge_prefixes(function.node.find_child("Role"), bucket, dict.fromkeys(_READ, reason))
        self._schedule()

    def _schedule(self) -> None:
        self.function.configure_async_invoke(max_event_age=_EVENT_AGE, retry_attempts=_TRIES_AGAIN)
        call = targets.LambdaFunction(
            self.function,
            event=events.RuleTargetInput.from_object({}),
            max_event_age=_EVENT_AGE,
            retry_attempts=_TRIES_AGAIN,
        )
        events.Rule(
            self,
            "EachHour",
            description="Has the accounts of fan-out and archiver compared",
            schedule=events.Schedule.expression(f"cron({MINUTE} * * * ? *)"),
            targets=[call],
        )
