"""The policies of a template, statement by statement, each with one action and one resource."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from local.template import TemplateError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from local.template import Resource, Template

#: Condition keys whose values are known for each call. A policy with another one cannot be judged:
#: where a key is missing, what it allows is denied and what it denies is allowed.
KNOWN_KEYS = frozenset(
    {
        *("aws:PrincipalAccount", "aws:PrincipalArn", "aws:PrincipalIsAWSService"),
        *("aws:PrincipalServiceName", "aws:RequestedRegion", "aws:ResourceAccount"),
        *("aws:SecureTransport", "aws:SourceAccount", "aws:SourceArn", "aws:ViaAWSService"),
        *("kms:CallerAccount", "kms:ViaService", "sts:ExternalId"),
        *("s3:TlsVersion", "s3:delimiter", "s3:max-keys", "s3:prefix", "s3:versionid"),
    }
)
#: By the request's own header, or a role's tags.
_KNOWN_BEGINNINGS = ("iam:ResourceTag/", "kms:EncryptionContext:", "s3:x-amz-")
_HASH = re.compile("[0-9A-F]{8}$")
_CANNOT = ("NotAction", "NotResource", "NotPrincipal")
#: Resources whose policies are not read here.
_UNREAD = ("AWS::Kinesis::ResourcePolicy", "AWS::IAM::UserPolicy", "AWS::IAM::GroupPolicy")


class PolicyUnknownError(TemplateError):
    """The template has a policy that cannot be judged here."""


@dataclass(frozen=True)
class Permission:
    """A statement of a policy, for one action and one resource.

    Parameters
    ----------
    holder : str
        Whose policy it is: the name of the role or the resource in the template.
    subject : str
        The ARN of the role, or of the resource, that the policy is attached to.
    statement : Mapping[str, Any]
        Without a Sid; `Principal` is there in a resource's policy alone.
    """

    holder: str
    subject: str
    statement: Mapping[str, Any]

    @property
    def allows(self) -> bool:
        """Whether it allows something; else it denies it."""
        return bool(self.statement["Effect"] == "Allow")

    @property
    def to_root(self) -> bool:
        """Whether a key leaves something to the account as a whole."""
        to = self.statement.get("Principal")
        of_key = str(self.statement["Action"]).startswith("kms:")
        return of_key and isinstance(to, dict) and str(to.get("AWS", "")).endswith(":root")

    def __str__(self) -> str:
        to = self.statement.get("Principal")
        keys = self.statement.get("Condition")
        return (
            f"{self.holder}: {self.statement['Effect']} {self.statement['Action']} on "
            f"{self.statement.get('Resource', self.subject)}"
            + (f" to {to}" if to else "")
            + (f" where {keys}" if keys else "")
        )


def name_of(resource: Resource) -> str:
    """Return a resource's logical id without the digits that the CDK puts behind it."""
    return _HASH.sub("", resource.logical_id)


def arn_of(template: Template, logical_id: str) -> str:
    """Return the ARN of a resource that a policy can be attached to."""
    resource = template.resource(logical_id)
    if resource.type == "AWS::SNS::Topic":
        return str(template.resolve({"Ref": logical_id}))
    return str(template.resolve({"Fn::GetAtt": [logical_id, "Arn"]}))


def name_resources(template: Template) -> None:
    """Give resources that are not in the emulator the names that the template gives them.

    A topic without one gets the ARN that `Ref` is to return.
    """
    for resource in template.resources(*_NAMES):
        if name := resource.properties.get(_NAMES[resource.type]):
            template.physical_ids.setdefault(resource.logical_id, template.resolve(name))
    for topic in template.resources("AWS::SNS::Topic"):
        arn = f"arn:aws:sns:{template.region}:{template.account}:{topic.logical_id}"
        template.physical_ids.setdefault(topic.logical_id, arn)


_NAMES = {
    "AWS::Events::Rule": "Name",
    "AWS::IAM::Role": "RoleName",
    "AWS::Lambda::Function": "FunctionName",
    "AWS::Logs::LogGroup": "LogGroupName",
    "AWS::StepFunctions::StateMachine": "StateMachineName",
}


def identity_permissions(template: Template) -> list[Permission]:
    """Return what the policies of the template's roles say.

    Raises
    ------
    PolicyUnknownError
        For a policy that lies elsewhere or cannot be judged.
    """
    roles = {role.logical_id: role for role in template.resources("AWS::IAM::Role")}
    found: list[Permission] = []
    for role in roles.values():
        if role.properties.get("PermissionsBoundary"):
            raise PolicyUnknownError(f"{role.logical_id}: PermissionsBoundary: not in the template")
        for policy in role.properties.get("Policies", []):
            found += _permissions(template, role, role.logical_id, policy["PolicyDocument"])
    for policy in template.resources("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"):
        for reference in policy.properties.get("Roles", []):
            role_id = reference.get("Ref") if isinstance(reference, dict) else reference
            if role_id not in roles:
                raise PolicyUnknownError(f"{policy.logical_id}: {reference}: no role of this stack")
            document = policy.properties["PolicyDocument"]
            found += _permissions(template, roles[role_id], role_id, document)
    return found


