"""The proxy that injects faults (microburst), in a process of its own.

Run as `python -m loadtests.soak.proxy <fd of the listening socket> <upstream> <seed>`. It leaves
when its standard input is closed: then its parent stops it, or was killed.
"""

from __future__ import annotations

import asyncio
import http.client
import logging
import random
import socket
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from local.files import write_atomically
from local.leaving import leave_with_parent
from local.processes import HOST, Child, listen

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from aiohttp import web

_START_SECONDS = 30.0
ADDRESS = "proxy.url"


@contextmanager
def proxied(upstream: str, *, state: Path, seed: int) -> Iterator[str]:
    """Run a proxy in front of an address; its own address is also in the state directory."""
    with listen(None) as listener:
        descriptor, port = listener.fileno(), listener.getsockname()[1]
        proxy = Child(
            "the fault proxy",
            "loadtests.soak.proxy",
            arguments=[str(descriptor), upstream, str(seed)],
            log=state / "logs" / "proxy.txt",
            inherited=[descriptor],
        )
    url = f"http://{HOST}:{port}"
    try:
        proxy.wait_for(lambda: _answers(url), seconds=_START_SECONDS)
        write_atomically(state / ADDRESS, url)
        yield url
    finally:
        proxy.stop()


def _answers(url: str) -> bool:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=2)
    try:
        connection.request("GET", "/_microburst/health")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _keep_host(upstream: Any) -> None:
    """Pass on the Host that the caller named: it is part of what the caller signed.

    microburst (0.10.0) writes its upstream's in its place.
    """
    headers = upstream._outbound_headers

    def with_host(request: web.Request) -> dict[str, str]:
        return {**headers(request), "host": request.host}

    upstream._outbound_headers = with_host


def tell_by_signature() -> None:
    """Have services told apart by what a request is signed for, and no name be looked up.

    At its first request microburst (0.10.0) reads the model of each of AWS's services, which takes
    seconds, to know the names of their hosts. Here all have one address, which is none of them.
    """
    from microburst.detection import host

    host._endpoint_prefix_map = dict


async def _serve(descriptor: int, upstream: str) -> None:
    from aiohttp import web
    from microburst.app import make_app
    from microburst.core.pipeline import Microburst

    tell_by_signature()
    proxy = Microburst(upstream)
    _keep_host(proxy.upstream)
    application = make_app(proxy)
    application._client_max_size = 0  # a batch of records has more than aiohttp's megabyte
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.SockSite(runner, socket.socket(fileno=descriptor)).start()
    await asyncio.Event().wait()


def main() -> None:
    """Serve until standard input is closed."""
    leave_with_parent()
    logging.basicConfig(level=logging.WARNING)
    descriptor, upstream, seed = sys.argv[1:]
    random.seed(int(seed))  # microburst draws from the module's own generator
    asyncio.run(_serve(int(descriptor), upstream))


if __name__ == "__main__":
    main()
