"""Finds the application's stack in a cloud assembly."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from local.template import Template, TemplateError

if TYPE_CHECKING:
    from pathlib import Path


def find_template(assembly: Path, *, region: str, stack: str | None = None) -> Template:
    """Read the template of the stack that serves the API.

    Parameters
    ----------
    assembly : Path
        The cloud assembly.
    stack : str, optional
        The stack's name; needed where several stacks have an API.

    Raises
    ------
    TemplateError
        When there is no cloud assembly, or not one such stack in it.
    """
    templates = _templates(assembly, region)
    if stack is not None:
        if stack not in templates:
            raise TemplateError(f"{assembly}: no stack {stack}; there are {_names(templates)}")
        return templates[stack]
    serving = {name: found for name, found in templates.items() if _serves(found)}
    if len(serving) != 1:
        raise TemplateError(
            f"{assembly}: one stack with a REST API was expected, and there are {_names(serving)}"
        )
    return next(iter(serving.values()))


def _templates(assembly: Path, region: str) -> dict[str, Template]:
    manifest = assembly / "manifest.json"
    try:
        artifacts: dict[str, Any] = json.loads(manifest.read_bytes())["artifacts"]
    except FileNotFoundError:
        raise TemplateError(f"{manifest}: no cloud assembly", then="synth") from None
    except (ValueError, KeyError) as error:
        raise TemplateError(f"{manifest}: broken ({error})", then="synth") from None
    found: dict[str, Template] = {}
    for identifier, artifact in artifacts.items():
        if artifact["type"] == "aws:cloudformation:stack":
            properties = artifact["properties"]
            name = properties.get("stackName", identifier)
            path = assembly / properties["templateFile"]
            found[name] = Template.read(path, stack_name=name, region=region)
    return found


def _serves(template: Template) -> bool:
    return any(
        True for _ in template.resources("AWS::ApiGateway::RestApi", "AWS::ApiGatewayV2::Api")
    )


def _names(templates: dict[str, Template]) -> str:
    return ", ".join(sorted(templates)) or "none"
