"""The settings of an event source mapping, as the template has them."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from local.lambdas import find_function
from local.template import TemplateError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local.template import Resource, Template

_NAMESPACE = uuid.UUID("6f1f0a52-6d3a-4d5e-9a55-0f3b8f2d7c11")
_UNSUPPORTED = ("FilterCriteria", "TumblingWindowInSeconds")
FOREVER = -1


@dataclass(frozen=True)
class MappingSettings:
    """How a mapping reads, and what it does when the function fails.

    The defaults are those of AWS. `retries` and `record_age` are -1 where there is no limit.
    With enhanced fan-out, records come by a consumer of the stream, whose ARN is then known.
    """

    logical_id: str
    uuid: str
    function: str
    function_arn: str
    stream: str
    stream_arn: str
    batch_size: int = 100
    window: float = 0.0
    lanes: int = 1
    retries: int = FOREVER
    record_age: float = FOREVER
    bisect: bool = False
    partial_responses: bool = False
    starting_position: str = "TRIM_HORIZON"
    starting_timestamp: float | None = None
    destination: str | None = None
    role_arn: str = ""
    consumer_arn: str = ""

    @property
    def region(self) -> str:
        """The stream's region."""
        return self.stream_arn.split(":")[3]


def read_mappings(template: Template) -> list[MappingSettings]:
    """Read the template's mappings of Kinesis streams; a disabled one is left out.

    Raises
    ------
    TemplateError
        For a mapping that the local runtime cannot run.
    """
    resources = template.resources("AWS::Lambda::EventSourceMapping")
    found = [(resource, template.resolve(resource.properties)) for resource in resources]
    return [
        _read(template, resource, properties)
        for resource, properties in found
        if properties.get("Enabled", True) not in {False, "false"}
    ]


def _read(template: Template, resource: Resource, given: Mapping[str, Any]) -> MappingSettings:
    source_arn = str(given.get("EventSourceArn", ""))
    # Kinesis API reference, Consumer: <ARN of the stream>/consumer/<name>:<when it was created>.
    stream_arn, is_consumer, _ = source_arn.partition("/consumer/")
    if ":kinesis:" not in stream_arn:
        raise TemplateError(f"{resource.logical_id}: only Kinesis streams are read locally")
    for name in _UNSUPPORTED:
        if given.get(name):
            raise TemplateError(f"{resource.logical_id}: {name} is not supported locally")
    function = find_function(template, str(given["FunctionName"]))
    timestamp = given.get("StartingPositionTimestamp")
    return MappingSettings(
        logical_id=resource.logical_id,
        uuid=str(uuid.uuid5(_NAMESPACE, f"{template.stack_name}/{resource.logical_id}")),
        function=function,
        function_arn=str(template.resolve({"Fn::GetAtt": [function, "Arn"]})),
        stream=stream_arn.rpartition("/")[2],
        stream_arn=stream_arn,
        batch_size=int(given.get("BatchSize", 100)),
        window=float(given.get("MaximumBatchingWindowInSeconds", 0)),
        lanes=int(given.get("ParallelizationFactor", 1)),
        retries=int(given.get("MaximumRetryAttempts", FOREVER)),
        record_age=float(given.get("MaximumRecordAgeInSeconds", FOREVER)),
        bisect=given.get("BisectBatchOnFunctionError", False) in {True, "true"},
        partial_responses="ReportBatchItemFailures" in given.get("FunctionResponseTypes", []),
        starting_position=str(given.get("StartingPosition", "TRIM_HORIZON")),
        starting_timestamp=None if timestamp is None else float(timestamp),
        destination=_destination(resource, given),
        role_arn=_role(template, function),
        consumer_arn=source_arn if is_consumer else "",
    )


def _destination(resource: Resource, given: Mapping[str, Any]) -> str | None:
    arn = given.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
    if arn is None:
        return None
    if str(arn).split(":")[2] not in {"s3", "sqs"}:
        raise TemplateError(f"{resource.logical_id}: {arn}: only S3 and SQS take failures locally")
    return str(arn)


def _role(template: Template, function: str) -> str:
    return str(template.resolve(template.resource(function).properties.get("Role", "")))
