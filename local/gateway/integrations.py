"""Runs a route's integration: request template, backend, integration response."""

from __future__ import annotations

import asyncio
import base64
import binascii
from typing import TYPE_CHECKING, Any

import orjson

from local.gateway.bodies import template_text
from local.gateway.errors import GatewayError
from local.gateway.events import proxy_event
from local.gateway.exchange import media_type
from local.gateway.integration_responses import respond
from local.gateway.replies import JSON, BackendAnswer, Reply
from local.gateway.services import PayloadError, error_answer, record_of
from local.gateway.variables import template_variables
from local.vtl import to_text

if TYPE_CHECKING:
    from local.gateway.exchange import Exchange
    from local.gateway.model import Integration, Route
    from local.gateway.services import RecordPutter
    from local.invocation import InvokeFunction

#: What a JSON service takes; another content type is no operation that it knows.
_SERVICE_TYPES = {JSON, "application/x-amz-json-1.0", "application/x-amz-json-1.1"}


def _configuration(reason: str, status: int | None = None) -> GatewayError:
    return GatewayError("API_CONFIGURATION_ERROR", reason=reason, status=status)


def request_payload(exchange: Exchange, integration: Integration) -> str:
    """Render the payload of the integration request.

    Raises
    ------
    GatewayError
        When no template takes the media type, or the template cannot read the body.
    VtlError
        When the template fails.
    """
    text = template_text(
        exchange.body,
        binary=exchange.api.binary,
        content_handling=integration.content_handling,
    )
    template = integration.templates.get(exchange.media_type)
    if template is None:
        raise GatewayError("UNSUPPORTED_MEDIA_TYPE")
    if text is None:
        raise _configuration("a request template cannot read a binary body; CONVERT_TO_TEXT")
    return template.render(template_variables(exchange, text))


class Integrations:
    """Runs integrations.

    Parameters
    ----------
    invoke : InvokeFunction
        For Lambda proxy integrations.
    """

    def __init__(self, records: RecordPutter, invoke: InvokeFunction) -> None:
        self._records = records
        self._invoke = invoke

    async def run(self, exchange: Exchange, route: Route) -> Reply:
        """Return the answer to the sender.

        Raises
        ------
        GatewayError
            When the gateway has no answer of the backend to give.
        VtlError
            When a template fails.
        """
        integration = route.integration
        if integration.type == "MOCK":
            return respond(exchange, route, _mock(exchange, integration))
        work = self._service if integration.type == "AWS" else self._proxy
        try:
            async with asyncio.timeout(integration.timeout_seconds):
                return await work(exchange, route)
        except TimeoutError:
            raise GatewayError("INTEGRATION_TIMEOUT") from None

    async def _service(self, exchange: Exchange, route: Route) -> Reply:
        integration = route.integration
        payload = request_payload(exchange, integration)
        return respond(exchange, route, await self._backend(exchange, integration, payload))

    async def _backend(
        self, exchange: Exchange, integration: Integration, payload: str
    ) -> BackendAnswer:
        sent = integration.content_type or exchange.header("content-type")
        if media_type(sent) not in _SERVICE_TYPES:
            return error_answer(404, "UnknownOperationException", "")
        try:
            record = record_of(payload)
        except PayloadError as error:
            return error_answer(400, "SerializationException", str(error))
        return await self._records.put(record)

    async def _proxy(self, exchange: Exchange, route: Route) -> Reply:
        answer = await self._invoke(route.integration.function, proxy_event(exchange))
        if answer.function_error:
            raise _configuration(f"{route.integration.function}: {answer.function_error}", 502)
        return _proxy_reply(answer.payload, route.integration.function)


def _mock(exchange: Exchange, integration: Integration) -> BackendAnswer:
    payload = request_payload(exchange, integration)
    try:
        status = int(orjson.loads(payload)["statusCode"])
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        raise _configuration("the request template of a mock gives no statusCode") from None
    return BackendAnswer(status, b"")


def _malformed(function: str, what: str) -> GatewayError:
    return _configuration(f"{function}: malformed Lambda proxy response: {what}", 502)


def _proxy_reply(payload: Any, function: str) -> Reply:
    known = {"statusCode", "headers", "multiValueHeaders", "body", "isBase64Encoded"}
    if not isinstance(payload, dict) or payload.keys() - known:
        raise _malformed(function, "no object, or with unknown keys")
    try:
        status = int(payload.get("statusCode", 200))
    except (TypeError, ValueError):
        raise _malformed(function, "statusCode is no number") from None
    body = payload.get("body") or ""
    if not isinstance(body, str):
        raise _malformed(function, "body is no string")
    data = body.encode()
    if payload.get("isBase64Encoded"):
        try:
            data = base64.b64decode(body, validate=True)
        except (binascii.Error, ValueError):
            raise _malformed(function, "body is no base64") from None
    return Reply(status, data, _proxy_headers(payload))


def _proxy_headers(payload: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    multiple = payload.get("multiValueHeaders") or {}
    pairs = [(name, to_text(value)) for name, values in multiple.items() for value in values]
    # A name in both maps counts once, with the values of multiValueHeaders.
    single = payload.get("headers") or {}
    pairs += [(name, to_text(value)) for name, value in single.items() if name not in multiple]
    if not any(name.lower() == "content-type" for name, _ in pairs):
        pairs.append(("Content-Type", JSON))
    return tuple(pairs)
