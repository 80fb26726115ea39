"""The gateway's process: serves the template's API, and runs its authorizers.

A process of its own, because rendering templates and reading the stream would otherwise wait for
each other. Run as `python -m local.gateway_process <fd of the listening socket> <fd for answers>`.
A line of standard input is a `GatewayConfig` to prepare; an empty line has what was prepared
served from then on. Each is answered by a line of JSON: empty, or why not. It leaves when standard
input is closed.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import signal
import socket
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import web

from local.assembly import find_template
from local.emulator_access import host_is_own
from local.files import OWNER_ALONE
from local.functions import Functions
from local.gateway.app import Gateway
from local.gateway.bodies import MAX_PAYLOAD_BYTES
from local.gateway.reader import read_api
from local.gateway.services import KinesisCaller
from local.gateway_control import GatewayConfig
from local.iam.actions import IamPlace
from local.lambdas import find_function, role_of
from local.template import TemplateError
from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from aiohttp.typedefs import Handler

    from local.credentials import RunCredentials
    from local.function_host import FunctionHost
    from local.invocation import InvokeFunction
    from local.template import Template

_FUNCTION = re.compile(r"function:([^:/]+)")


def read_template(config: GatewayConfig) -> Template:
    """Read the template with the ids that its resources have in the emulator."""
    assembly = Path(config.assembly)
    template = find_template(assembly, region=config.region, stack=config.stack)
    template.physical_ids.update(config.physical_ids)
    return template


def authorizer_functions(template: Template) -> list[str]:
    """Return the logical ids of the functions that authorize requests."""
    authorizers = template.resources("AWS::ApiGateway::Authorizer")
    uris = [str(template.resolve(each.properties.get("AuthorizerUri", ""))) for each in authorizers]
    names = [found[1] for uri in uris if (found := _FUNCTION.search(uri))]
    return sorted({find_function(template, name) for name in names})


def integration_role(template: Template) -> str:
    """Return the logical id of the role with which the front door calls services.

    Raises
    ------
    TemplateError
        When its methods have several.
    """
    roles = {
        role
        for method in template.resources("AWS::ApiGateway::Method")
        if (role := role_of(template, method.properties.get("Integration", {}).get("Credentials")))
    }
    if len(roles) > 1:
        raise TemplateError(f"integrations with several roles: {', '.join(sorted(roles))}")
    return next(iter(roles), "")


@web.middleware
async def own_host_alone(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer requests to this machine's name; others as API Gateway does for a foreign name.

    A page whose own name was bound anew to this machine's address would else read the answers.
    """
    if host_is_own(request.host):
        return await handler(request)
    return web.json_response({"message": "Forbidden"}, status=403)


class ServedApi:
    """Serves an API, and then another; connections, and requests in progress, outlast both."""

    def __init__(self) -> None:
        self._functions: Functions | None = None
        self._callers: dict[RunCredentials, KinesisCaller] = {}
        self._gateway: Gateway | None = None
        self._next: tuple[Gateway, Template, dict[str, FunctionHost]] | None = None

    def prepare(self, config: GatewayConfig) -> None:
        """Read an API, and start what it needs.

        Raises
        ------
        PipelineError
            When it cannot be served.
        """
        template = read_template(config)
        functions = self._functions = self._functions or Functions(
            template,
            Path(config.assembly),
            endpoint_url=config.endpoint_url,
            credentials=config.credentials,
            logs=Path(config.logs),
        )
        role = config.credentials.of_role(integration_role(template))
        kinesis = self._callers.setdefault(
            role, KinesisCaller(config.endpoint_url, config.region, role)
        )
        invoke: InvokeFunction = functions.invoke
        if config.refused:
            from local.iam.enforcement import allowed_only

            place = IamPlace(template.region, template.account)
            invoke = allowed_only(invoke, read_api(template), place, config.refused)
        gateway = Gateway(template, invoke=invoke, put_record=kinesis)
        changed = functions.prepare(template, authorizer_functions(template))
        self._next = gateway, template, changed

    def commit(self) -> None:
        """Serve what was prepared."""
        if self._functions and self._next:
            self._gateway, template, changed = self._next
            self._functions.take(template, changed)
            for logical_id in authorizer_functions(template):
                host = self._functions.host(logical_id)
                if not host.pids():
                    host.warm()
            self._next = None

    def application(self) -> web.Application:
        """Make the web application."""
        application = web.Application(
            client_max_size=MAX_PAYLOAD_BYTES, middlewares=[own_host_alone]
        )
        application.router.add_route("*", "/{path:.*}", self._handle)
        return application

    async def close(self) -> None:
        """Close its connections to services, and end its functions."""
        for caller in self._callers.values():
            await caller.close()
        if self._functions:
            self._functions.close()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        if self._gateway is None:
            raise web.HTTPServiceUnavailable
        return await self._gateway.handle(request)


def _read_lines(loop: asyncio.AbstractEventLoop, lines: asyncio.Queue[bytes | None]) -> None:
    with os.fdopen(0, "rb", closefd=False) as orders:
        for line in orders:
            loop.call_soon_threadsafe(lines.put_nowait, line.strip())
    loop.call_soon_threadsafe(lines.put_nowait, None)


async def _serve(descriptor: int, answers: int) -> None:
    loop, lines = asyncio.get_running_loop(), asyncio.Queue[bytes | None]()
    loop.add_signal_handler(signal.SIGTERM, lines.put_nowait, None)
    threading.Thread(target=_read_lines, args=(loop, lines), daemon=True).start()
    door = ServedApi()
    # The options of the gateway's own runner, and a shorter timeout at the end.
    runner = web.AppRunner(
        door.application(), auto_decompress=False, access_log=None, shutdown_timeout=0.5
    )
    await runner.setup()
    listener = socket.socket(fileno=descriptor)
    site = web.SockSite(runner, listener)
    try:
        while (line := await lines.get()) is not None:
            fault = ""
            try:
                if line:
                    # Requests do not wait for it.
                    await asyncio.to_thread(door.prepare, GatewayConfig.from_json(line))
                else:
                    door.commit()
                    if site not in runner.sites:
                        await site.start()
            except PipelineError as error:
                fault = str(error)
            os.write(answers, json.dumps(fault).encode() + b"\n")
    finally:
        await runner.cleanup()
        await door.close()


def main() -> None:
    """Serve until standard input is closed."""
    os.umask(OWNER_ALONE)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("local.gateway.access").setLevel(logging.WARNING)
    asyncio.run(_serve(int(sys.argv[1]), int(sys.argv[2])))


if __name__ == "__main__":
    main()
