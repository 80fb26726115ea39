"""An API that is polled: it publishes events while the run lasts, and is as bad as APIs are.

It plays Okta's System Log (developer.okta.com): pages of up to 1,000 events with a link to the
next one, which begins with the last events of the page before. Now and then it refuses, or breaks
off in the midst of an answer.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Self
from urllib.parse import parse_qs, urlsplit

from loadtests.million import contents
from loadtests.soak.books import digest

if TYPE_CHECKING:
    from collections.abc import Iterator

HOST = "127.0.0.1"
#: Asked for first: the stack holds the address, and is synthesized anew for another.
PORT = 18_437
PAGE, REPEATED = 1_000, 3
_PATH = "/api/v1/logs"
#: Of a hundred answers.
_BAD = {"429": 4, "503": 4, "broken off": 4}


class LogFeed:
    """The API; a context manager.

    Parameters
    ----------
    total : int
        How many events it publishes.
    seconds : float
        Over which time it does so, from `begin` on; at once for 0.
    """

    def __init__(self, seed: int, total: int, seconds: float) -> None:
        self._seed, self._total, self._seconds = seed, total, seconds
        self._dice = random.Random(f"feed-{seed}")  # noqa: S311 - to be repeated
        self._lock = threading.Lock()
        self._start: float | None = None
        self._given = 0  # all events before this number were in an answer that was sent
        self.answers: Counter[str] = Counter()
        self._server = _listen(_handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    @property
    def base_url(self) -> str:
        """Its address."""
        return f"http://{HOST}:{self._server.server_address[1]}"

    @property
    def begun(self) -> bool:
        """Whether it publishes."""
        return self._start is not None

    @property
    def given(self) -> int:
        """How many events were given out."""
        return self._given

    @property
    def exhausted(self) -> bool:
        """Whether all were given out."""
        return self._given >= self._total

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def begin(self) -> None:
        """Begin to publish."""
        self._start = time.monotonic()

    def published(self) -> Iterator[tuple[str, bytes]]:
        """Return token and digest of what was given out."""
        for number in range(self._given):
            yield self._token(number), digest(self._event(number))

    def answer(self, target: str) -> tuple[str, dict[str, str], bytes]:
        """Answer with a status or "broken off", headers and content."""
        query = {name: found[-1] for name, found in parse_qs(urlsplit(target).query).items()}
        first = int(query.get("after", "0"))
        with self._lock:
            kinds = [*_BAD, "200"]
            kind = self._dice.choices(kinds, [*_BAD.values(), 100 - sum(_BAD.values())])[0]
            end = min(first + PAGE, self._released())
            self.answers[kind if kind != "200" or end > first else "empty page"] += 1
            if kind in {"429", "503"}:
                return kind, {"Retry-After": "1"}, b'{"errorSummary":"try again"}'
            start = max(0, first - REPEATED) if end > first else first
            page = b"[" + b",".join(self._event(n) for n in range(start, end)) + b"]"
            if kind == "200":
                self._given = max(self._given, end)
        link = f"{self.base_url}{_PATH}?after={max(first, end)}&sortOrder=ASCENDING&limit={PAGE}"
        return kind, {"Link": f'<{link}>; rel="next"'}, page

    def _released(self) -> int:
        if self._start is None:
            return 0
        passed = time.monotonic() - self._start
        share = min(1.0, passed / self._seconds) if self._seconds else 1.0
        return int(self._total * share)

    def _token(self, number: int) -> str:
        return f"soak-{self._seed}-9{number:09d}"

    def _event(self, number: int) -> bytes:
        return contents.OKTA.cast(self._token(number))


def _listen(handler: type[BaseHTTPRequestHandler]) -> ThreadingHTTPServer:
    try:
        server = ThreadingHTTPServer((HOST, PORT), handler)
    except OSError:
        server = ThreadingHTTPServer((HOST, 0), handler)
    server.daemon_threads = True
    return server


def _handler(feed: LogFeed) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            status, headers, content = feed.answer(self.path)
            broken = status == "broken off"
            self.send_response(200 if broken else int(status))
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: len(content) // 2] if broken else content)
            self.close_connection = self.close_connection or broken

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Write nothing."""

    return Handler
