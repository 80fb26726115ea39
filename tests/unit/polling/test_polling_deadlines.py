"""Servers that write slowly, in every part of an exchange: the poll's deadline holds.

Each of them goes on for longer than a hanging test may take, and ends when its client has gone.
"""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from loadtests.attack.feeds import served
from pipeline.polling.errors import OutOfTimeError
from pipeline.polling.http_client import HttpClient, HttpRequest
from pipeline.polling.targets import Origin
from pipeline.runtime.deadline import Deadline
from tests.support.api_players import OktaPlayer, Reply
from tests.support.polling import PollBench, okta_event

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pipeline.event.compiled_source import Catalog

HANG = 90.0
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
TRICKLES: dict[str, tuple[bytes, bytes]] = {
    "nothing at all": (b"", b""),
    "a status line": (b"HTTP/1.1 200 ", b"O"),
    "a header line": (HEAD + b"X-Long: ", b"x"),
    "1xx answers": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "headers of a 1xx answer": (b"HTTP/1.1 100 Continue\r\nX-Long: ", b"x"),
    "a body with its length": (HEAD + b"Content-Length: 1000000\r\n\r\n", b" "),
    "a body until the end": (HEAD + b"Connection: close\r\n\r\n", b" "),
    "chunks": (CHUNKED, b"1\r\n \r\n"),
    "the size of a chunk": (CHUNKED, b"0"),
    "one large chunk": (CHUNKED + b"fffff\r\n", b" "),
    "trailers": (CHUNKED + b"2\r\n[]\r\n0\r\n", b"X-Trailer: x\r\n"),
}


def trickle(first: bytes, then: bytes, pause: float = 0.02) -> Callable[[socket.socket], None]:
    def serve(connection: socket.socket) -> None:
        connection.sendall(first)
        end = time.monotonic() + HANG
        while time.monotonic() < end:
            connection.sendall(then)
            time.sleep(pause)

    return serve


def ask(scheme: str, port: int, seconds: float = 0.25) -> float:
    """Ask, see that it ends as out of time, and return how long it took."""
    client = HttpClient(Origin(scheme, "127.0.0.1", port))
    begun = time.monotonic()
    deadline = Deadline(lambda: begun + seconds - time.monotonic(), reserve=0.0)
    with pytest.raises(OutOfTimeError, match="did not come in time"):
        client.send(HttpRequest("GET", f"{scheme}://127.0.0.1:{port}/x"), {}, deadline)
    return time.monotonic() - begun


@pytest.mark.parametrize("form", TRICKLES)
def test_a_trickle_ends_with_the_time_of_the_exchange(form: str) -> None:
    first, then = TRICKLES[form]
    with served(trickle(first, then)) as port:
        assert ask("http", port) < HANG


@pytest.mark.parametrize("form", ["1xx answers", "trailers"])
def test_a_flood_ends_with_the_time_of_the_exchange(form: str) -> None:
    first, then = TRICKLES[form]
    with served(trickle(first, then * 50, pause=0.0)) as port:
        assert ask("http", port) < HANG


@pytest.fixture(scope="module")
def signed_by_itself(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificate")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1",
         "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
         "-keyout", "key.pem", "-out", "certificate.pem"],
        cwd=folder, check=True, capture_output=True,
    )  # fmt: skip
    return folder


@pytest.fixture
def certificate(signed_by_itself: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SSL_CERT_FILE", str(signed_by_itself / "certificate.pem"))
    return signed_by_itself


def encrypted(folder: Path, serve: Callable[[socket.socket], None]) -> Any:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")

    def wrapped(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as tls:
            serve(tls)

    return wrapped


@pytest.mark.parametrize("form", ["a header line", "1xx answers", "a body with its length"])
def test_the_same_holds_over_tls(certificate: Path, form: str) -> None:
    first, then = TRICKLES[form]
    with served(encrypted(certificate, trickle(first, then))) as port:
        assert ask("https", port, seconds=1.0) < HANG


def test_an_answer_over_tls_is_read(certificate: Path) -> None:
    def serve(connection: socket.socket) -> None:
        connection.recv(4_096)
        connection.sendall(HEAD + b"Content-Length: 2\r\n\r\n[]")

    with served(encrypted(certificate, serve)) as port:
        client = HttpClient(Origin("https", "127.0.0.1", port))
        request = HttpRequest("GET", f"https://127.0.0.1:{port}/x")
        assert client.send(request, {}, Deadline(lambda: HANG)).body == b"[]"


@pytest.mark.parametrize(
    "first", [b"", b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc\x03\x03"], ids=["nothing", "a hello"]
)
def test_a_slow_handshake_ends_with_the_time_of_the_exchange(first: bytes) -> None:
    # The record names 16 KiB: each byte of it is one more read of the same handshake.
    with served(trickle(first, b"\x00" if first else b"")) as port:
        assert ask("https", port) < HANG


def test_a_trickle_leaves_the_position_where_it_was(catalog: Catalog) -> None:
    gone = threading.Event()

    def never(_: Any) -> Reply:
        gone.wait(HANG)
        return Reply(500)

    with OktaPlayer([okta_event(number) for number in range(6)], page=2) as okta:
        bench = PollBench(catalog, "okta-system-log", okta)
        okta.faults += [okta.answer, never]
        end = time.monotonic() + 3.0
        deadline = Deadline(lambda: end - time.monotonic(), reserve=1.0)
        report = bench.poller.poll("okta-system-log", "logs", deadline)
        gone.set()
        assert (report.outcome, report.pages, report.events) == ("out of time", 1, 2)
        row = bench.table.rows["okta-system-log#logs"]
        assert "after=2" in json.loads(row["position"]["S"])["next"]
        assert "owner" not in row
        assert bench.good("logs").events == 4
        assert len(bench.bodies()) == 6
