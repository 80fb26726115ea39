"""Serves the emulator, an ASGI application, on aiohttp's server.

The emulator comes with a server whose parser is written in Python, and which takes longer for a
call than the emulator itself. aiohttp, on which the gateway runs too, parses in C. Requests and
answers are whole: on this machine nothing is too large for that.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from aiohttp import web
from multidict import CIMultiDict

from pipeline.errors import PipelineError

if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable, Callable

    Message = dict[str, Any]
    Application = Callable[
        [Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]],
        Awaitable[None],
    ]

_ASGI = {"version": "3.0", "spec_version": "2.3"}
_KEEP_ALIVE_SECONDS = 75.0


class StartError(PipelineError):
    """The emulator could not start."""


def _bytes(text: str) -> bytes:
    """Return what was sent: the server keeps bytes that are no UTF-8 as lone surrogates."""
    return text.encode("utf-8", "surrogateescape")


def _scope(request: web.BaseRequest) -> Message:
    return {
        "type": "http",
        "asgi": _ASGI,
        "http_version": "1.1",
        "method": request.method,
        "scheme": "http",
        "path": request.path,
        "raw_path": _bytes(request.raw_path.partition("?")[0]),
        "query_string": _bytes(request.raw_path.partition("?")[2]),
        "root_path": "",
        "headers": [(name.lower(), value) for name, value in request.raw_headers],
        "client": None,
        "server": None,
    }


class _Answer:
    """Gathers what the application sends."""

    def __init__(self) -> None:
        self.status = 500
        self.headers: CIMultiDict[str] = CIMultiDict()
        self.parts: list[bytes] = []

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            for name, value in message["headers"]:
                self.headers.add(name.decode(), value.decode(errors="replace"))
        else:
            self.parts.append(message.get("body", b""))

    def response(self, *, head: bool) -> web.Response:
        if not head:
            # The server writes it itself. In an answer to HEAD it is that of another body.
            self.headers.popall("Content-Length", None)
        self.headers.popall("Transfer-Encoding", None)
        body = None if head else b"".join(self.parts)
        return web.Response(status=self.status, headers=self.headers, body=body)


async def _handle(application: Application, request: web.BaseRequest) -> web.Response:
    read = False

    async def receive() -> Message:
        # Only once it is asked for: what is refused by its head is not read.
        nonlocal read
        if read:
            return {"type": "http.disconnect"}
        read = True
        if request.headers.get("Expect", "").lower() == "100-continue" and request.transport:
            request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return {"type": "http.request", "body": await request.read(), "more_body": False}

    answer = _Answer()
    await application(_scope(request), receive, answer.send)
    return answer.response(head=request.method == "HEAD")


def _request(*parts: Any) -> web.BaseRequest:
    message, payload, protocol, writer, task = parts
    loop = asyncio.get_running_loop()
    # Without the limit of a megabyte, which records and batches of messages exceed.
    return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=0)


async def _start(application: Application) -> asyncio.Future[None]:
    """Return the task in which the application lives; it must be held on to."""
    started: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    stopping = asyncio.Event()
    asked = False

    async def receive() -> Message:
        nonlocal asked
        if asked:
            await stopping.wait()
        asked = True
        return {"type": "lifespan.startup"}

    async def send(message: Message) -> None:
        if message["type"] == "lifespan.startup.complete":
            started.set_result(None)
        else:
            started.set_exception(StartError(f"the emulator: {message.get('message', message)}"))

    scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": {}}
    lifespan = asyncio.ensure_future(application(scope, receive, send))
    await asyncio.wait({lifespan, started}, return_when=asyncio.FIRST_COMPLETED)
    if not started.done():
        raise StartError("the emulator ended before it had started")
    started.result()
    return lifespan


async def serve(application: Application, listener: socket.socket) -> None:
    """Start an application, then answer its requests; for ever.

    Parameters
    ----------
    application : Application
        The ASGI application (ASGI specification 3.0, HTTP and lifespan).
    listener : socket.socket
        Where it listens.

    Raises
    ------
    StartError
        When the application says that it cannot start.
    """

    async def handle(request: web.BaseRequest) -> web.Response:
        return await _handle(application, request)

    lifespan = await _start(application)
    server = web.Server(
        handle,
        request_factory=_request,
        keepalive_timeout=_KEEP_ALIVE_SECONDS,
        access_log=None,
        auto_decompress=False,
    )
    loop = asyncio.get_running_loop()
    listening = await loop.create_server(server, sock=listener, backlog=1024)
    try:
        await listening.serve_forever()
    finally:
        lifespan.cancel()
