"""The events that API Gateway sends to functions: authorizers and proxy integrations."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from local.gateway.exchange import Exchange

#: Null for a request without IAM, Cognito or a key.
_NOBODY = dict.fromkeys(("accountId", "apiKey", "caller", "user", "userArn"))


def _grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for name, value in pairs:
        groups.setdefault(name, []).append(value)
    return groups


def _request_context(exchange: Exchange) -> dict[str, Any]:
    return {
        "accountId": exchange.api.account,
        "apiId": exchange.api.api_id,
        "domainName": exchange.header("host"),
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
    return {
        "resource": exchange.resource_path,
        "path": exchange.path,
        "httpMethod": exchange.http_method,
        "headers": dict(exchange.headers),
        "multiValueHeaders": _grouped(exchange.headers),
        "queryStringParameters": dict(exchange.query),
        "multiValueQueryStringParameters": _grouped(exchange.query),
        "pathParameters": {},
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
