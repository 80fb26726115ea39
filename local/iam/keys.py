"""What AWS's services ask KMS for in the name of who calls them, by the keys of a template."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from local.iam.actions import ENCRYPTED
from local.iam.calls import IamCall
from local.iam.policies import arn_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from local.iam.actions import IamPlace
    from local.template import Template

#: What a service asks KMS for in the name of who calls it. AWS KMS Developer Guide and the data
#: protection pages of the services; a part of an upload is decrypted to be put together.
_KEY_USE = {
    "kinesis:PutRecord": ("GenerateDataKey",),
    "kinesis:PutRecords": ("GenerateDataKey",),
    "kinesis:GetRecords": ("Decrypt",),
    "kinesis:SubscribeToShard": ("Decrypt",),
    "sqs:SendMessage": ("GenerateDataKey", "Decrypt"),
    "sqs:ReceiveMessage": ("Decrypt",),
    "s3:PutObject": ("GenerateDataKey",),
    "s3:GetObject": ("Decrypt",),
    "s3:GetObjectVersion": ("Decrypt",),
    "sns:Publish": ("GenerateDataKey", "Decrypt"),
    **{
        f"dynamodb:{name}": ("Decrypt",)
        for name in (
            *("BatchGetItem", "BatchWriteItem", "ConditionCheckItem", "DeleteItem", "GetItem"),
            *("PutItem", "Query", "Scan", "UpdateItem"),
        )
    },
}
_KEY_PROPERTIES = {
    "AWS::Kinesis::Stream": ("StreamEncryption", "KeyId"),
    "AWS::SQS::Queue": ("KmsMasterKeyId",),
    "AWS::SNS::Topic": ("KmsMasterKeyId",),
    "AWS::DynamoDB::Table": ("SSESpecification", "KMSMasterKeyId"),
    "AWS::Logs::LogGroup": ("KmsKeyId",),
}
_CONTEXT_NAMES = {
    "kinesis": "aws:kinesis:arn",
    "s3": "aws:s3:arn",
    "sns": "aws:sns:topicArn",
    "sqs": "aws:sqs:arn",
}
#: Services of which AWS's pages do not say whether their calls of KMS name the source.
_SOURCE_UNCERTAIN = ("s3.amazonaws.com",)


@dataclass(frozen=True)
class Keys:
    """Which key encrypts what.

    Parameters
    ----------
    by_resource : Mapping[str, str]
        The ARN of a stream, queue, topic, table, bucket or log group to that of its key. What one
        of AWS's own keys encrypts is left out: their policies let everyone of the account in.
    bucket_keys : frozenset[str]
        Buckets for which S3 keeps a key of its own: KMS sees the bucket's ARN, not the object's.
    secrets : str
        The key of the parameters that operators make; empty for AWS's own.
    """

    by_resource: Mapping[str, str]
    bucket_keys: frozenset[str]
    secrets: str

    def calls(self, call: IamCall, place: IamPlace) -> Iterator[IamCall]:
        """Return what the service asks KMS for so that it can do what it was called for."""
        service, _, operation = call.action.partition(":")
        if service == "ssm":
            yield from self._parameter(call, operation, place)
            return
        holder = bucket_of(call.resource)
        # A part of a thing has its key: a table's index, and a stream's consumer.
        whole = holder.partition("/index/")[0].partition("/consumer/")[0]
        key = self.by_resource.get(whole)
        if not key:
            return
        seen = holder if holder in self.bucket_keys else call.resource.partition("/consumer/")[0]
        name = _CONTEXT_NAMES.get(service)
        context = {f"kms:EncryptionContext:{name}": seen} if name else {}
        if service == "dynamodb":
            table = call.resource.partition("/")[2].partition("/")[0]
            context = {"kms:EncryptionContext:aws:dynamodb:tableName": table}
        for action in _KEY_USE.get(call.action, ()):
            yield self._use(call, action, key, context, place)
            if call.principal in _SOURCE_UNCERTAIN:
                bare = IamCall(call.principal, call.action, call.resource)
                yield self._use(bare, action, key, context, place)

    def _parameter(self, call: IamCall, operation: str, place: IamPlace) -> Iterator[IamCall]:
        actions = {"Put": ("Encrypt", "GenerateDataKey"), "Get": ("Decrypt",)}.get(operation[:3])
        if self.secrets and actions and dict(call.context).get(ENCRYPTED):
            context = {"kms:EncryptionContext:PARAMETER_ARN": call.resource}
            for action in actions:
                yield self._use(call, action, self.secrets, context, place)

    @staticmethod
    def _use(
        call: IamCall, action: str, key: str, context: Mapping[str, str], place: IamPlace
    ) -> IamCall:
        service = call.action.partition(":")[0]
        given = {name: value for name, value in call.context if name.startswith("aws:Source")}
        via = {"kms:ViaService": f"{service}.{place.region}.amazonaws.com"}
        whole = {**given, **context, **via}
        return IamCall.make(call.principal, f"kms:{action}", key, whole, f"for {call.action}")


def bucket_of(arn: str) -> str:
    """Return the bucket's ARN for an object's, and any other as it is."""
    return arn.partition("/")[0] if arn.startswith("arn:aws:s3:::") else arn


def keys_of(template: Template) -> Keys:
    """Read from a template which key encrypts what."""
    own = {arn_of(template, key.logical_id) for key in template.resources("AWS::KMS::Key")}
    found, with_own = {}, set()
    for resource in template.resources("AWS::S3::Bucket", *_KEY_PROPERTIES):
        properties = template.resolve(
            {k: v for k, v in resource.properties.items() if k in _ENCRYPTION}
        )
        arn = arn_of(template, resource.logical_id).removesuffix(":*")
        if resource.type == "AWS::S3::Bucket":
            for rule in properties.get("BucketEncryption", {}).get(_RULES, []):
                key = rule.get("ServerSideEncryptionByDefault", {}).get("KMSMasterKeyID")
                with_own |= {arn} if rule.get("BucketKeyEnabled") else set()
        else:
            key = properties
            for name in _KEY_PROPERTIES[resource.type]:
                key = (key or {}).get(name)
        key = next((each for each in own if key in {each, each.rpartition("/")[2]}), None)
        if key:
            found[arn] = key
    secrets = next((key for arn, key in found.items() if ":kinesis:" in arn), "")
    return Keys(found, frozenset(with_own), secrets)


_RULES = "ServerSideEncryptionConfiguration"
_ENCRYPTION = {"BucketEncryption", *(names[0] for names in _KEY_PROPERTIES.values())}
