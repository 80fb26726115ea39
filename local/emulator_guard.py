"""Stands before the emulator's application: only what `emulator_access` admits reaches it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from local.emulator_access import AccessRefusedError
from local.iam.wire import WireRequest

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from local.emulator_access import Access
    from local.emulator_http import Application, Message
    from local.iam.gate import CallGate


def guarded(application: Application, access: Access, gate: CallGate | None = None) -> Application:
    """Return an ASGI application that answers only what may be asked, and no page.

    What it refuses it answers by itself; of the answers it leaves out what lets pages read them.

    Parameters
    ----------
    gate : CallGate, optional
        Sees each call of a role, and may refuse it.
    """

    async def answer(
        scope: Message,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        if scope["type"] == "lifespan":
            await application(scope, receive, send)
            return
        try:
            request, sent, role = await _admitted(access, scope, receive)
        except AccessRefusedError as error:
            await _refuse(send, error)
            return
        if gate and role and (refusal := await gate.refusal(role, sent)):
            await _answer(send, refusal.status, refusal.headers, refusal.body)
            return
        waiting = [request]

        async def again() -> Message:
            return waiting.pop() if waiting else await receive()

        async def send_to_us(message: Message) -> None:
            if "headers" in message:
                kept = [one for one in message["headers"] if not _is_for_pages(one[0])]
                message = {**message, "headers": kept}
            await send(message)

        await application(scope, again, send_to_us)

    return answer


async def _admitted(
    access: Access, scope: Message, receive: Callable[[], Awaitable[Message]]
) -> tuple[Message, WireRequest, str]:
    """Return the message with the body of a request that may be answered, the request, its role."""
    if scope["type"] != "http":
        raise AccessRefusedError(403, "only plain requests are answered")
    headers: dict[str, str] = {}
    for name, value in scope["headers"]:
        key, text = name.decode("latin-1").lower(), value.decode("utf-8", "replace")
        headers[key] = f"{headers[key]},{text}" if key in headers else text
    access.check_head(scope["path"], headers)
    message = await receive()
    raw_path = scope["raw_path"].decode("utf-8", "surrogateescape")
    query = scope["query_string"].decode("utf-8", "surrogateescape")
    body = message.get("body", b"")
    caller = access.check(scope["method"], raw_path, query, headers, body)
    sent = WireRequest(caller.service, scope["method"], raw_path, query, headers, body)
    return message, sent, caller.role


def _is_for_pages(name: Any) -> bool:
    return bytes(name).lower().startswith(b"access-control-")


async def _refuse(send: Callable[[Message], Awaitable[None]], error: AccessRefusedError) -> None:
    code = "AccessDeniedException" if error.status == 403 else "UnknownOperationException"
    body = json.dumps({"__type": code, "message": str(error)}).encode()
    await _answer(send, error.status, {"content-type": "application/x-amz-json-1.1"}, body)


async def _answer(
    send: Callable[[Message], Awaitable[None]], status: int, headers: Mapping[str, str], body: bytes
) -> None:
    pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    await send({"type": "http.response.body", "body": body})
