"""Reads the integration of a method."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import botocore.session
from botocore.exceptions import UnknownServiceError

from local.gateway.expressions import compile_expression
from local.gateway.model import Integration, IntegrationResponse
from local.template import TemplateError
from local.vtl import VtlError, VtlTemplate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local.gateway.model import Expression
    from local.gateway.properties import Properties
    from local.template import Template

_INTEGRATION = (
    "CacheKeyParameters", "CacheNamespace", "ConnectionType", "ContentHandling", "Credentials",
    "IntegrationHttpMethod", "IntegrationResponses", "PassthroughBehavior", "RequestParameters",
    "RequestTemplates", "ResponseTransferMode", "TimeoutInMillis", "Type", "Uri",
)  # fmt: skip
_RESPONSE = (
    "ContentHandling", "ResponseParameters", "ResponseTemplates", "SelectionPattern", "StatusCode",
)  # fmt: skip
_PASSTHROUGH = ("WHEN_NO_MATCH", "WHEN_NO_TEMPLATES", "NEVER")
_CONTENT = ("", "CONVERT_TO_TEXT")
_ACTION_URI = re.compile(r"arn:[^:]+:apigateway:[^:]+:(?:[\w-]+\.)?([\w-]+):action/(\w+)\Z")
_FUNCTION_ARN = re.compile(r"/functions/(arn:[^:]+:lambda:[^/]+)/invocations\Z")
#: Where the name in an integration's URI is not that of the SDK.
_SDK_NAMES = {"states": "stepfunctions"}
_DEFAULT_TIMEOUT_MS = 29_000


def function_of(template: Template, properties: Properties, name: str) -> str:
    """Give the logical id of the function that a URI property names.

    Raises
    ------
    TemplateError
        When it names no function of the template.
    """
    found = _FUNCTION_ARN.search(properties.get(name, str))
    arn = found[1] if found else None
    for resource in template.resources("AWS::Lambda::Function"):
        if template.resolve({"Fn::GetAtt": [resource.logical_id, "Arn"]}) == arn:
            return resource.logical_id
    raise properties.unsupported(name, supported="the URI of a Lambda function of this template")


class IntegrationReader:
    """Reads integrations.

    Parameters
    ----------
    template : Template
        What they are part of.
    """

    def __init__(self, template: Template) -> None:
        self._template = template
        self._session = botocore.session.get_session()

    def read(self, method: Properties) -> Integration:
        """Read the integration of a method.

        Raises
        ------
        TemplateError
            When it is one that the local gateway cannot do.
        """
        found = method.part("Integration")
        found.only(_INTEGRATION)
        found.one_of("ConnectionType", ("INTERNET",), "INTERNET")
        found.one_of("ResponseTransferMode", ("BUFFERED",), "BUFFERED")
        if found.get("CacheKeyParameters", list, []):
            raise found.unsupported("CacheKeyParameters", supported="none")
        kind = found.one_of("Type", ("AWS", "AWS_PROXY", "MOCK"))
        service, action = self._service_of(found) if kind == "AWS" else ("", "")
        function = function_of(self._template, found, "Uri") if kind == "AWS_PROXY" else ""
        return Integration(
            logical_id=method.logical_id,
            type="AWS" if kind == "AWS" else "AWS_PROXY" if kind == "AWS_PROXY" else "MOCK",
            passthrough=found.one_of("PassthroughBehavior", _PASSTHROUGH, "WHEN_NO_MATCH"),
            content_handling=found.one_of("ContentHandling", _CONTENT, "") or None,
            templates=_templates(found, "RequestTemplates"),
            headers=_headers(found, "RequestParameters", "integration.request.header."),
            responses=_responses(method, found),
            timeout_seconds=found.get("TimeoutInMillis", int, _DEFAULT_TIMEOUT_MS) / 1000,
            service=service,
            action=action,
            function=function,
        )

    def _service_of(self, properties: Properties) -> tuple[str, str]:
        supported = "arn:PARTITION:apigateway:REGION:SERVICE:action/ACTION of a JSON service"
        found = _ACTION_URI.match(properties.get("Uri", str))
        if not found:
            raise properties.unsupported("Uri", supported=supported)
        properties.one_of("IntegrationHttpMethod", ("POST",))
        service, action = _SDK_NAMES.get(found[1], found[1]), found[2]
        try:
            model = self._session.get_service_model(service)
        except UnknownServiceError:
            raise properties.unsupported("Uri", supported=supported) from None
        protocols = model.metadata.get("protocols", [model.metadata["protocol"]])
        if "json" not in protocols or action not in model.operation_names:
            raise properties.unsupported("Uri", supported=supported)
        return service, action


def _templates(properties: Properties, name: str) -> dict[str, VtlTemplate]:
    found = {}
    for media_type, text in properties.mapping(name).items():
        where = properties.where(f"{name}.{media_type}")
        try:
            found[media_type.lower()] = VtlTemplate(str(text), where)
        except VtlError as error:
            raise TemplateError(str(error)) from None
    return found


def _headers(properties: Properties, name: str, prefix: str) -> dict[str, Expression]:
    found = {}
    for target, text in properties.mapping(name).items():
        where = properties.where(f"{name}.{target}")
        if not target.startswith(prefix):
            raise TemplateError(f"{where}: not supported locally; supported: {prefix}NAME")
        if text.startswith("integration.response."):
            header = text.removeprefix("integration.response.header.")
            found[target.removeprefix(prefix)] = _backend_header(header, where)
        else:
            found[target.removeprefix(prefix)] = compile_expression(text, where)
    return found


def _backend_header(name: str, where: str) -> Expression:
    if name.startswith("integration."):
        raise TemplateError(f"{where}: {name!r} is not supported locally; supported: headers")
    return lambda exchange: exchange.integration_headers.get(name.lower())


def _responses(method: Properties, integration: Properties) -> tuple[IntegrationResponse, ...]:
    declared = {
        f"{each.get('StatusCode', int)} {name}"
        for each in method.parts("MethodResponses")
        for name in each.mapping("ResponseParameters")
    }
    found = [_response(each, declared) for each in integration.parts("IntegrationResponses")]
    if len({response.status for response in found}) < len(found):
        raise TemplateError(
            f"{integration.where('IntegrationResponses')}: two for one status; "
            "AWS keeps a map by status, so one of them would be lost"
        )
    return tuple(found)


def _response(properties: Properties, declared: set[str]) -> IntegrationResponse:
    properties.only(_RESPONSE)
    pattern = properties.get("SelectionPattern", str, "")
    status = properties.get("StatusCode", int)
    parameters: Mapping[str, str] = properties.mapping("ResponseParameters")
    for name in parameters:
        if f"{status} {name}" not in declared:
            raise TemplateError(
                f"{properties.where(f'ResponseParameters.{name}')}: "
                f"the method response {status} does not declare it, and AWS refuses that"
            )
    try:
        compiled = re.compile(pattern) if pattern else None
    except re.error:
        raise properties.unsupported("SelectionPattern", supported="a regular expression") from None
    return IntegrationResponse(
        status=status,
        pattern=compiled,
        content_handling=properties.one_of("ContentHandling", _CONTENT, "") or None,
        templates=_templates(properties, "ResponseTemplates"),
        headers=_headers(properties, "ResponseParameters", "method.response.header."),
    )
