"""A polled API that means harm, or who answers in its place."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

from loadtests.attack.folders import HANGS_SECONDS, read_apart
from loadtests.attack.verdicts import NotHeldError, refuse_if
from pipeline.errors import PipelineError
from pipeline.polling.errors import OutOfTimeError
from pipeline.polling.http_client import HttpClient, HttpRequest
from pipeline.polling.session import Session
from pipeline.polling.targets import Origin
from pipeline.runtime.deadline import Deadline

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from loadtests.attack.pipeline import AttackedPipeline
    from pipeline.polling.credentials import Credentials


def page_of_nothings(arena: AttackedPipeline) -> str:
    """Answer a poll with 15 MB of `{}` (P7)."""
    path = arena.scratch / "page.json"
    path.write_bytes(b"[" + b"{}," * 5_000_000 + b"{}]")
    try:
        (said,) = read_apart("bomb", path).values()
    finally:
        path.unlink()
    return f"read within a poller's memory: {said}"


def links_to_elsewhere(_: AttackedPipeline) -> str:
    """Have a poll ask another server on this machine, by redirects of all kinds."""
    asked: list[bytes] = []

    def inner(connection: socket.socket) -> None:
        asked.append(connection.recv(65_536))
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]")

    with served(inner) as inside:
        ways = [
            f"http://127.0.0.1:{inside}/",
            f"//127.0.0.1:{inside}/",
            f"http://localhost:{inside}/",
        ]
        ways += [f"http://a@127.0.0.1:{inside}/", f"http://[::1]:{inside}/", "file:///etc/passwd"]
        ways += [
            "http://169.254.169.254/latest/meta-data/",
            f"\\\\127.0.0.1:{inside}\\",
            "gopher://x",
        ]
        for way in ways:
            _follow(way)
        refuse_if(asked, "the other server was asked")
    return f"{len(ways)} places, the poll asked none of them"


def _follow(location: str) -> None:
    answer = f"HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode()

    def redirect(connection: socket.socket) -> None:
        connection.recv(65_536)
        connection.sendall(answer)

    with served(redirect) as port:
        client = HttpClient(Origin("http", "127.0.0.1", port))
        known = cast("Credentials", _NoCredentials())
        deadline = Deadline(lambda: 30.0, reserve=0.0)
        session = Session(client, known, None, deadline, time.time)
        try:
            session.fetch(HttpRequest("GET", f"http://127.0.0.1:{port}/events"))
        except PipelineError:
            return
    raise NotHeldError(f"{location} was followed")


class _NoCredentials:
    def headers(self, *_: object) -> dict[str, str]:
        return {"Authorization": "Bearer credential"}

    def secrets(self) -> tuple[str, ...]:
        return ("credential",)

    def accepted(self) -> None:
        """Take note of nothing."""

    def refused(self) -> bool:
        return False


def trickling_answers(_: AttackedPipeline) -> str:
    """Answer a poll byte by byte, for ever (P6)."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
    forms = {
        "a status line": (b"HTTP/1.1 200 ", b"O"),
        "a header line": (head + b"X-Long: ", b"x"),
        "1xx answers": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        "a body with its length": (head + b"Content-Length: 1000000\r\n\r\n", b" "),
        "the size of a chunk": (head + b"Transfer-Encoding: chunked\r\n\r\n", b"0"),
        "trailers": (head + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X-T: x\r\n"),
    }
    for name, (first, then) in forms.items():
        took = _trickle(first, then)
        refuse_if(took > HANGS_SECONDS / 2, f"{name} held a poll of 0.3 s for {took:.0f} s")
    return f"{len(forms)} forms, each ended with the poll's time"


def _trickle(first: bytes, then: bytes) -> float:
    def serve(connection: socket.socket) -> None:
        connection.sendall(first)
        end = time.monotonic() + HANGS_SECONDS
        while time.monotonic() < end:
            connection.sendall(then)
            time.sleep(0.02)

    with served(serve) as port:
        client = HttpClient(Origin("http", "127.0.0.1", port))
        begun = time.monotonic()
        deadline = Deadline(lambda: begun + 0.3 - time.monotonic(), reserve=0.0)
        try:
            client.send(HttpRequest("GET", f"http://127.0.0.1:{port}/"), {}, deadline)
        except OutOfTimeError:
            return time.monotonic() - begun
    raise NotHeldError("an answer without an end was taken")


@contextmanager
def served(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """Answer each connection to a port of this machine."""
    listener = socket.create_server(("127.0.0.1", 0))

    def run() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                try:
                    serve(connection)
                except OSError:
                    continue

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield int(listener.getsockname()[1])
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
