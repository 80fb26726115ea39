"""What IAM knows of a stack: its policies, its keys, and what AWS's services do in it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from local.iam.actions import IamPlace
from local.iam.calls import IamCall
from local.iam.keys import Keys, bucket_of, keys_of
from local.iam.policies import (
    Permission,
    arn_of,
    identity_permissions,
    name_of,
    name_resources,
    resource_permissions,
    unread_policies,
)
from local.iam.standing import standing_calls

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from local.template import Template

_NAMED = (
    *("AWS::DynamoDB::Table", "AWS::IAM::Role", "AWS::KMS::Key", "AWS::Kinesis::Stream"),
    *("AWS::Lambda::Function", "AWS::S3::Bucket", "AWS::SNS::Topic", "AWS::SQS::Queue"),
)
_CONTEXT = "kms:EncryptionContext:"


@dataclass(frozen=True)
class IamModel:
    """What decides about a stack's calls.

    Parameters
    ----------
    permissions : tuple[Permission, ...]
        The statements of all policies.
    names : Mapping[str, str]
        ARN to the resource's name in the template.
    roles : Mapping[str, str]
        A role's logical id to its ARN.
    unread : Mapping[str, list[str]]
        A role's ARN to its policies that are not in the template.
    standing : tuple[IamCall, ...]
        What AWS's services do by themselves.
    tags : Mapping[str, Mapping[str, str]]
        A role's ARN to its tags, which who takes it may have to name.
    """

    place: IamPlace
    permissions: tuple[Permission, ...]
    names: Mapping[str, str]
    roles: Mapping[str, str]
    unread: Mapping[str, list[str]]
    keys: Keys
    standing: tuple[IamCall, ...]
    tags: Mapping[str, Mapping[str, str]]

    @classmethod
    def of(cls, template: Template) -> IamModel:
        """Read a template; its physical ids are those that calls name.

        Raises
        ------
        TemplateError
            For a policy, or a part, that cannot be judged here.
        """
        name_resources(template)
        place, keys = IamPlace(template.region, template.account), keys_of(template)
        named = list(template.resources(*_NAMED))
        return cls(
            place=place,
            permissions=(*identity_permissions(template), *resource_permissions(template)),
            names={arn_of(template, each.logical_id): name_of(each) for each in named},
            roles={
                each.logical_id: arn_of(template, each.logical_id)
                for each in named
                if each.type == "AWS::IAM::Role"
            },
            unread=unread_policies(template),
            keys=keys,
            standing=tuple(standing_calls(template, place, keys)),
            tags={
                arn_of(template, each.logical_id): {tag["Key"]: tag["Value"] for tag in tags}
                for each in named
                if each.type == "AWS::IAM::Role" and (tags := each.properties.get("Tags"))
            },
        )

    def to_json(self) -> str:
        """Return it as text."""
        return json.dumps(
            asdict(self) | {"keys": {**asdict(self.keys), "bucket_keys": [*self.keys.bucket_keys]}}
        )

    @classmethod
    def from_json(cls, text: str | bytes) -> IamModel:
        """Read what `to_json` gives."""
        found = json.loads(text)
        keys = found["keys"]
        return cls(
            place=IamPlace(**found["place"]),
            permissions=tuple(Permission(**each) for each in found["permissions"]),
            names=found["names"],
            roles=found["roles"],
            unread=found["unread"],
            keys=Keys(keys["by_resource"], frozenset(keys["bucket_keys"]), keys["secrets"]),
            standing=tuple(
                IamCall.make(**{**each, "context": dict(each["context"])})
                for each in found["standing"]
            ),
            tags=found["tags"],
        )

    def with_keys(self, calls: Iterable[IamCall]) -> list[IamCall]:
        """Return calls with what they ask of KMS, and with the condition keys that policies name.

        All else that a request says makes no difference: calls that differ in it are one.
        """
        found = []
        for call in calls:
            found += [call, *self.keys.calls(call, self.place)]
        return [self._bare(call) for call in found]

    def policies(self) -> dict[str, dict[str, Any]]:
        """Return the policy of each role and each resource by its ARN; Sids are numbers."""
        found: dict[str, list[dict[str, Any]]] = {}
        for number, permission in enumerate(self.permissions):
            statement = {"Sid": f"s{number}", **permission.statement}
            if "Condition" in statement:
                statement["Condition"] = {
                    operator: {_alias(key): _texts(value) for key, value in keys.items()}
                    for operator, keys in statement["Condition"].items()
                }
            attached = "Principal" in statement
            found.setdefault(_id(permission.subject, attached=attached), []).append(statement)
        return {
            subject: {"Version": "2012-10-17", "Statement": statements}
            for subject, statements in found.items()
        }

    def question(self, call: IamCall) -> dict[str, Any]:
        """Return what the simulator is asked about a call."""
        context = {**self._constant(call), **dict(call.context)}
        return {
            "principal": call.principal,
            "action": call.action,
            "resource": call.resource,
            "account": self._account(call.resource, call.principal),
            "context": {
                _alias(key): value for key, value in context.items() if key in self._mentioned
            },
            "identity": _id(call.principal, attached=False),
            "attached": _id(bucket_of(call.resource), attached=True),
        }

    @cached_property
    def _mentioned(self) -> frozenset[str]:
        return frozenset(
            key
            for permission in self.permissions
            for keys in permission.statement.get("Condition", {}).values()
            for key in keys
        )

    def _bare(self, call: IamCall) -> IamCall:
        kept = {key: value for key, value in call.context if key in self._mentioned}
        return IamCall.make(call.principal, call.action, call.resource, kept, call.why)

    def _account(self, *arns: str) -> str:
        """Return the account of the first of these that says one: an ARN of S3's says none."""
        found = (parts[4] for arn in arns if len(parts := arn.split(":")) > 5)
        return next((each for each in found if each), self.place.account)

    def _constant(self, call: IamCall) -> dict[str, str]:
        account = self._account(call.principal)
        found = {
            "aws:RequestedRegion": self.place.region,
            "aws:ResourceAccount": self._account(call.resource, call.principal),
            "aws:SecureTransport": "true",
            **{f"iam:ResourceTag/{k}": v for k, v in self.tags.get(call.resource, {}).items()},
        }
        if call.action.startswith("s3:"):
            found["s3:TlsVersion"] = "1.3"
        if call.principal in self.names:
            of_kms = {"kms:CallerAccount": account} if call.action.startswith("kms:") else {}
            return (
                found
                | of_kms
                | {
                    "aws:PrincipalAccount": account,
                    "aws:PrincipalArn": call.principal,
                    "aws:PrincipalIsAWSService": "false",
                    "aws:ViaAWSService": "true" if of_kms else "false",
                }
            )
        return found | {
            "aws:PrincipalIsAWSService": "true",
            "aws:PrincipalServiceName": call.principal,
        }


def _id(arn: str, *, attached: bool) -> str:
    """Tell the policy that is attached to a role, which says who may take it, from its own."""
    return f"on {arn}" if attached else arn


def _alias(key: str) -> str:
    """Return another name for a key of the encryption context.

    iam-simulate 0.1.173 leaves a key aside whose variable part has colons, as `aws:logs:arn` has.
    """
    if not key.startswith(_CONTEXT):
        return key
    return f"aws:RequestTag/{key.removeprefix(_CONTEXT).replace(':', '.')}"


def _texts(value: Any) -> Any:
    return [str(each) for each in value] if isinstance(value, list) else str(value)
