"""Reads the REST API of a template: resources, methods, authorizers, stage."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from local.gateway.expressions import compile_expression
from local.gateway.integration_reader import IntegrationReader, function_of
from local.gateway.model import Api, AuthorizerSettings, GatewayResponse, Route
from local.gateway.properties import Properties
from local.gateway.stage import StageSettings
from local.gateway.substitution import check_text
from local.template import TemplateError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local.gateway.model import Expression
    from local.template import Template

_API = (
    "ApiKeySourceType", "BinaryMediaTypes", "Description", "DisableExecuteApiEndpoint",
    "EndpointAccessMode", "EndpointConfiguration", "Name", "SecurityPolicy", "Tags",
)  # fmt: skip
_METHOD = (
    "ApiKeyRequired", "AuthorizationScopes", "AuthorizationType", "AuthorizerId", "HttpMethod",
    "Integration", "MethodResponses", "OperationName", "RequestModels", "RequestParameters",
    "RequestValidatorId", "ResourceId", "RestApiId",
)  # fmt: skip
_AUTHORIZER = (
    "AuthType", "AuthorizerCredentials", "AuthorizerResultTtlInSeconds", "AuthorizerUri",
    "IdentitySource", "Name", "RestApiId", "Type",
)  # fmt: skip
_GATEWAY_RESPONSE = (
    "ResponseParameters", "ResponseTemplates", "ResponseType", "RestApiId", "StatusCode",
)  # fmt: skip
#: A whole part. `{name+}`, which takes several, is another thing.
_PARAMETER = re.compile(r"\{[A-Za-z0-9._-]+\}")
_DEFAULT_TTL = 300
_LONGEST_TTL = 3600


def read_api(template: Template) -> Api:
    """Read the one REST API of a template.

    Raises
    ------
    TemplateError
        When there is none, or more than one, or it uses what the local gateway cannot do.
    """
    apis = list(template.resources("AWS::ApiGateway::RestApi"))
    if list(template.resources("AWS::ApiGatewayV2::Api")):
        raise TemplateError(
            "the stage's door is an HTTP API, and the local gateway serves a REST API; run a stage "
            "here whose file has no 'door: http_api'"
        )
    if len(apis) != 1:
        raise TemplateError(
            f"the template has {len(apis)} resources of type AWS::ApiGateway::RestApi; "
            "the local gateway serves exactly one"
        )
    return _Reader(template, apis[0].logical_id).read()


class _Reader:
    def __init__(self, template: Template, api: str) -> None:
        self._template = template
        self._api = api
        self._integrations = IntegrationReader(template)
        self._stage = StageSettings(template, api)

    def read(self) -> Api:
        properties = Properties.of(self._template, self._template.resource(self._api))
        properties.only(_API)
        return Api(
            api_id=str(self._template.resolve({"Ref": self._api})),
            account=self._template.account,
            region=self._template.region,
            stage=self._stage.name,
            deployment=self._stage.deployment,
            binary=_binary(properties),
            routes=self._routes(),
            gateway_responses=self._gateway_responses(),
        )

    def _all(self, kind: str) -> list[Properties]:
        return Properties.all_of(self._template, kind)

    def _reference(self, logical_id: str) -> str:
        return str(self._template.resolve({"Ref": logical_id}))

    def _paths(self) -> dict[str, str]:
        """Return the path of each resource by the id that `Ref` gives."""
        root = str(self._template.resolve({"Fn::GetAtt": [self._api, "RootResourceId"]}))
        open_ones = {self._reference(each.logical_id): each for each in self._all("Resource")}
        paths = {root: ""}
        while open_ones:
            known = [key for key, each in open_ones.items() if each.get("ParentId", str) in paths]
            if not known:
                stray = next(iter(open_ones.values()))
                raise TemplateError(f"{stray.where('ParentId')}: no resource of this API")
            for key in known:
                each = open_ones.pop(key)
                part = each.get("PathPart", str)
                inside = "{" in paths[each.get("ParentId", str)]
                if inside or ("{" in part and not _PARAMETER.fullmatch(part)):
                    supported = "a part without parameters, or a last one that is a parameter"
                    raise each.unsupported("PathPart", supported=supported)
                paths[key] = f"{paths[each.get('ParentId', str)]}/{part}"
        return {key: path or "/" for key, path in paths.items()}

    def _routes(self) -> tuple[Route, ...]:
        paths = self._paths()
        authorizers = {
            self._reference(each.logical_id): self._authorizer(each)
            for each in self._all("Authorizer")
        }
        validators = {
            self._reference(each.logical_id): each for each in self._all("RequestValidator")
        }
        return tuple(
            self._route(each, paths, authorizers, validators) for each in self._all("Method")
        )

    def _route(
        self,
        method: Properties,
        paths: Mapping[str, str],
        authorizers: Mapping[str, AuthorizerSettings],
        validators: Mapping[str, Properties],
    ) -> Route:
        method.only(_METHOD)
        if method.get("ApiKeyRequired", bool, default=False):
            raise method.unsupported("ApiKeyRequired", supported="false")
        resource_id = method.get("ResourceId", str)
        if resource_id not in paths:
            raise TemplateError(f"{method.where('ResourceId')}: no resource of this API")
        path = paths[resource_id]
        http_method = method.get("HttpMethod", str).upper()
        if http_method == "ANY":
            raise method.unsupported("HttpMethod", supported="one method by its name")
        return Route(
            logical_id=method.logical_id,
            resource_path=path,
            resource_id=resource_id,
            http_method=http_method,
            integration=self._integrations.read(method),
            authorizer=self._authorizer_of(method, authorizers),
            required_headers=self._required(method, validators),
            response_statuses=frozenset(
                each.get("StatusCode", int) for each in method.parts("MethodResponses")
            ),
            throttle=self._stage.throttle(path, http_method),
        )

    @staticmethod
    def _authorizer_of(
        method: Properties, authorizers: Mapping[str, AuthorizerSettings]
    ) -> AuthorizerSettings | None:
        if method.one_of("AuthorizationType", ("NONE", "CUSTOM"), "NONE") == "NONE":
            return None
        name = method.get("AuthorizerId", str)
        if name not in authorizers:
            raise TemplateError(f"{method.where('AuthorizerId')}: no authorizer of this API")
        return authorizers[name]

    @staticmethod
    def _required(method: Properties, validators: Mapping[str, Properties]) -> tuple[str, ...]:
        if not method.has("RequestValidatorId"):
            return ()
        validator = validators[method.get("RequestValidatorId", str)]
        if validator.get("ValidateRequestBody", bool, default=False) and method.has(
            "RequestModels"
        ):
            raise method.unsupported("RequestModels", supported="validation of parameters")
        if not validator.get("ValidateRequestParameters", bool, default=False):
            return ()
        prefix = "method.request.header."
        required = []
        for name, needed in sorted(method.mapping("RequestParameters").items()):
            if not name.startswith(prefix):
                raise TemplateError(
                    f"{method.where(f'RequestParameters.{name}')}: not supported locally; "
                    f"supported: {prefix}NAME"
                )
            if needed in {True, "true"}:
                required.append(name.removeprefix(prefix))
        return tuple(required)

    def _authorizer(self, properties: Properties) -> AuthorizerSettings:
        properties.only(_AUTHORIZER)
        properties.one_of("Type", ("REQUEST",))
        ttl = properties.get("AuthorizerResultTtlInSeconds", int, _DEFAULT_TTL)
        if not 0 <= ttl <= _LONGEST_TTL:
            raise properties.unsupported("AuthorizerResultTtlInSeconds", supported="0 to 3600")
        where = properties.where("IdentitySource")
        sources = [
            text for part in properties.get("IdentitySource", str, "").split(",")
            if (text := part.strip())
        ]  # fmt: skip
        if not sources and ttl:
            raise TemplateError(f"{where}: missing, and needed for a cache")
        return AuthorizerSettings(
            logical_id=properties.logical_id,
            function=function_of(self._template, properties, "AuthorizerUri"),
            # HTTP/2 senders write `authorization`, and reach authorizers whose identity source
            # is `Authorization`: aws-sdk-js issue 2719 shows such requests in the function.
            identity_sources=tuple(compile_expression(text, where) for text in sources),
            ttl_seconds=ttl,
        )

    def _gateway_responses(self) -> dict[str, GatewayResponse]:
        found = {}
        for each in self._all("GatewayResponse"):
            each.only(_GATEWAY_RESPONSE)
            response_type = each.get("ResponseType", str)
            templates = each.mapping("ResponseTemplates")
            for text in templates.values():
                check_text(text, each.where("ResponseTemplates"))
            found[response_type] = GatewayResponse(
                response_type,
                each.get("StatusCode", int) if each.has("StatusCode") else None,
                _gateway_headers(each),
                templates,
            )
        return found


def _binary(properties: Properties) -> bool:
    types = properties.get("BinaryMediaTypes", list, [])
    if types not in ([], ["*/*"]):
        raise properties.unsupported("BinaryMediaTypes", supported="*/*, or none")
    return bool(types)


def _gateway_headers(properties: Properties) -> dict[str, Expression]:
    headers: dict[str, Expression] = {}
    parameters: Mapping[str, Any] = properties.mapping("ResponseParameters")
    for name, text in parameters.items():
        where = properties.where(f"ResponseParameters.{name}")
        prefix, _, header = name.rpartition("gatewayresponse.header.")
        if prefix or not header:
            raise TemplateError(f"{where}: not supported locally; supported: headers")
        headers[header] = compile_expression(text, where)
    return headers
