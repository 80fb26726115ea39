"""Reads the integration of a method."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from local.gateway.model import Integration, IntegrationResponse
from local.gateway.variables import check_references
from local.template import TemplateError
from local.vtl import VtlError, VtlTemplate

if TYPE_CHECKING:
    from local.gateway.properties import Properties
    from local.template import Template

_INTEGRATION = (
    "ConnectionType", "ContentHandling", "Credentials", "IntegrationHttpMethod",
    "IntegrationResponses", "PassthroughBehavior", "RequestParameters", "RequestTemplates",
    "ResponseTransferMode", "TimeoutInMillis", "Type", "Uri",
)  # fmt: skip
_RESPONSE = (
    "ContentHandling", "ResponseParameters", "ResponseTemplates", "SelectionPattern", "StatusCode",
)  # fmt: skip
_CONTENT = ("", "CONVERT_TO_TEXT")
_PUT_RECORD_URI = re.compile(r"arn:[^:]+:apigateway:[^:]+:kinesis:action/PutRecord\Z")
_STATIC = re.compile(r"'(.*)'\Z")
_RESPONSE_HEADER = "method.response.header."
_CONTENT_TYPE = "integration.request.header.Content-Type"
_FUNCTION_ARN = re.compile(r"/functions/(arn:[^:]+:lambda:[^/]+)/invocations\Z")
_DEFAULT_TIMEOUT_MS = 29_000


def function_of(template: Template, properties: Properties, name: str) -> str:
    """Return the logical id of the function that a URI property names.

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
    """Reads integrations."""

    def __init__(self, template: Template) -> None:
        self._template = template

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
        kind = found.one_of("Type", ("AWS", "AWS_PROXY", "MOCK"))
        if kind == "AWS":
            _check_service(found)
        elif kind == "AWS_PROXY":
            _check_proxy(found)
        if kind != "AWS_PROXY":
            # Anything else hands the sender's own body to the service as the call.
            found.one_of("PassthroughBehavior", ("NEVER",), "WHEN_NO_MATCH")
        function = function_of(self._template, found, "Uri") if kind == "AWS_PROXY" else ""
        return Integration(
            logical_id=method.logical_id,
            type="AWS" if kind == "AWS" else "AWS_PROXY" if kind == "AWS_PROXY" else "MOCK",
            content_handling=found.one_of("ContentHandling", _CONTENT, "") or None,
            templates=_templates(found, "RequestTemplates"),
            content_type=_content_type(found),
            responses=_responses(found),
            timeout_seconds=found.get("TimeoutInMillis", int, _DEFAULT_TIMEOUT_MS) / 1000,
            function=function,
        )


def _check_service(properties: Properties) -> None:
    if not _PUT_RECORD_URI.match(properties.get("Uri", str)):
        supported = "arn:PARTITION:apigateway:REGION:kinesis:action/PutRecord"
        raise properties.unsupported("Uri", supported=supported)
    properties.one_of("IntegrationHttpMethod", ("POST",))


def _check_proxy(properties: Properties) -> None:
    """Refuse what API Gateway answers with 500, or passes over: it takes both when it is deployed.

    Recorded of AWS (LocalStack's recordings): a function is called by POST alone
    (test_apigateway_lambda, test_lambda_aws_proxy_integration_non_post_method), and of a proxy's
    mapped headers some are 500 and others are left out (test_apigateway_integrations,
    test_apigateway_header_remapping_aws).
    """
    properties.one_of("IntegrationHttpMethod", ("POST",))
    if properties.mapping("RequestParameters"):
        raise properties.unsupported("RequestParameters", supported="none for AWS_PROXY")


def _content_type(properties: Properties) -> str | None:
    found = None
    for target, text in properties.mapping("RequestParameters").items():
        static = _STATIC.match(text)
        if target != _CONTENT_TYPE or not static:
            raise TemplateError(
                f"{properties.where(f'RequestParameters.{target}')}: {text!r} is not supported "
                f"locally; supported: {_CONTENT_TYPE} with 'static text'"
            )
        found = static[1]
    return found


def _templates(properties: Properties, name: str) -> dict[str, VtlTemplate]:
    found = {}
    for media_type, text in properties.mapping(name).items():
        where = properties.where(f"{name}.{media_type}")
        try:
            template = VtlTemplate(str(text), where)
            check_references(template)
        except VtlError as error:
            raise TemplateError(str(error)) from None
        found[media_type.lower()] = template
    return found


def _responses(integration: Properties) -> tuple[IntegrationResponse, ...]:
    found = [_response(each) for each in integration.parts("IntegrationResponses")]
    if len({response.status for response in found}) < len(found):
        raise TemplateError(
            f"{integration.where('IntegrationResponses')}: two for one status; "
            "AWS keeps a map by status, so one of them would be lost"
        )
    return tuple(found)


def _response(properties: Properties) -> IntegrationResponse:
    properties.only(_RESPONSE)
    pattern = properties.get("SelectionPattern", str, "")
    try:
        compiled = re.compile(pattern) if pattern else None
    except re.error:
        raise properties.unsupported("SelectionPattern", supported="a regular expression") from None
    return IntegrationResponse(
        status=properties.get("StatusCode", int),
        pattern=compiled,
        content_handling=properties.one_of("ContentHandling", _CONTENT, "") or None,
        templates=_templates(properties, "ResponseTemplates"),
        headers=_response_headers(properties),
    )


def _response_headers(properties: Properties) -> tuple[tuple[str, str], ...]:
    found = []
    for target, text in properties.mapping("ResponseParameters").items():
        static, name = _STATIC.match(text), target.removeprefix(_RESPONSE_HEADER)
        if not static or name == target:
            raise TemplateError(
                f"{properties.where(f'ResponseParameters.{target}')}: {text!r} is not supported "
                f"locally; supported: {_RESPONSE_HEADER}NAME with 'static text'"
            )
        found.append((name, static[1]))
    return tuple(found)
