"""Creates the template's streams, queues, tables, buckets and parameters in the emulator.

What is there already is changed to what the template says, and keeps what is in it.
"""

from __future__ import annotations

import json
import logging
import secrets
import time
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit, urlunsplit

from botocore.exceptions import ClientError

from local.data_changes import plan_update
from local.dataplane import QUEUE_ATTRIBUTES, data_plane
from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_ssm import SSMClient

    from local.emulator import Emulator
    from local.template import Resource, Template

_CREATE_SECONDS = 60.0
# What the emulator takes, whatever the stream's own limit is.
_EMULATOR_RECORD_KIB = 1024
_log = logging.getLogger(__name__)


class ProvisionError(PipelineError):
    """The emulator could not create what the template describes."""


def provision(template: Template, emulator: Emulator) -> bool:
    """Make the emulator's data plane the template's, and fill the template's physical ids.

    Returns
    -------
    bool
        Whether there was one of this stack before.

    Raises
    ------
    DataWouldBeLostError
        When what is there cannot be gone on with; nothing was changed then.
    ProvisionError
        When the emulator refuses it.
    """
    cloudformation = emulator.client("cloudformation")
    document = data_plane(template)
    before = _template_of(cloudformation, template.stack_name)
    if before is not None:
        for step in plan_update(before, document):
            _apply(cloudformation, template.stack_name, step, update=True)
    elif document["Resources"]:
        _apply(cloudformation, template.stack_name, document)
    if document["Resources"]:
        _fill(template, cloudformation, emulator.endpoint_url)
    _complete(template, emulator, document["Resources"])
    return before is not None


def create_secrets(
    sources: Mapping[str, Mapping[str, Any]], ssm: SSMClient
) -> dict[str, dict[str, str]]:
    """Create the sources' secrets with random values, unless they are there.

    CloudFormation cannot create a SecureString, so a deployment has them made by hand.

    Parameters
    ----------
    sources : Mapping[str, Mapping[str, Any]]
        The stack's output `Sources`.

    Returns
    -------
    dict[str, dict[str, str]]
        Source to the kind of its secret (the parameter's last part) to the value.
    """
    values: dict[str, dict[str, str]] = {}
    for source, settings in sources.items():
        first = settings.get("parameter")
        for name in [*([first] if first else []), *settings.get("further_parameters", [])]:
            kind = name.rsplit("/", 1)[-1]
            with suppress(ClientError):
                # It fails where the parameter exists: then its value is kept.
                ssm.put_parameter(Name=name, Value=_random_secret(kind), Type="SecureString")
            found = ssm.get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"]
            values.setdefault(source, {})[kind] = found
    return values


def _random_secret(kind: str) -> str:
    """Return a secret that serves as text, as hex, as base64 and, for an API, as a pair."""
    value = secrets.token_hex(24)
    return f"local:{value}" if kind == "api_credential" else value


def _template_of(cloudformation: CloudFormationClient, stack: str) -> Any:
    """Return the template that a stack has; None where there is none."""
    try:
        found = cloudformation.get_template(StackName=stack)["TemplateBody"]
    except ClientError:
        return None
    return json.loads(found) if isinstance(found, str) else found


def _apply(
    cloudformation: CloudFormationClient,
    stack: str,
    document: Mapping[str, Any],
    *,
    update: bool = False,
) -> None:
    body = json.dumps(document)
    if update:
        # Its rollback would delete what was there before, too.
        cloudformation.update_stack(StackName=stack, TemplateBody=body, DisableRollback=True)
    else:
        cloudformation.create_stack(StackName=stack, TemplateBody=body)
    deadline = time.monotonic() + _CREATE_SECONDS
    while True:
        state = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
        status = state["StackStatus"]
        if status in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}:
            return
        if not status.endswith("IN_PROGRESS") or time.monotonic() > deadline:
            reason = state.get("StackStatusReason") or _first_failure(cloudformation, stack)
            what = "update" if update else "create"
            raise ProvisionError(f"the emulator cannot {what} the stack: {status}: {reason}")
        time.sleep(0.02)


