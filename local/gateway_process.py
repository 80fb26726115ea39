"""The gateway's process: serves the template's API, and runs its authorizers.

A process of its own, because rendering templates and reading the stream would otherwise wait for
each other. Run as `python -m local.gateway_process <fd of the listening socket>`, with a
`GatewayConfig` as the first line of standard input. It leaves when standard input is closed.
"""

from __future__ import annotations

import asyncio
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
from local.gateway.reader import read_api
from local.gateway.services import KinesisCaller
from local.gateway_control import GatewayConfig
from local.iam.actions import IamPlace
from local.lambdas import find_function, role_of
from local.template import TemplateError

if TYPE_CHECKING:
    from aiohttp.typedefs import Handler

    from local.invocation import InvokeFunction
    from local.template import Template

_READ_SIZE = 4096
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


def _first_line() -> bytes:
    line = bytearray()
    while not line.endswith(b"\n"):
        part = os.read(0, 1)
        if not part:
            raise SystemExit(1)
        line += part
    return bytes(line)


def _watch(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    while os.read(0, _READ_SIZE):
        pass
    loop.call_soon_threadsafe(stop.set)


@web.middleware
async def own_host_alone(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer requests to this machine's name; others as API Gateway does for a foreign name.

    A page whose own name was bound anew to this machine's address would else read the answers.
    """
    if host_is_own(request.host):
        return await handler(request)
    return web.json_response({"message": "Forbidden"}, status=403)


async def _serve(descriptor: int, config: GatewayConfig) -> None:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    threading.Thread(target=_watch, args=(loop, stop), daemon=True).start()
    template = read_template(config)
    functions = Functions(
        template,
        Path(config.assembly),
        endpoint_url=config.endpoint_url,
        credentials=config.credentials,
        logs=Path(config.logs),
    )

    role = config.credentials.of_role(integration_role(template))
    kinesis = KinesisCaller(config.endpoint_url, config.region, role)
    invoke: InvokeFunction = functions.invoke
    if config.refused:
        from local.iam.enforcement import allowed_only

        place = IamPlace(template.region, template.account)
        invoke = allowed_only(invoke, read_api(template), place, config.refused)
    gateway = Gateway(template, invoke=invoke, put_record=kinesis)
    for logical_id in authorizer_functions(template):
        functions.host(logical_id).warm()
    # The options of the gateway's own runner, and a shorter timeout at the end.
    application = gateway.application()
    application.middlewares.append(own_host_alone)
    runner = web.AppRunner(
        application, auto_decompress=False, access_log=None, shutdown_timeout=0.5
    )
    await runner.setup()
    try:
        listener = socket.socket(fileno=descriptor)
        await web.SockSite(runner, listener).start()
        await stop.wait()
    finally:
        await runner.cleanup()
        await kinesis.close()
        functions.close()


def main() -> None:
    """Serve until standard input is closed."""
    os.umask(OWNER_ALONE)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("local.gateway.access").setLevel(logging.WARNING)
    config = GatewayConfig.from_json(_first_line())
    asyncio.run(_serve(int(sys.argv[1]), config))


if __name__ == "__main__":
    main()
