"""Reads a synthesized CloudFormation template: its resources, with the intrinsics resolved."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_SUB_VARIABLE = re.compile(r"\$\{([^}]+)\}")
_NO_VALUE = object()


#: (resource type, attribute) to what `Fn::GetAtt` gives, made of the physical id.
_ATTRIBUTES = {
    ("AWS::SQS::Queue", "Arn"): "arn:aws:sqs:{where}:{last}",
    ("AWS::SQS::Queue", "QueueName"): "{last}",
    ("AWS::SQS::Queue", "QueueUrl"): "{name}",
    ("AWS::Kinesis::Stream", "Arn"): "arn:aws:kinesis:{where}:stream/{name}",
    ("AWS::DynamoDB::Table", "Arn"): "arn:aws:dynamodb:{where}:table/{name}",
    ("AWS::S3::Bucket", "Arn"): "arn:aws:s3:::{name}",
    ("AWS::Lambda::Function", "Arn"): "arn:aws:lambda:{where}:function:{name}",
    ("AWS::StepFunctions::StateMachine", "Arn"): "arn:aws:states:{where}:stateMachine:{name}",
    ("AWS::StepFunctions::StateMachine", "Name"): "{name}",
    ("AWS::Events::Rule", "Arn"): "arn:aws:events:{where}:rule/{name}",
    ("AWS::KMS::Key", "Arn"): "arn:aws:kms:{where}:key/{name}",
    ("AWS::IAM::Role", "Arn"): "arn:aws:iam::{account}:role/{name}",
    ("AWS::Logs::LogGroup", "Arn"): "arn:aws:logs:{where}:log-group:{name}:*",
    ("AWS::CodeBuild::Project", "Arn"): "arn:aws:codebuild:{where}:project/{name}",
    ("AWS::ApiGateway::RestApi", "RootResourceId"): "{name}-root",
    ("AWS::ApiGateway::RestApi", "RestApiId"): "{name}",
}


class TemplateError(PipelineError):
    """The template holds something that the local runtime cannot run."""


@dataclass(frozen=True)
class Resource:
    """One resource of a template, its properties still unresolved."""

    logical_id: str
    type: str
    properties: Mapping[str, Any]
    metadata: Mapping[str, Any]


@dataclass
class Template:
    """A CloudFormation template with the identifiers that its resources have locally.

    Parameters
    ----------
    document : Mapping[str, Any]
        The template as JSON.
    stack_name, region, account : str
        What the pseudo parameters resolve to.
    physical_ids : dict[str, str]
        Logical id to what `Ref` gives; a resource that is not listed gives its logical id.

    Raises
    ------
    TemplateError
        When it has conditions, mappings or a transform, which no deployed template has.
    """

    document: Mapping[str, Any]
    stack_name: str
    region: str
    account: str = "000000000000"
    physical_ids: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for section in ("Conditions", "Mappings", "Transform"):
            if section in self.document:
                raise TemplateError(f"{self.stack_name}: {section} are not supported locally")

    @classmethod
    def read(cls, path: Path, *, stack_name: str, region: str) -> Template:
        """Read a template file.

        Raises
        ------
        TemplateError
            When the file is missing or is no JSON object.
        """
        try:
            document = json.loads(path.read_bytes())
        except FileNotFoundError:
            raise TemplateError(f"{path}: no template here", then="synth") from None
        except ValueError as error:
            raise TemplateError(f"{path}: not JSON ({error})", then="synth") from None
        if not isinstance(document, dict) or "Resources" not in document:
            raise TemplateError(f"{path}: not a CloudFormation template", then="synth")
        return cls(document, stack_name, region)

    def resources(self, *types: str) -> Iterator[Resource]:
        """Return the resources of these types (of every type when none is named)."""
        for logical_id, body in self.document["Resources"].items():
            if not types or body["Type"] in types:
                yield Resource(
                    logical_id, body["Type"], body.get("Properties", {}), body.get("Metadata", {})
                )

    def resource(self, logical_id: str) -> Resource:
        """Return one resource.

        Raises
        ------
        TemplateError
            When the template has no such resource.
        """
        for found in self.resources():
            if found.logical_id == logical_id:
                return found
        raise TemplateError(f"{logical_id}: the template has no such resource")

    def outputs(self) -> dict[str, str]:
        """Return the stack's outputs by name, resolved."""
        return {
            name: str(self.resolve(body["Value"]))
            for name, body in self.document.get("Outputs", {}).items()
        }

    def resolve(self, value: Any) -> Any:
        """Resolve every intrinsic function inside a value.

        Raises
        ------
        TemplateError
            For an intrinsic function that is unknown, or a reference to nothing.
        """
        if isinstance(value, list):
            items = [self.resolve(item) for item in value]
            return [item for item in items if item is not _NO_VALUE]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            name, argument = next(iter(value.items()))
            if name == "Ref":
                return self._ref(argument)
            if name.startswith("Fn::"):
                return self._function(name, argument)
        resolved = {key: self.resolve(item) for key, item in value.items()}
        return {key: item for key, item in resolved.items() if item is not _NO_VALUE}

    def _ref(self, name: str) -> Any:
        pseudo = {
            "AWS::Region": self.region,
            "AWS::AccountId": self.account,
            "AWS::Partition": "aws",
            "AWS::URLSuffix": "amazonaws.com",
            "AWS::StackName": self.stack_name,
            "AWS::StackId": f"arn:aws:cloudformation:{self.region}:{self.account}:stack/"
            f"{self.stack_name}/local",
            "AWS::NoValue": _NO_VALUE,
        }
        if name in pseudo:
            return pseudo[name]
        declared = self.document.get("Parameters", {})
        if name in declared:
            return declared[name].get("Default", "")
        if name in self.physical_ids:
            return self.physical_ids[name]
        if name in self.document["Resources"]:
            return name
        raise TemplateError(f"Ref {name}: the template has no such resource or parameter")

    def _function(self, name: str, argument: Any) -> Any:
        match name, argument:
            case "Fn::Join", [str(separator), items]:
                return separator.join(str(item) for item in self.resolve(items))
            case "Fn::Sub", str(text):
                return _SUB_VARIABLE.sub(self._substituted, text)
            case "Fn::GetAtt", [str(logical_id), str(attribute)]:
                return self._attribute(logical_id, attribute)
            case "Fn::Select", [index, items]:
                return self.resolve(items)[int(index)]
            case "Fn::Split", [str(separator), text]:
                return str(self.resolve(text)).split(separator)
        raise TemplateError(f"{name}: this intrinsic function is not known to the local runtime")

    def _substituted(self, found: re.Match[str]) -> str:
        name = found[1]
        if "." in name:
            logical_id, attribute = name.split(".", 1)
            return self._attribute(logical_id, attribute)
        return str(self._ref(name))

    def _attribute(self, logical_id: str, attribute: str) -> str:
        resource = self.resource(logical_id)
        derived = self._derived_attribute(resource, attribute)
        if derived is None:
            raise TemplateError(f"Fn::GetAtt {logical_id}.{attribute}: not known locally")
        return derived

    def _derived_attribute(self, resource: Resource, attribute: str) -> str | None:
        name = self.physical_ids.get(resource.logical_id, resource.logical_id)
        where = f"{self.region}:{self.account}"
        if (resource.type, attribute) == ("AWS::Kinesis::StreamConsumer", "ConsumerARN"):
            return "{StreamARN}/consumer/{ConsumerName}:0".format(
                **self.resolve(resource.properties)
            )
        form = _ATTRIBUTES.get((resource.type, attribute))
        if form is None:
            return None
        return form.format(
            name=name, last=name.rsplit("/", 1)[-1], where=where, account=self.account
        )
