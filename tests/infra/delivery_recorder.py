"""Calls that a build's commands make, at the wire of the emulator that is in AWS's place."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from local.iam.actions import IamPlace, calls_of
from local.iam.calls import CallLog
from local.iam.wire import WireRequest

if TYPE_CHECKING:
    from pathlib import Path

    from local.emulator_http import Application, Message

#: The build's own access key, by which its calls are known.
OWN_KEY = "key"
_SCOPE = re.compile(r"Credential=([^/]+)/\d+/([^/]+)/([^/]+)/")
_GIVEN = re.compile(r"<AccessKeyId>([^<]+)<")


def recorded(app: Application, calls: Path, role: str, account: str) -> Application:
    """Write down what a build's own key, and those of roles that it takes on, are used for.

    Parameters
    ----------
    role : str
        The ARN of the build's role.
    """
    log, principals = CallLog(calls), {OWN_KEY: role}

    async def call(scope: Message, receive: Any, send: Any) -> None:
        heard: list[bytes] = []
        said: list[bytes] = []

        async def hear() -> Message:
            message: Message = await receive()
            heard.append(message.get("body", b""))
            return message

        async def say(message: Message) -> None:
            said.append(message.get("body", b""))
            await send(message)

        await app(scope, hear, say)
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        found = _SCOPE.search(headers.get("authorization", ""))
        if found is None or found[1] not in principals:
            return
        _, region, service = found.groups()
        path, query = scope["raw_path"].decode(), scope["query_string"].decode()
        body = b"".join(heard)
        request = WireRequest(service, scope["method"], path, query, headers, body)
        log.add(calls_of(request, principals[found[1]], IamPlace(region, account)))
        if b"Action=AssumeRole" in body:
            for key in _GIVEN.findall(b"".join(said).decode()):
                principals[key] = parse_qs(body.decode())["RoleArn"][0]

    return call