def _first_failure(cloudformation: CloudFormationClient, stack: str) -> str:
    events = cloudformation.describe_stack_events(StackName=stack)["StackEvents"]
    for event in reversed(events):
        if event["ResourceStatus"].endswith("FAILED") and event.get("ResourceStatusReason"):
            return f"{event['LogicalResourceId']}: {event['ResourceStatusReason']}"
    return "no reason given"


def _fill(template: Template, cloudformation: CloudFormationClient, endpoint_url: str) -> None:
    described = cloudformation.describe_stack_resources(StackName=template.stack_name)
    for found in described["StackResources"]:
        physical_id = found["PhysicalResourceId"]
        if found["ResourceType"] == "AWS::SQS::Queue":
            physical_id = _at(endpoint_url, physical_id)
        template.physical_ids[found["LogicalResourceId"]] = physical_id
    for function in template.resources("AWS::Lambda::Function"):
        if name := function.properties.get("FunctionName"):
            template.physical_ids[function.logical_id] = str(template.resolve(name))


def _at(endpoint_url: str, queue_url: str) -> str:
    """Return a queue's URL at the emulator's present port: a kept state has the former one."""
    return urlunsplit(urlsplit(queue_url)._replace(netloc=urlsplit(endpoint_url).netloc))


def _complete(template: Template, emulator: Emulator, document: Mapping[str, Any]) -> None:
    """Set by direct calls what the emulator's CloudFormation leaves out, or leaves as it was."""
    client = cache(emulator.client)  # to make one takes as long as ten calls
    for logical_id, body in document.items():
        resource = template.resource(logical_id)
        match resource.type:
            case "AWS::SQS::Queue":
                _complete_queue(template, logical_id, body["Properties"], client("sqs"))
            case "AWS::DynamoDB::Table":
                _complete_table(template, resource, client("dynamodb"))
            case "AWS::Kinesis::Stream":
                _check_stream(template, resource)


def _complete_queue(
    template: Template, logical_id: str, properties: Mapping[str, Any], sqs: SQSClient
) -> None:
    given = template.resolve(properties)
    attributes = {name: str(given.get(name, usual)) for name, usual in QUEUE_ATTRIBUTES.items()}
    if policy := given.get("RedrivePolicy"):
        # The emulator, as SQS, keeps the policy as text; the count in it is a number. It takes no
        # empty one, by which SQS removes it.
        count = int(policy["maxReceiveCount"])
        attributes["RedrivePolicy"] = json.dumps({**policy, "maxReceiveCount": count})
    url = template.physical_ids[logical_id]
    found: Mapping[str, str] = {}
    try:
        answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
        found = cast("Any", answer["Attributes"])
    except sqs.exceptions.QueueDoesNotExist:
        # Somebody deleted it. CloudFormation makes it anew where drift is reverted.
        sqs.create_queue(QueueName=url.rpartition("/")[2])
    changed = {name: value for name, value in attributes.items() if found.get(name) != value}
    if changed:
        sqs.set_queue_attributes(QueueUrl=url, Attributes=cast("Any", changed))


def _complete_table(template: Template, resource: Resource, dynamodb: DynamoDBClient) -> None:
    setting = template.resolve(resource.properties.get("TimeToLiveSpecification"))
    if setting:
        dynamodb.update_time_to_live(
            TableName=template.physical_ids[resource.logical_id],
            TimeToLiveSpecification={
                "AttributeName": setting["AttributeName"],
                "Enabled": setting.get("Enabled", True) in {True, "true"},
            },
        )


def _check_stream(template: Template, resource: Resource) -> None:
    size = int(template.resolve(resource.properties.get("MaxRecordSizeInKiB", 0)) or 0)
    if size > _EMULATOR_RECORD_KIB:
        _log.warning(
            "%s: records of %d KiB when deployed, of %d KiB here",
            resource.logical_id,
            size,
            _EMULATOR_RECORD_KIB,
        )
