"""Reads a Lambda function of the template: its code, its environment, its limits."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from local.template import TemplateError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from local.credentials import RunCredentials
    from local.template import Resource, Template

_DEFAULT_TIMEOUT = 3
_DEFAULT_MEMORY = 128


@dataclass(frozen=True)
class FunctionConfig:
    """A function, as the local runtime runs it."""

    logical_id: str
    name: str
    arn: str
    handler: str
    code: Path
    timeout: float
    environment: Mapping[str, str]
    log: Path
    #: In MiB: a process that uses more is killed.
    memory_mib: int = _DEFAULT_MEMORY


def configure(
    template: Template,
    logical_id: str,
    *,
    assembly: Path,
    endpoint_url: str,
    credentials: RunCredentials,
    logs: Path,
) -> FunctionConfig:
    """Read one function of the template.

    Raises
    ------
    TemplateError
        When there is no such function, or it is one that cannot run here.
    """
    resource = template.resource(logical_id)
    properties = template.resolve(resource.properties)
    runtime = str(properties.get("Runtime", ""))
    if resource.type != "AWS::Lambda::Function" or not runtime.startswith("python"):
        what = runtime or resource.type
        raise TemplateError(f"{logical_id}: {what}: only Python functions run locally")
    name = str(properties.get("FunctionName", template.resolve({"Ref": logical_id})))
    memory = str(properties.get("MemorySize", _DEFAULT_MEMORY))
    return FunctionConfig(
        logical_id=logical_id,
        name=name,
        arn=f"arn:aws:lambda:{template.region}:{template.account}:function:{name}",
        handler=str(properties.get("Handler", "")),
        code=_code(resource, properties, assembly),
        timeout=float(properties.get("Timeout", _DEFAULT_TIMEOUT)),
        environment={
            **_strings(properties.get("Environment", {}).get("Variables", {})),
            **_reserved(name, memory, runtime, template.region, endpoint_url),
            **credentials.of_role(role_of(template, resource.properties.get("Role"))).environment(),
        },
        log=logs / f"{name}.log",
        memory_mib=int(memory),
    )


def role_of(template: Template, reference: Any) -> str:
    """Return the logical id of the role whose ARN a property is; empty for none of the template."""
    match reference:
        case {"Fn::GetAtt": [str(role), "Arn"]} if role in template.document["Resources"]:
            return role
    return ""


def find_function(template: Template, reference: str) -> str:
    """Return the logical id of the function that a name or an ARN means.

    Raises
    ------
    TemplateError
        When the template has no such function.
    """
    wanted = reference.rpartition("function:")[2].split(":")[0]
    for resource in template.resources("AWS::Lambda::Function"):
        name = template.resolve(resource.properties.get("FunctionName"))
        if wanted in {resource.logical_id, name, template.resolve({"Ref": resource.logical_id})}:
            return resource.logical_id
    raise TemplateError(f"{reference}: the template has no such function")


def _code(resource: Resource, properties: Mapping[str, Any], assembly: Path) -> Path:
    key = properties.get("Code", {}).get("S3Key")
    named = resource.metadata.get("aws:asset:path")
    if named is None and not isinstance(key, str):
        raise TemplateError(f"{resource.logical_id}: its code is no asset of the cloud assembly")
    hashed = f"asset.{str(key).removesuffix('.zip')}"
    directory = assembly / (named or hashed)
    if not directory.is_dir():
        raise TemplateError(f"{directory}: no code here", then="synth")
    return directory.resolve()


def _strings(variables: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in variables.items()}


def _reserved(
    name: str, memory: str, runtime: str, region: str, endpoint_url: str
) -> dict[str, str]:
    return {
        "AWS_ENDPOINT_URL": endpoint_url,
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        # The user's own profile must not reach a function.
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{runtime}",
        "AWS_LAMBDA_FUNCTION_NAME": name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": memory,
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": "local/[$LATEST]",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "LANG": "C.UTF-8",
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "TZ": ":UTC",
    }
