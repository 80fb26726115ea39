"""The events that API Gateway sends to functions: authorizers and proxy integrations."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from local.gateway.exchange import Exchange

#: Null for a request without IAM or Cognito.
_NOBODY = dict.fromkeys((
    "accessKey", "accountId", "caller", "cognitoAuthenticationProvider",
    "cognitoAuthenticationType", "cognitoIdentityId", "cognitoIdentityPoolId", "principalOrgId",
    "user", "userArn",
))  # fmt: skip
#: Headers of one connection, which end at API Gateway.
_OF_THE_CONNECTION = {"connection", "content-length"}


def _grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for name, value in pairs:
        groups.setdefault(name, []).append(value)
    return groups


def _headers(exchange: Exchange) -> list[tuple[str, str]]:
    return [
        ("Authorization" if name.lower() == "authorization" else name, value)
        for name, value in exchange.headers
        if name.lower() not in _OF_THE_CONNECTION
    ]


def _request_context(exchange: Exchange) -> dict[str, Any]:
    return {
        "accountId": exchange.api.account,
        "apiId": exchange.api.api_id,
        "deploymentId": exchange.api.deployment,
        "domainName": exchange.header("host"),
        "domainPrefix": exchange.context_value("domainPrefix"),
        "extendedRequestId": exchange.extended_request_id,
        "httpMethod": exchange.http_method,
        "identity": {
            **_NOBODY,
            "sourceIp": exchange.source_ip,
            "userAgent": exchange.header("user-agent"),
        },
        "path": exchange.context_path,
        "protocol": exchange.protocol,
        "requestId": exchange.request_id,
        "requestTime": exchange.context_value("requestTime"),
        "requestTimeEpoch": exchange.epoch_ms,
        "resourceId": exchange.context_value("resourceId"),
        "resourcePath": exchange.resource_path,
        "stage": exchange.api.stage,
    }


def _request(exchange: Exchange) -> dict[str, Any]:
    """Make what both events have in common.

    Recorded of AWS (LocalStack's recordings, test_apigateway_lambda,
    test_lambda_aws_proxy_integration): the path stays percent-encoded and keeps a slash at its
    end, those at its beginning become one (in `requestContext.path` they stay); headers keep the
    sender's spelling but for `Authorization`, and some do not arrive.
    """
    headers = _headers(exchange)
    return {
        "resource": exchange.resource_path,
        "path": f"/{exchange.path.lstrip('/')}",
        "httpMethod": exchange.http_method,
        "headers": dict(headers),
        "multiValueHeaders": _grouped(headers),
        "queryStringParameters": dict(exchange.query),
        "multiValueQueryStringParameters": _grouped(exchange.query),
        "pathParameters": exchange.path_parameters,
        "stageVariables": {},
        "requestContext": _request_context(exchange),
    }


def authorizer_event(exchange: Exchange) -> dict[str, Any]:
    """Make the event of an authorizer; it never holds the body."""
    return {"type": "REQUEST", "methodArn": exchange.method_arn, **_request(exchange)}


def proxy_event(exchange: Exchange) -> dict[str, Any]:
    """Make the event of a Lambda proxy integration; what is empty is null in it."""
    request = {name: value or None for name, value in _request(exchange).items()}
    binary = bool(exchange.body) and exchange.api.binary
    body = (
        base64.b64encode(exchange.body).decode()
        if binary
        else exchange.body.decode("utf-8", "replace")
    )
    return {**request, "body": body or None, "isBase64Encoded": binary}
