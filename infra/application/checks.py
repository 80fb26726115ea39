"""cdk-nag: the rules of AWS Solutions, and the findings that are accepted, each with its reason."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aws_cdk import Acknowledgment, Stack, Validations
from cdk_nag import AwsSolutionsChecks

from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_cdk import App
    from constructs import IConstruct


class UnreasonedError(PipelineError):
    """A finding is accepted, and nobody said why."""


def add_checks(app: App) -> None:
    """Have the whole app checked when it is synthesized; a finding fails the synthesis."""
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))


def acknowledge(construct: IConstruct, findings: Mapping[str, str]) -> None:
    """Accept findings on one construct.

    Parameters
    ----------
    construct : IConstruct
        The resource that has the finding, never a whole stack.
    findings : Mapping[str, str]
        The finding's id as cdk-nag prints it, without its pack's name: why it is accepted.
    """
    acknowledge_warnings(
        construct, {f"AwsSolutions-{finding}": reason for finding, reason in findings.items()}
    )


def acknowledge_warnings(construct: IConstruct, warnings: Mapping[str, str]) -> None:
    """Accept what the CDK itself warns of on one construct.

    Parameters
    ----------
    warnings : Mapping[str, str]
        The id that the CDK prints behind "Acknowledge with": why it is accepted.

    Raises
    ------
    UnreasonedError
        When a reason is empty.
    """
    for warning, reason in warnings.items():
        if not reason.strip():
            raise UnreasonedError(f"{construct.node.path}: say why {warning} is accepted")
        Validations.of(construct).acknowledge(Acknowledgment(id=warning, reason=reason))


def wildcard(construct: IConstruct, resource: str) -> str:
    """Return the id of the finding that a policy's resource has an asterisk.

    Parameters
    ----------
    resource : str
        The resource's ARN. cdk-nag prints what is known only when deployed in angle brackets.
    """
    return f"IAM5[Resource::{_printed(Stack.of(construct).resolve(resource))}]"


def _printed(value: Any) -> str:
    match value:
        case {"Fn::Join": ["", list(parts)]}:
            return "".join(_printed(part) for part in parts)
        case {"Fn::GetAtt": [name, attribute]}:
            return f"<{name}.{attribute}>"
        case {"Ref": name}:
            return f"<{name}>"
    return str(value)
