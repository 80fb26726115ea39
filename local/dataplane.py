"""Takes from a synthesized template the part that the emulator's CloudFormation can create."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local.template import Template

DATA_PLANE = frozenset(
    {
        "AWS::DynamoDB::Table",
        "AWS::Kinesis::Stream",
        "AWS::S3::Bucket",
        "AWS::SNS::Subscription",
        "AWS::SNS::Topic",
        "AWS::SNS::TopicPolicy",
        "AWS::SQS::Queue",
        "AWS::SQS::QueuePolicy",
        "AWS::SSM::Parameter",
    }
)
# The emulator encrypts nothing, and lets everyone in.
_LEFT_OUT = frozenset(
    {
        "BucketEncryption",
        "KmsMasterKeyId",
        "LifecycleConfiguration",
        "SSESpecification",
        "StreamEncryption",
    }
)
#: What SQS gives to a queue that names none (CloudFormation's template reference, SQS::Queue); the
#: emulator gives a quarter of the message size.
QUEUE_ATTRIBUTES = {
    "DelaySeconds": 0,
    "MaximumMessageSize": 1_048_576,
    "MessageRetentionPeriod": 345_600,
    "ReceiveMessageWaitTimeSeconds": 0,
    "VisibilityTimeout": 30,
}
_SUB_VARIABLE = re.compile(r"\$\{([^!}.]+)[^}]*\}")


def data_plane(template: Template) -> dict[str, Any]:
    """Return a template of the streams, queues, topics, tables, buckets and parameters alone.

    References among them stay; what refers to anything else is resolved.
    """
    kept = {resource.logical_id for resource in template.resources(*DATA_PLANE)}
    resources: dict[str, Any] = {}
    for logical_id in template.document["Resources"]:
        if logical_id not in kept:
            continue
        body = template.document["Resources"][logical_id]
        properties = {
            name: value
            for name, value in body.get("Properties", {}).items()
            if name not in _LEFT_OUT
        }
        if body["Type"] == "AWS::SQS::Queue":
            key = "MaximumMessageSize"
            properties.setdefault(key, QUEUE_ATTRIBUTES[key])
        resources[logical_id] = {
            "Type": body["Type"],
            "Properties": _localize(template, properties, kept),
            **_dependencies(body, kept),
        }
    return {"AWSTemplateFormatVersion": "2010-09-09", "Resources": resources}


def _dependencies(body: Mapping[str, Any], kept: set[str]) -> dict[str, Any]:
    named = body.get("DependsOn", [])
    known = [name for name in ([named] if isinstance(named, str) else named) if name in kept]
    return {"DependsOn": known} if known else {}


def _localize(template: Template, value: Any, kept: set[str]) -> Any:
    match value:
        case list():
            return [_localize(template, item, kept) for item in value]
        case {"Ref": str(name)} | {"Fn::GetAtt": [str(name), *_]}:
            stays = name in kept or name.startswith("AWS::")
            return value if stays else template.resolve(value)
        case {"Fn::Sub": str(text)}:
            inside = set(_SUB_VARIABLE.findall(text)) & set(template.document["Resources"])
            return value if inside <= kept else template.resolve(value)
        case dict():
            return {key: _localize(template, item, kept) for key, item in value.items()}
    return value