def unread_policies(template: Template) -> dict[str, list[str]]:
    """Return by a role's ARN its policies that are AWS's own, which no template holds."""
    return {
        arn_of(template, role.logical_id): [template.resolve(arn) for arn in arns]
        for role in template.resources("AWS::IAM::Role")
        if (arns := role.properties.get("ManagedPolicyArns"))
    }


def resource_permissions(template: Template) -> list[Permission]:
    """Return what the policies of keys, queues, topics, buckets, functions and roles say.

    Raises
    ------
    PolicyUnknownError
        For one that cannot be judged.
    """
    for unread in template.resources(*_UNREAD):
        raise PolicyUnknownError(f"{unread.logical_id}: {unread.type} is not known here")
    found: list[Permission] = []
    for resource, subject, document in _attached(template):
        found += _permissions(template, resource, subject, document)
    for granted in template.resources("AWS::Lambda::Permission"):
        found.append(_of_function(template, granted))
    return found


def _attached(template: Template) -> Iterator[tuple[Resource, str, Mapping[str, Any]]]:
    for role in template.resources("AWS::IAM::Role"):
        yield role, role.logical_id, role.properties["AssumeRolePolicyDocument"]
    for key in template.resources("AWS::KMS::Key"):
        yield key, key.logical_id, key.properties["KeyPolicy"]
    for kind, names in (
        ("AWS::S3::BucketPolicy", "Bucket"),
        ("AWS::SQS::QueuePolicy", "Queues"),
        ("AWS::SNS::TopicPolicy", "Topics"),
    ):
        for policy in template.resources(kind):
            given = policy.properties[names]
            for reference in given if isinstance(given, list) else [given]:
                subject = reference.get("Ref") if isinstance(reference, dict) else None
                if subject is None:
                    raise PolicyUnknownError(f"{policy.logical_id}: {reference}: not of this stack")
                yield template.resource(subject), subject, policy.properties["PolicyDocument"]


def _permissions(
    template: Template, resource: Resource, subject: str, document: Any
) -> Iterator[Permission]:
    for statement in as_list(template.resolve(document)["Statement"]):
        for word in _CANNOT:
            if word in statement:
                raise PolicyUnknownError(f"{resource.logical_id}: {word}: cannot be judged here")
        kept = {name: statement[name] for name in ("Principal", "Condition") if name in statement}
        _check_keys(resource, kept.get("Condition", {}))
        for action in as_list(statement["Action"]):
            for target in as_list(statement.get("Resource", _NO_RESOURCE)):
                one = {"Effect": statement["Effect"], "Action": action, **kept}
                if target is not _NO_RESOURCE:
                    one["Resource"] = target
                yield Permission(name_of(resource), arn_of(template, subject), one)


#: The policy of a role, which says who may take it, names no resource.
_NO_RESOURCE = object()


def _of_function(template: Template, granted: Resource) -> Permission:
    given = template.resolve(granted.properties)
    if set(given) - {"Action", "FunctionName", "Principal", "SourceAccount", "SourceArn"}:
        raise PolicyUnknownError(f"{granted.logical_id}: {sorted(given)}: not all is known here")
    (function,) = (
        each
        for each in template.resources("AWS::Lambda::Function")
        if given["FunctionName"]
        in {arn_of(template, each.logical_id), template.resolve({"Ref": each.logical_id})}
    )
    conditions = {
        operator: {f"aws:{name}": given[name]}
        for operator, name in (("ArnLike", "SourceArn"), ("StringEquals", "SourceAccount"))
        if name in given
    }
    arn = arn_of(template, function.logical_id)
    principal = str(given["Principal"])
    statement = {
        "Effect": "Allow",
        "Principal": {"Service" if principal.endswith(".com") else "AWS": principal},
        "Action": given["Action"],
        "Resource": arn,
        **({"Condition": conditions} if conditions else {}),
    }
    return Permission(name_of(function), arn, statement)


def _check_keys(resource: Resource, conditions: Mapping[str, Mapping[str, Any]]) -> None:
    for keys in conditions.values():
        for key in keys:
            if key not in KNOWN_KEYS and not key.startswith(_KNOWN_BEGINNINGS):
                raise PolicyUnknownError(
                    f"{resource.logical_id}: condition key {key}: its value is not known here"
                )


def as_list(value: Any) -> list[Any]:
    """Return what a policy may write as one thing or as a list of such."""
    return value if isinstance(value, list) else [value]
