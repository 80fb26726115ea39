"""Turns what the function of a proxy integration returned into the answer to the sender.

Recorded of AWS (LocalStack's recordings, test_apigateway_lambda): what is malformed is 502
(test_aws_proxy_response_payload_format_validation), and of base64 only an API with binary media
types makes bytes; what is no base64 is 500 then (test_aws_proxy_binary_response).
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any

from local.gateway.errors import GatewayError
from local.gateway.replies import JSON, Reply
from local.vtl import to_text

if TYPE_CHECKING:
    from local.gateway.exchange import Exchange

_KEYS = {"statusCode", "headers", "multiValueHeaders", "body", "isBase64Encoded"}
_STATUSES = range(100, 600)


def proxy_reply(exchange: Exchange, payload: Any, function: str) -> Reply:
    """Return the answer to the sender.

    Raises
    ------
    GatewayError
        When the function's answer is malformed.
    """

    def malformed(what: str, status: int = 502) -> GatewayError:
        reason = f"{function}: malformed Lambda proxy response: {what}"
        return GatewayError("API_CONFIGURATION_ERROR", reason=reason, status=status)

    if not isinstance(payload, dict) or payload.keys() - _KEYS:
        raise malformed("no object, or with unknown keys")
    try:
        status = int(payload.get("statusCode", 200))
    except (TypeError, ValueError):
        raise malformed("statusCode is no number") from None
    if status not in _STATUSES:
        raise malformed("statusCode is no status of HTTP")
    body = payload.get("body") or ""
    if not isinstance(body, str):
        raise malformed("body is no string")
    data = body.encode()
    if payload.get("isBase64Encoded") and exchange.api.binary:
        try:
            data = base64.b64decode(body, validate=True)
        except (binascii.Error, ValueError):
            raise malformed("body is no base64", status=500) from None
    headers = _headers(payload)
    if headers is None:
        raise malformed("headers, or a value of them, have another type than they should")
    return Reply(status, data, headers)


def _headers(payload: dict[str, Any]) -> tuple[tuple[str, str], ...] | None:
    """Return the headers, those of one name in any case as one; None where they are malformed.

    A name in both maps has the values of both, those of multiValueHeaders first, and the spelling
    that it has there (recorded).
    """
    multiple, single = payload.get("multiValueHeaders") or {}, payload.get("headers") or {}
    if not isinstance(multiple, dict) or not isinstance(single, dict):
        return None
    found: dict[str, tuple[str, list[str]]] = {}
    for name, values in [*multiple.items(), *((name, [one]) for name, one in single.items())]:
        if not isinstance(values, list):
            return None
        if not all(isinstance(value, str | bool | int) for value in values):
            return None
        found.setdefault(name.lower(), (name, []))[1].extend(map(to_text, values))
    found.setdefault("content-type", ("Content-Type", [JSON]))
    return tuple((name, value) for name, values in found.values() for value in values)
