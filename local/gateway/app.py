"""The local API Gateway as a web application."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

import orjson
from aiohttp import web

from local.gateway.authorizers import Authorizers
from local.gateway.bodies import MAX_PAYLOAD_BYTES, decode_content
from local.gateway.errors import GatewayError
from local.gateway.exchange import Exchange
from local.gateway.gateway_responses import refuse
from local.gateway.integrations import Integrations
from local.gateway.reader import read_api
from local.gateway.routes import Router
from local.gateway.throttling import Throttling
from local.gateway.validation import validate
from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from local.gateway.model import Api, Route
    from local.gateway.replies import Reply
    from local.gateway.services import PutRecord
    from local.invocation import InvokeFunction
    from local.template import Template

_LOG = logging.getLogger(__name__)
_ACCESS = logging.getLogger("local.gateway.access")


class Gateway:
    """Serves the REST API of a template: `http://HOST:PORT/<path>`, without the stage in front.

    Parameters
    ----------
    template : Template
        The synthesized template, with the physical ids that its resources have locally.
    invoke : InvokeFunction
        Runs a function of the template, for authorizers and proxy integrations.
    put_record : PutRecord
        Calls Kinesis for the integrations.

    Raises
    ------
    TemplateError
        When the template has no REST API, or one that the local gateway cannot serve.
    """

    def __init__(
        self,
        template: Template,
        *,
        invoke: InvokeFunction,
        put_record: PutRecord,
    ) -> None:
        self._api = read_api(template)
        self._router = Router(self._api.routes)
        self._throttling = Throttling(self._api.routes)
        self._authorizers = Authorizers(invoke)
        self._integrations = Integrations(put_record, invoke)

    @property
    def api(self) -> Api:
        """What is served."""
        return self._api

    def application(self) -> web.Application:
        """Make the web application; serve it with `runner`, or with the same options."""
        application = web.Application(client_max_size=MAX_PAYLOAD_BYTES)
        application.router.add_route("*", "/{path:.*}", self.handle)
        return application

    def runner(self) -> web.AppRunner:
        """Make a runner with the options that the gateway needs.

        The web server must leave compressed bodies alone: the gateway decompresses them, and
        answers 415 for those it cannot.
        """
        return web.AppRunner(self.application(), auto_decompress=False, access_log=None)

    async def handle(self, request: web.Request) -> web.Response:
        """Answer a request."""
        started = time.perf_counter()
        exchange = _exchange(self._api, request)
        try:
            reply = await self._serve(exchange, request)
        except GatewayError as error:
            reply = refuse(exchange, error)
            if error.reason:
                _LOG.warning("%s %s: %s", exchange.http_method, exchange.resource_path, error)
        except PipelineError as error:
            # A template that failed, or a function that could not be run at all.
            _LOG.error("%s", error)
            reply = refuse(exchange, GatewayError("API_CONFIGURATION_ERROR"))
        if _ACCESS.isEnabledFor(logging.INFO):
            _ACCESS.info("%s", _access_line(exchange, reply, time.perf_counter() - started))
        return _response(exchange, reply)

    async def _serve(self, exchange: Exchange, request: web.Request) -> Reply:
        route = self._route(exchange, request)
        self._throttling.admit(route)
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            raise GatewayError("REQUEST_TOO_LARGE") from None
        if route.authorizer:
            await self._authorizers.authorize(exchange, route.authorizer)
        validate(exchange, route)
        exchange.body = decode_content(body, exchange.header("content-encoding"))
        return await self._integrations.run(exchange, route)

    def _route(self, exchange: Exchange, request: web.Request) -> Route:
        found = self._router.find(request.method, request.rel_url.raw_path)
        if found is None:
            raise GatewayError("MISSING_AUTHENTICATION_TOKEN")
        exchange.route = found
        return found


def _exchange(api: Api, request: web.Request) -> Exchange:
    version = request.version
    url = request.rel_url
    return Exchange(
        api=api,
        http_method=request.method,
        path=url.raw_path,
        headers=[
            (name.decode("ascii", "replace"), value.decode("utf-8", "replace"))
            for name, value in request.raw_headers
        ],
        query=list(url.query.items()) if url.raw_query_string else [],
        source_ip=request.remote or "",
        protocol=f"HTTP/{version.major}.{version.minor}",
    )


def _response(exchange: Exchange, reply: Reply) -> web.Response:
    response = web.Response(status=reply.status, body=reply.body)
    for name, value in reply.headers:
        if name.lower() == "content-type":
            response.headers[name] = value
        elif name.lower() != "content-length":
            response.headers.add(name, value)
    response.headers["x-amzn-RequestId"] = exchange.request_id
    response.headers["x-amz-apigw-id"] = exchange.extended_request_id
    return response


def _access_line(exchange: Exchange, reply: Reply, seconds: float) -> str:
    """Return the line of the access log: no body, no header, no query string."""
    return orjson.dumps({
        "requestId": exchange.request_id,
        "extendedRequestId": exchange.extended_request_id,
        "time": exchange.epoch_ms,
        "ip": exchange.source_ip,
        "httpMethod": exchange.http_method,
        "resourcePath": exchange.resource_path,
        "status": reply.status,
        "errorResponseType": reply.response_type,
        "requestBytes": len(exchange.body),
        "responseBytes": len(reply.body),
        "latencyMs": round(seconds * 1000, 3),
    }).decode()  # fmt: skip
