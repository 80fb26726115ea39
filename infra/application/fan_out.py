"""The fan-out: stream to queues, and what cannot be delivered to the archive."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from aws_cdk import Stack
from aws_cdk import aws_iam as iam

from infra.application.functions import read_parameters
from infra.application.stream_consumer import StreamConsumer
from pipeline.archive.keys import LEDGER_PREFIX, QUARANTINE_PREFIX, REJECTED_PREFIX
from pipeline.aws.limits import ENVIRONMENT_BYTES
from settings.deployment import DeploymentError
from settings.spreading import queue_variable_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from aws_cdk import aws_dynamodb as dynamodb
    from aws_cdk import aws_kinesis as kinesis
    from aws_cdk import aws_s3 as s3
    from aws_cdk import aws_sqs as sqs
    from constructs import Construct

    from infra.application.functions import FunctionPackage
    from settings.deployment import Deployment


class FanOutFunction(StreamConsumer):
    """The consumer that hands events to MozDef.

    Parameters
    ----------
    stream : kinesis.Stream
        Where records come from.
    queues : Mapping[str, sqs.Queue]
        Delivery queues by name.
    parameter_arns : Sequence[str]
        The parameters that hold the signing secrets of its sources.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        package: FunctionPackage,
        deployment: Deployment,
        environment: Mapping[str, str],
        stream: kinesis.Stream,
        queues: Mapping[str, sqs.Queue],
        table: dynamodb.Table,
        bucket: s3.Bucket,
        parameter_arns: Sequence[str],
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            package=package,
            handler="stream_processors.fan_out.handler",
            description="Verifies, validates and deduplicates events, and hands them to MozDef",
            environment={
                **environment,
                "QUEUE_URLS": _queue_urls(Stack.of(scope), queues),
                "DEDUPE_TABLE": table.table_name,
                **_former_keys(deployment.fan_out.former_keys_until),
            },
            permissions={
                "ReadSecrets": read_parameters(parameter_arns),
                "Deduplicate": [_deduplicate(table)],
                "Deliver": [_deliver(queues)],
            },
            settings=deployment.fan_out,
            stream=stream,
            maximum_record_age_seconds=deployment.stream.maximum_record_age_seconds,
            bucket=bucket,
            prefixes=(REJECTED_PREFIX, QUARANTINE_PREFIX, LEDGER_PREFIX),
            parallelization_factor=deployment.fan_out.parallelization_factor,
            enhanced_fan_out=deployment.fan_out.enhanced_fan_out,
        )


def _queue_urls(stack: Stack, queues: Mapping[str, sqs.Queue]) -> str:
    if queue_variable_bytes(stack.stack_name, queues) > ENVIRONMENT_BYTES:
        raise DeploymentError(
            f"{len(queues)} queues: their URLs do not fit the {ENVIRONMENT_BYTES} bytes of a "
            "function's environment; spread the sources over more services, as 'config check' "
            "says"
        )
    return stack.to_json_string({name: queue.queue_url for name, queue in queues.items()})


def _former_keys(until: date | None) -> dict[str, str]:
    if until is None:
        return {}
    midnight = datetime(until.year, until.month, until.day, tzinfo=UTC)
    return {"FORMER_KEYS_UNTIL": str(int(midnight.timestamp()))}


def _deduplicate(table: dynamodb.Table) -> iam.PolicyStatement:
    return iam.PolicyStatement(
        actions=["dynamodb:BatchGetItem", "dynamodb:BatchWriteItem"], resources=[table.table_arn]
    )


def _deliver(queues: Mapping[str, sqs.Queue]) -> iam.PolicyStatement:
    return iam.PolicyStatement(
        actions=["sqs:SendMessage"], resources=[queue.queue_arn for queue in queues.values()]
    )
