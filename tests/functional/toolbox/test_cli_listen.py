"""`mozdef-ef listen`, as a shell sees it where nobody sends, or the wrong ones do."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.command import Done, run_here
from tests.support.terminal import fits, is_golden, shown

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@pytest.fixture
def listen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, port: int) -> Callable[..., Done]:
    """Listen, and have others send meanwhile: each gets a connection of its own."""
    monkeypatch.chdir(tmp_path)

    def run(*options: str, sent: tuple[bytes, ...] = ()) -> Done:
        player = threading.Thread(target=send, args=(port, sent), daemon=True)
        player.start()
        done = run_here("listen", "watch", "--port", port, *options)
        player.join()
        return done

    return run


def send(port: int, requests: tuple[bytes, ...]) -> None:
    for raw in requests:
        peer = connection(port)
        with peer:
            peer.sendall(raw)
            while peer.recv(65_536):
                pass


def connection(port: int) -> socket.socket:
    while True:
        with contextlib.suppress(ConnectionRefusedError):
            return socket.create_connection(("127.0.0.1", port), 60)
        time.sleep(0.01)


def event(head: bytes = b"") -> bytes:
    return b"POST /watch HTTP/1.1\r\nHost: h\r\n" + head + b"Content-Length: 2\r\n\r\n{}"


def test_nothing_caught_is_no_success(listen: Callable[..., Done]) -> None:
    done = listen("--minutes", "0.001")
    assert done.status == 1
    assert done.err.endswith("mozdef-ef: nothing was caught\n")


def test_what_is_caught_is_shown_and_the_next_step_names_its_folder(
    listen: Callable[..., Done],
) -> None:
    done = listen("--count", "1", "--directory", "some where", sent=(event(b"X-Event: made\r\n"),))
    assert done.status == 0
    assert "\n001.http  POST made, 2 bytes: 200\n" in done.out
    assert "source new watch --captured 'some where' --ask-secret" in done.out
    assert Path("some where/001.http").read_bytes() == event(b"X-Event: made\r\n")


def test_the_screen_is_one(listen: Callable[..., Done], port: int) -> None:
    slack = b'{"type":"url_verification","challenge":"3eZb"}'
    head = b"POST /watch HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % len(slack)
    told: list[Done] = []
    shown(lambda: told.append(listen("--count", "2", sent=(head + slack, event()))))
    fits(told[0].out)
    is_golden("listen", told[0].out.replace(str(port), "8899"))


def test_scanners_are_shown_and_then_counted(listen: Callable[..., Done]) -> None:
    scan = (
        b"GET /\x1b[31m.env HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET /.env HTTP/1.1\r\nHost: h\r\n\r\n",
    )
    done = listen("--count", "1", sent=(*scan, *[scan[1]] * 21, event()))
    assert done.err.count("not kept: ") == 20
    assert "not kept: /.env is not the address (404)\n" in done.err
    assert "3 more requests were not kept\n" in done.err
    assert "\x1b" not in done.out + done.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("listen", "No Name"), "'No Name': the name is the route; use a-z, 0-9 and '-'"),
        (("listen", "watch", "--address", "192.0.2.77"), "192.0.2.77:"),
        (("listen", "watch", "--count", "201"), "--count"),
        (("listen", "watch", "--secret-file", "none"), "none: there is no such file"),
    ],
)
def test_what_cannot_be_is_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run_here(*words)
    assert done.status == 2
    assert said in done.err
    assert "Traceback" not in done.err
