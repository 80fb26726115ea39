"""The server that the emulator runs on: HTTP in, ASGI out."""

from __future__ import annotations

import asyncio
import http.client
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from local.emulator_http import StartError, serve
from local.processes import HOST, listen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.emulator_http import Application

PARTS = [b"one ", b"", b"two"]


async def echo(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Tells what it was asked; its path says how it answers."""
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        return
    body = (await receive())["body"]
    if scope["path"] == "/fails":
        raise RuntimeError("as it was asked to")
    headers = [(b"x-path", scope["path"].encode()), (b"x-query", scope["query_string"])]
    sent = dict(scope["headers"])
    headers.append((b"x-sent", sent.get(b"x-mixed", b"")))
    parts = PARTS if scope["path"] == "/parts" else [body]
    if scope["path"] == "/known":
        headers.append((b"content-length", b"%d" % len(body)))
    status = 204 if scope["path"] == "/nothing" else 200
    await send({"type": "http.response.start", "status": status, "headers": headers})
    for number, part in enumerate(parts, 1):
        more = number < len(parts)
        await send({"type": "http.response.body", "body": part, "more_body": more})


@contextmanager
def served(application: Application) -> Iterator[int]:
    """Serve in a thread; give the port."""
    loop = asyncio.new_event_loop()
    with listen(None) as listener:
        task = loop.create_task(serve(application, listener))

        def run() -> None:
            loop.run_until_complete(asyncio.gather(task, return_exceptions=True))
            for each in (rest := asyncio.all_tasks(loop)):
                each.cancel()
            if rest:
                loop.run_until_complete(asyncio.wait(rest))

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            loop.call_soon_threadsafe(task.cancel)
            thread.join(60)
            loop.close()


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with served(echo) as number:
        yield number


@pytest.fixture
def client(port: int) -> Iterator[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection(HOST, port, timeout=600)
    yield connection
    connection.close()


def test_a_request_comes_as_it_was_sent(client: http.client.HTTPConnection) -> None:
    body = bytes(range(256)) * 4_000
    for _ in range(2):  # and the second one on the same connection
        client.request("POST", "/a%20b/%C3%A4?x=%20y&z", body, {"X-Mixed": "As Is"})
        answer = client.getresponse()
        assert answer.read() == body
        assert answer.status == 200
        assert answer.getheader("x-path") is not None
        assert answer.headers["x-path"].encode("latin-1").decode() == "/a b/ä"
        assert answer.getheader("x-query") == "x=%20y&z"
        assert answer.getheader("x-sent") == "As Is"


@pytest.mark.parametrize("path", ["/known", "/any"])
def test_an_answer_has_its_length(client: http.client.HTTPConnection, path: str) -> None:
    client.request("POST", path, b"1234")
    answer = client.getresponse()
    assert answer.getheader("content-length") == "4"
    assert answer.read() == b"1234"


def test_an_answer_in_parts_is_whole(client: http.client.HTTPConnection) -> None:
    client.request("GET", "/parts")
    answer = client.getresponse()
    assert answer.read() == b"".join(PARTS)


def test_an_answer_to_head_has_the_length_of_what_is_not_sent(
    client: http.client.HTTPConnection,
) -> None:
    client.request("HEAD", "/known", b"ab")
    answer = client.getresponse()
    assert (answer.getheader("content-length"), answer.read()) == ("2", b"")


def test_an_answer_without_a_body_has_none(client: http.client.HTTPConnection) -> None:
    client.request("GET", "/nothing", b"ab")
    answer = client.getresponse()
    assert (answer.status, answer.read()) == (204, b"")


def test_who_asks_before_sending_is_told_to_go_on(port: int) -> None:
    with socket.create_connection((HOST, port), 60) as connection:
        connection.sendall(
            b"PUT /any HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
        )
        assert connection.recv(1_000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"ab")
        assert connection.recv(1_000).endswith(b"\r\n\r\nab")


def test_an_application_that_fails_answers_500(client: http.client.HTTPConnection) -> None:
    client.request("GET", "/fails")
    assert client.getresponse().status == 500
    client.close()
    client.request("GET", "/1")
    assert client.getresponse().status == 200


def test_an_application_that_cannot_start_is_told() -> None:
    async def refuses(_: dict[str, Any], receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no disk"})

    async def ends(_: dict[str, Any], receive: Any, __: Any) -> None:
        await receive()

    with listen(None) as listener, pytest.raises(StartError, match="no disk"):
        asyncio.run(serve(refuses, listener))
    with listen(None) as listener, pytest.raises(StartError, match="ended before"):
        asyncio.run(serve(ends, listener))
