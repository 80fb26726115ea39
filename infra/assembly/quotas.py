"""Adds up what a template has, and compares it with what AWS takes of it.

Much of it is refused only by the service that gets it, minutes into a deployment, and the stack is
then rolled back. What only an account knows (how much of a quota others use) is not looked at.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Template = Mapping[str, Any]

#: By AWS's pages on quotas: CloudFormation, Lambda, IAM, CloudWatch, API Gateway, SQS, EventBridge.
LIMITS = {
    "resources of a stack": 500,
    "outputs of a stack": 200,
    "bytes of a template": 1_000_000,
    "bytes of a function's environment": 4_096,
    "bytes of a function's policy": 20_480,
    "characters of a role's inline policies": 10_240,
    "characters of a role's trust policy": 2_048,
    "characters of a composite alarm's rule": 10_240,
    "widgets of a dashboard": 500,
    "metrics of a dashboard": 2_500,
    "resources of an API": 300,
    "authorizers of an API": 10,
    "rules of an event bus": 300,
    "bytes of a bucket's policy": 20_480,
}
#: Set names, by the same pages: the property, what it is of, and how long it may be.
NAMES = {
    "AWS::Athena::WorkGroup": ("Name", "a workgroup", 128),
    "AWS::CloudWatch::Alarm": ("AlarmName", "an alarm", 255),
    "AWS::CloudWatch::CompositeAlarm": ("AlarmName", "a composite alarm", 255),
    "AWS::CloudWatch::Dashboard": ("DashboardName", "a dashboard", 255),
    "AWS::CodePipeline::Pipeline": ("Name", "a pipeline", 100),
    "AWS::Events::Rule": ("Name", "a rule", 64),
    "AWS::Glue::Database": ("DatabaseInput.Name", "a database", 255),
    "AWS::IAM::Role": ("RoleName", "a role", 64),
    "AWS::KMS::Alias": ("AliasName", "an alias", 256),
    "AWS::Logs::LogGroup": ("LogGroupName", "a log group", 512),
    "AWS::Logs::QueryDefinition": ("Name", "a saved query", 255),
    "AWS::SNS::Topic": ("TopicName", "a topic", 256),
    "AWS::SQS::Queue": ("QueueName", "a queue", 80),
    "AWS::StepFunctions::StateMachine": ("StateMachineName", "a workflow", 80),
    "AWS::WAFv2::WebACL": ("Name", "a web ACL", 128),
    "AWS::XRay::SamplingRule": ("SamplingRule.RuleName", "a sampling rule", 32),
}
LIMITS |= {f"characters of {of}'s name": most for _, of, most in NAMES.values()}
#: What stands for a name that CloudFormation or the account decides, with room to spare.
_PSEUDO = {
    "AWS::AccountId": "1" * 12,
    "AWS::Region": "ap-southeast-1",
    "AWS::Partition": "aws-us-gov",
    "AWS::URLSuffix": "amazonaws.com.cn",
    "AWS::StackId": "s" * 120,
    "AWS::StackName": "s" * 64,
}
_STATEMENT = (
    130  # around the ARNs of one permission in a function's policy: names, action, principal
)
_RANDOM = 14  # a hyphen and what CloudFormation adds to a name that it makes
_ARN = len("arn:aws-us-gov:service:ap-southeast-1:111111111111:kind/")


class QuotaError(PipelineError):
    """A template has more than AWS takes."""


@dataclass(frozen=True, order=True)
class Use:
    """How much of a limit is used.

    Parameters
    ----------
    limit : str
        A key of `LIMITS`.
    owner : str
        The logical id of what has it; empty for the stack.
    """

    limit: str
    used: int
    owner: str = ""

    @property
    def fits(self) -> bool:
        """Whether AWS takes as much."""
        return self.used <= LIMITS[self.limit]

    def __str__(self) -> str:
        where = f"{self.owner}: " if self.owner else ""
        return f"{where}{self.used:,} {self.limit}; AWS takes {LIMITS[self.limit]:,}"


def check(template: Template, name: str) -> None:
    """See that a template is not larger than AWS takes.

    Parameters
    ----------
    name : str
        Of the stack.

    Raises
    ------
    QuotaError
        With each limit that is broken.
    """
    faults = [str(one) for one in uses(template, name) if not one.fits]
    if faults:
        raise QuotaError(
            "\n".join(f"{name}: {fault}" for fault in faults)
            + f"\n{name}: spread its sources over more services; 'config check' says how"
        )


def uses(template: Template, name: str) -> list[Use]:
    """Return how much of each limit a template uses, the largest use of each kind of owner."""
    resources: Mapping[str, Any] = template.get("Resources", {})
    found = [
        Use("resources of a stack", len(resources)),
        Use("outputs of a stack", len(template.get("Outputs", {}))),
        # As the CDK writes it: with a space of indentation for each level.
        Use("bytes of a template", len(json.dumps(template, indent=1).encode())),
    ]
    policies: defaultdict[str, int] = defaultdict(int)
    inline: defaultdict[str, int] = defaultdict(int)
    counted: Counter[tuple[str, str]] = Counter()
    for logical_id, resource in resources.items():
        kind, properties = resource["Type"], resource.get("Properties", {})
        found += _of_one(kind, logical_id, properties, name)
        if kind == "AWS::Lambda::Permission":
            function = _reference(properties["FunctionName"])
            policies[function] += _STATEMENT + len(_text(properties["SourceArn"], name))
        elif kind == "AWS::IAM::Role":
            for policy in properties.get("Policies", []):
                inline[logical_id] += _plain(policy["PolicyDocument"], name)
        elif kind == "AWS::IAM::Policy":
            for role in properties.get("Roles", []):
                inline[_reference(role)] += _plain(properties["PolicyDocument"], name)
        elif kind == "AWS::ApiGateway::Resource":
            counted["resources of an API", _reference(properties["RestApiId"])] += 1
        elif kind == "AWS::ApiGateway::Authorizer":
            counted["authorizers of an API", _reference(properties["RestApiId"])] += 1
        elif kind == "AWS::Events::Rule":
            counted["rules of an event bus", ""] += 1
    found += [Use("bytes of a function's policy", size, one) for one, size in policies.items()]
    found += [
        Use("characters of a role's inline policies", size, one) for one, size in inline.items()
    ]
    found += [Use(limit, number, owner) for (limit, owner), number in counted.items()]
    return found


def set_name(kind: str, properties: Mapping[str, Any]) -> Any:
    """Return the name that a resource is given, as the template has it; None where it has none."""
    value: Any = properties
    for key in NAMES[kind][0].split(".") if kind in NAMES else [""]:
        value = value.get(key, {})
    return value or None


def _of_one(kind: str, owner: str, properties: Mapping[str, Any], name: str) -> Iterator[Use]:
    if given := set_name(kind, properties):
        used = len(_text(given, name))
        yield Use(f"characters of {NAMES[kind][1]}'s name", used, owner)
    match kind:
        case "AWS::Lambda::Function":
            variables = properties.get("Environment", {}).get("Variables", {})
            size = sum(len(key) + len(_text(value, name)) for key, value in variables.items())
            yield Use("bytes of a function's environment", size, owner)
        case "AWS::IAM::Role":
            trust = _plain(properties["AssumeRolePolicyDocument"], name)
            yield Use("characters of a role's trust policy", trust, owner)
        case "AWS::CloudWatch::CompositeAlarm":
            rule = len(_text(properties["AlarmRule"], name))
            yield Use("characters of a composite alarm's rule", rule, owner)
        case "AWS::CloudWatch::Dashboard":
            body = json.loads(_text(properties["DashboardBody"], name))
            metrics = [one["properties"].get("metrics", []) for one in body["widgets"]]
            yield Use("widgets of a dashboard", len(body["widgets"]), owner)
            yield Use("metrics of a dashboard", sum(map(len, metrics)), owner)
        case "AWS::S3::BucketPolicy":
            yield Use(
                "bytes of a bucket's policy", _plain(properties["PolicyDocument"], name), owner
            )


def _plain(document: Any, name: str) -> int:
    """Return the length of a policy without white space, which IAM does not count."""
    return len(json.dumps(_rendered(document, name), separators=(",", ":")))


def _rendered(value: Any, name: str) -> Any:
    if isinstance(value, dict):
        if len(value) == 1 and next(iter(value)) in {"Ref", "Fn::GetAtt", "Fn::Join", "Fn::Sub"}:
            return _text(value, name)
        return {key: _rendered(one, name) for key, one in value.items()}
    return [_rendered(one, name) for one in value] if isinstance(value, list) else value


def _text(value: Any, name: str) -> str:
    """Return a text as long as what CloudFormation makes of a value, or longer."""
    match value:
        case str():
            return value
        case {"Ref": str(what)} if what in _PSEUDO:
            return _PSEUDO[what]
        case {"Ref": str(what)}:
            return "r" * (len(name) + len(what) + _RANDOM)
        case {"Fn::GetAtt": [str(what), *_]}:
            return "a" * (_ARN + len(name) + len(what) + _RANDOM)
        case {"Fn::Join": [str(separator), list(parts)]}:
            return separator.join(_text(part, name) for part in parts)
        case {"Fn::Sub": str(text)}:
            for pseudo, stands_for in _PSEUDO.items():
                text = text.replace(f"${{{pseudo}}}", stands_for)
            return text
    return json.dumps(value)


def _reference(value: Any) -> str:
    match value:
        case {"Ref": str(what)} | {"Fn::GetAtt": [str(what), *_]}:
            return what
    return str(value)
