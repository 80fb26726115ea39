"""The calls of PutRecord themselves: how they are signed, and what becomes of those that fail."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from aiohttp import web

from local.credentials import RunCredentials
from local.emulator_access import Access
from local.gateway.errors import GatewayError
from local.gateway.replies import BackendAnswer
from local.gateway.services import KinesisCaller, _session

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

CREDENTIALS = RunCredentials.make()
ROLE = CREDENTIALS.of_role("FrontDoor")
RECORD = {"StreamName": "s", "PartitionKey": "k", "Data": "YQ=="}


@asynccontextmanager
async def served(
    answer: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]],
) -> AsyncIterator[str]:
    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield "http://{}:{}".format(*runner.addresses[0][:2])
    finally:
        await runner.cleanup()


async def put(url: str) -> BackendAnswer:
    kinesis = KinesisCaller(url, "us-west-2", ROLE)
    try:
        return await kinesis(RECORD)
    finally:
        await kinesis.close()


def test_call_is_put_record_signed_by_the_role() -> None:
    """What verifies it is the emulator's own check, which is tested with botocore's clients."""
    seen = []

    async def answer(request: web.BaseRequest) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        body = await request.read()
        access = Access(CREDENTIALS)
        access.check_head(request.path, headers)
        caller = access.check(request.method, request.raw_path, "", headers, body)
        seen.append((caller.role, headers["x-amz-target"], json.loads(body)))
        return web.json_response({"ShardId": "0"}, status=400)

    async def call() -> BackendAnswer:
        async with served(answer) as url:
            return await put(url)

    assert asyncio.run(call()) == BackendAnswer(400, b'{"ShardId": "0"}')
    assert seen == [("FrontDoor", "Kinesis_20131202.PutRecord", RECORD)]


def test_nobody_there_is_a_failure() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    with pytest.raises(GatewayError) as caught:
        asyncio.run(put(f"http://127.0.0.1:{port}"))
    assert caught.value.response_type == "INTEGRATION_FAILURE"


def test_connection_that_breaks_is_a_failure() -> None:
    async def answer(request: web.BaseRequest) -> web.Response:
        assert request.transport
        request.transport.abort()
        return web.Response()

    async def call() -> BackendAnswer:
        async with served(answer) as url:
            return await put(url)

    with pytest.raises(GatewayError) as caught:
        asyncio.run(call())
    assert caught.value.response_type == "INTEGRATION_FAILURE"


def test_no_answer_in_time_is_a_time_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("local.gateway.services._READ_SECONDS", 0.01)

    async def call() -> BackendAnswer:
        over = asyncio.Event()

        async def answer(_: web.BaseRequest) -> web.Response:
            await over.wait()  # a server that ends waits a minute for what it still answers
            return web.Response()

        async with served(answer) as url:
            try:
                return await put(url)
            finally:
                over.set()

    with pytest.raises(GatewayError) as caught:
        asyncio.run(call())
    assert caught.value.response_type == "INTEGRATION_TIMEOUT"


def test_no_proxy_of_the_environment_sees_a_call() -> None:
    async def trusts() -> bool:
        session = _session()
        await session.close()
        return session.trust_env

    assert not asyncio.run(trusts())
