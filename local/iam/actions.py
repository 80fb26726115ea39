"""What IAM calls an operation, and which resources it is about.

An action has its operation's name, unless the Service Authorization Reference says otherwise: those
are below. A name that is wrong here, or new there, is none of IAM's own list of actions, and the
simulator refuses it; nothing passes for not being known.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from local.iam.calls import IamCall
from local.iam.wire import operation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.iam.wire import WireRequest

#: Amazon S3 User Guide, required permissions for S3 API operations; SQS's and Lambda's pages of the
#: Service Authorization Reference.
_OTHER_NAMES = {
    "s3:HeadObject": "GetObject",
    "s3:HeadBucket": "ListBucket",
    "s3:ListObjects": "ListBucket",
    "s3:ListObjectsV2": "ListBucket",
    "s3:ListObjectVersions": "ListBucketVersions",
    "s3:ListBuckets": "ListAllMyBuckets",
    "s3:GetBucketLifecycle": "GetLifecycleConfiguration",
    "s3:PutBucketLifecycle": "PutLifecycleConfiguration",
    "s3:ListParts": "ListMultipartUploadParts",
    "s3:ListMultipartUploads": "ListBucketMultipartUploads",
    "s3:CreateMultipartUpload": "PutObject",
    "s3:UploadPart": "PutObject",
    "s3:UploadPartCopy": "PutObject",
    "s3:CompleteMultipartUpload": "PutObject",
    "s3:CopyObject": "PutObject",
    "s3:DeleteObjects": "DeleteObject",
    "sqs:SendMessageBatch": "SendMessage",
    "sqs:DeleteMessageBatch": "DeleteMessage",
    "sqs:ChangeMessageVisibilityBatch": "ChangeMessageVisibility",
    "lambda:Invoke": "InvokeFunction",
}
#: The same operation on a version of an object is another action.
_OF_VERSIONS = {
    f"s3:{verb}Object{part}"
    for verb in ("Get", "Put", "Delete")
    for part in ("", "Acl", "Tagging")
    if (verb, part) != ("Put", "")
}
#: No condition key, and never given to IAM: whether a parameter is to be decrypted or encrypted.
ENCRYPTED = "encrypted"
_KEY = re.compile(r"<Key>(.*?)</Key>", re.DOTALL)
_TRANSACTION = {
    "Put": "PutItem",
    "Update": "UpdateItem",
    "Delete": "DeleteItem",
    "Get": "GetItem",
    "ConditionCheck": "ConditionCheckItem",
}


@dataclass(frozen=True)
class IamPlace:
    """Where the resources of a run are."""

    region: str
    account: str

    def arn(self, service: str, resource: str) -> str:
        """Make an ARN; what is one already stays, and nothing stays nothing."""
        if not resource or resource.startswith("arn:"):
            return resource
        return f"arn:aws:{service}:{self.region}:{self.account}:{resource}"


def calls_of(request: WireRequest, principal: str, place: IamPlace) -> list[IamCall]:
    """Return what IAM decides about for a request: often one, several where it names several.

    The context has what the request says; what follows from the principal is not in it.
    """
    name, parameters = operation(request)
    action = f"{request.service}:{_OTHER_NAMES.get(f'{request.service}:{name}', name)}"
    if request.service == "s3":
        found = _s3(name, action, parameters, request)
    elif request.service == "dynamodb":
        found = _dynamodb(name, action, parameters, place)
    else:
        resources = _RESOURCES.get(request.service, _no_resource)(parameters, place)
        secret = parameters.get("WithDecryption") or parameters.get("Type") == "SecureString"
        context = {ENCRYPTED: "true"} if secret else {}
        if "ExternalId" in parameters:
            context["sts:ExternalId"] = str(parameters["ExternalId"])
        found = ((action, resource, context) for resource in resources)
    return [IamCall.make(principal, *each) for each in found]


def _s3(
    name: str, action: str, parameters: dict[str, Any], request: WireRequest
) -> Iterator[tuple[str, str, dict[str, str]]]:
    bucket, key = parameters["Bucket"], parameters["Key"]
    context = {
        f"s3:{key}": value
        for key, value in parameters.items()
        if key in {"prefix", "delimiter", "max-keys", "versionId"} or key.startswith("x-amz-")
    }
    if name == "ListBuckets":
        yield action, "*", context
        return
    keys = [key]
    if name == "DeleteObjects":
        keys = [html.unescape(one) for one in _KEY.findall(request.body.decode("utf-8", "replace"))]
    if "versionId" in parameters and action in _OF_VERSIONS:
        verb, part = action.split("Object")
        action = f"{verb}ObjectVersion{part}"
    for one in keys:
        yield action, f"arn:aws:s3:::{bucket}/{one}" if one else f"arn:aws:s3:::{bucket}", context
    if source := parameters.get("x-amz-copy-source"):
        path, _, version = source.lstrip("/").partition("?versionId=")
        yield f"s3:GetObject{'Version' if version else ''}", f"arn:aws:s3:::{path}", {}


def _dynamodb(
    name: str, action: str, parameters: dict[str, Any], place: IamPlace
) -> Iterator[tuple[str, str, dict[str, str]]]:
    def table(named: Any) -> str:
        return place.arn("dynamodb", f"table/{named}" if named and ":" not in named else named)

    if name in {"BatchGetItem", "BatchWriteItem"}:
        pairs = [(action, named) for named in parameters.get("RequestItems", {})]
    elif name in {"TransactGetItems", "TransactWriteItems"}:
        pairs = [
            (f"dynamodb:{_TRANSACTION.get(kind, kind)}", item.get("TableName"))
            for each in parameters.get("TransactItems", [])
            for kind, item in each.items()
        ]
    else:
        pairs = [(action, parameters.get("TableName", ""))]
    for what, named in dict.fromkeys(pairs):
        index = parameters.get("IndexName")
        yield what, f"{table(named)}/index/{index}" if index else table(named), {}


def _kinesis(parameters: dict[str, Any], place: IamPlace) -> list[str]:
    name = parameters.get("StreamName")
    return [parameters.get("StreamARN") or place.arn("kinesis", f"stream/{name}" if name else "")]


def _sqs(parameters: dict[str, Any], place: IamPlace) -> list[str]:
    url = parameters.get("QueueUrl") or parameters.get("QueueName") or ""
    return [place.arn("sqs", str(url).rstrip("/").rpartition("/")[2])]


def _ssm(parameters: dict[str, Any], place: IamPlace) -> list[str]:
    names = parameters.get("Names") or [parameters.get("Name") or parameters.get("Path") or ""]
    return [
        name if name.startswith("arn:") else place.arn("ssm", f"parameter/{name.lstrip('/')}")
        for name in names
    ]


def _cloudformation(parameters: dict[str, Any], place: IamPlace) -> list[str]:
    """Return the stack that is named, or all; a name does not say what its ARN ends in."""
    name = parameters.get("StackName")
    if not name:
        return ["*"]
    return [name if name.startswith("arn:") else place.arn("cloudformation", f"stack/{name}/one")]


def _sts(parameters: dict[str, Any], _: IamPlace) -> list[str]:
    return [parameters.get("RoleArn", "*")]


def _no_resource(_: dict[str, Any], __: IamPlace) -> list[str]:
    return [""]


_RESOURCES = {
    "cloudformation": _cloudformation,
    "kinesis": _kinesis,
    "sqs": _sqs,
    "ssm": _ssm,
    "sts": _sts,
}
