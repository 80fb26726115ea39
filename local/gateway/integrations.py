"""Runs a route's integration: request template, backend, integration response."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

import orjson

from local.gateway.bodies import template_text
from local.gateway.errors import GatewayError
from local.gateway.events import proxy_event
from local.gateway.exchange import media_type
from local.gateway.integration_responses import respond
from local.gateway.proxy_answers import proxy_reply
from local.gateway.replies import JSON, BackendAnswer, Reply
from local.gateway.services import PayloadError, error_answer, record_of
from local.gateway.variables import template_variables

if TYPE_CHECKING:
    from local.gateway.exchange import Exchange
    from local.gateway.model import Integration, Route
    from local.gateway.services import PutRecord
    from local.invocation import InvokeFunction

#: A name of a mock's JSON without its quotes.
_BARE_NAME = re.compile(r"([{,]\s*)([A-Za-z_]\w*)(?=\s*:)")
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

    def __init__(self, put_record: PutRecord, invoke: InvokeFunction) -> None:
        self._put_record = put_record
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
            return error_answer(400, error.code, str(error))
        return await self._put_record(record)

    async def _proxy(self, exchange: Exchange, route: Route) -> Reply:
        answer = await self._invoke(route.integration.function, proxy_event(exchange))
        if answer.function_error:
            raise _configuration(f"{route.integration.function}: {answer.function_error}", 502)
        return proxy_reply(exchange, answer.payload, route.integration.function)


def _mock(exchange: Exchange, integration: Integration) -> BackendAnswer:
    """Answer by the status code of the request template, whose JSON may have names without quotes.

    The CDK writes `{ statusCode: 200 }` for CORS, and API Gateway takes it (LocalStack's recordings
    of AWS, test_apigateway_integrations, test_integration_mock_with_path_param).
    """
    payload = request_payload(exchange, integration)
    try:
        status = int(_lenient_json(payload)["statusCode"])
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        raise _configuration("the request template of a mock gives no statusCode") from None
    return BackendAnswer(status, b"")


def _lenient_json(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return orjson.loads(_BARE_NAME.sub(r'\1"\2"', text))
