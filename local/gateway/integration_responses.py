"""Chooses and renders the integration response for a backend's answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local.gateway.bodies import template_text
from local.gateway.errors import GatewayError
from local.gateway.exchange import media_type
from local.gateway.replies import JSON, BackendAnswer, Reply
from local.gateway.variables import template_variables

if TYPE_CHECKING:
    from local.gateway.exchange import Exchange
    from local.gateway.model import IntegrationResponse, Route
    from local.vtl import VtlTemplate


def _configuration(reason: str) -> GatewayError:
    return GatewayError("API_CONFIGURATION_ERROR", reason=reason)


def _select(route: Route, status: int) -> IntegrationResponse:
    default = None
    for response in route.integration.responses:
        if response.pattern is None:
            default = default or response
        elif response.pattern.fullmatch(str(status)):
            return response
    if default is None:
        raise _configuration(f"no integration response takes the backend's status {status}")
    return default


def _template(exchange: Exchange, response: IntegrationResponse) -> tuple[str, VtlTemplate | None]:
    # Only the first type of Accept counts, as recorded from API Gateway.
    accepted = media_type((exchange.header("accept") or "").split(",")[0])
    for name in (accepted, JSON):
        if name in response.templates:
            return name, response.templates[name]
    return next(iter(response.templates.items()), (JSON, None))


def respond(exchange: Exchange, route: Route, answer: BackendAnswer) -> Reply:
    """Turn a backend's answer into the answer to the sender.

    Raises
    ------
    GatewayError
        When the method has no response for it, or a template cannot read it.
    VtlError
        When a template fails.
    """
    response = _select(route, answer.status)
    if response.status not in route.response_statuses:
        raise _configuration(f"the method declares no response with the status {response.status}")
    content_type, template = _template(exchange, response)
    text = template_text(
        answer.body,
        binary=exchange.api.binary,
        content_handling=response.content_handling,
    )
    if template is None:
        body = answer.body if text is None else text.encode()
    elif text is None:
        raise _configuration("a response template cannot read a binary answer; CONVERT_TO_TEXT")
    else:
        body = template.render(template_variables(exchange, text)).encode("utf-8", "replace")
    try:
        status = int(exchange.response_override.get("status", response.status))
    except (TypeError, ValueError):
        raise _configuration("$context.responseOverride.status is no number") from None
    return Reply(status, body, (("Content-Type", content_type), *response.headers))
