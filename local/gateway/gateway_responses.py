"""Turns a refusal of the gateway into an answer, customised where the template says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from local.gateway.errors import DEFAULTS, GatewayError
from local.gateway.replies import JSON, Reply
from local.gateway.substitution import substitute

if TYPE_CHECKING:
    from local.gateway.exchange import Exchange
    from local.gateway.model import GatewayResponse

#: API Gateway does not let this one be customised.
_FIXED = "REQUEST_TOO_LARGE"
_DEFAULT_TEMPLATE = '{"message":$context.error.messageString}'


def _customised(exchange: Exchange, error: GatewayError) -> GatewayResponse | None:
    if error.response_type == _FIXED:
        return None
    known = exchange.api.gateway_responses
    fallback = "DEFAULT_4XX" if (error.status or 0) < 500 else "DEFAULT_5XX"
    return known.get(error.response_type) or known.get(fallback)


def refuse(exchange: Exchange, error: GatewayError) -> Reply:
    """Return the answer for a refusal."""
    message = error.message
    exchange.error = {
        "responseType": error.response_type,
        "message": message or "",
        "messageString": orjson.dumps(message).decode(),
        "validationErrorString": "",
    }
    custom = _customised(exchange, error)
    templates = custom.templates if custom else {}
    media_type = _media_type(exchange, templates)
    body = substitute(templates.get(media_type, _DEFAULT_TEMPLATE), exchange)
    headers = {
        "Content-Type": media_type,
        "x-amzn-ErrorType": DEFAULTS[error.response_type].error_type,
    }
    for name, value in (custom.headers if custom else {}).items():
        headers[name] = value(exchange) or ""
    status = custom.status if custom and custom.status else error.status
    return Reply(status, body.encode(), tuple(headers.items()), error.response_type)


def _media_type(exchange: Exchange, templates: dict[str, str] | object) -> str:
    if not isinstance(templates, dict) or not templates or JSON in templates:
        accepted = (exchange.header("accept") or "").split(",")[0].strip()
        return accepted if isinstance(templates, dict) and accepted in templates else JSON
    return str(next(iter(templates)))
