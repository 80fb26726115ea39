"""A small server on this machine that plays Okta's System Log, for the demo to fetch from."""

from __future__ import annotations

import threading
import time
import uuid
from collections import Counter
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import orjson

HOST = "127.0.0.1"
PORT = 18_431
"""Asked for first, so that the demo's stack, which holds the address, is synthesized only once."""

EVENTS, PAGE, REPEATED = 120, 30, 3
COPIES = (EVENTS // PAGE - 1) * REPEATED
_PATH = "/api/v1/logs"
_SCHEME = "SSWS "
_BUSY_PAGE = 2
_RETRY_AFTER_SECONDS = 1
_TYPES = (
    ("user.session.start", "User login to Okta"),
    ("user.authentication.sso", "User single sign on to app"),
    ("user.mfa.factor.deactivate", "Reset factor for user"),
    ("group.user_membership.add", "Add user to group membership"),
    ("user.account.lock", "Max sign in attempts exceeded"),
)


class SystemLog:
    """Gives out a log of events in pages; a context manager. See `base_url`.

    As Okta does, it names the next page on every page, the empty last one included. It refuses one
    request with 429 and Retry-After, and begins each page with the last events of the page before.

    Parameters
    ----------
    port : int
        Asked for first; where it is in use, a free one is taken.
    """

    def __init__(self, port: int = PORT) -> None:
        self._lock = threading.Lock()
        self._events = [_event(number) for number in range(EVENTS)]
        self._was_busy = False
        self.served = 0
        self.answers: Counter[str] = Counter()
        self.tokens: set[str] = set()
        self._server = _listen(port, _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    @property
    def port(self) -> int:
        """Its port."""
        return int(self._server.server_address[1])

    @property
    def base_url(self) -> str:
        """Its address."""
        return f"http://{HOST}:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def answer(self, target: str, authorization: str) -> tuple[int, dict[str, str], Any]:
        """Answer one request with status, headers and document."""
        url = urlsplit(target)
        query = {name: values[-1] for name, values in parse_qs(url.query).items()}
        with self._lock:
            status, headers, document = self._decide(url.path, query, authorization)
            page = "pages with events" if document else "empty pages"
            self.answers[page if status == 200 else f"refused with {status}"] += 1
            self.served += len(document) if status == 200 else 0
        return status, headers, document

    def _decide(
        self, path: str, query: dict[str, str], authorization: str
    ) -> tuple[int, dict[str, str], Any]:
        token = authorization.removeprefix(_SCHEME)
        if token in {"", authorization}:
            return 401, {}, _error("Invalid token provided")
        self.tokens.add(token)
        after = query.get("after", "0_page")
        number = after.removesuffix("_page")
        first = "since" in query and query.get("sortOrder") == "ASCENDING"
        if path != _PATH or not number.isdigit() or not ("after" in query or first):
            return 400, {}, _error("Bad request")
        page = int(number)
        if page == _BUSY_PAGE and not self._was_busy:
            self._was_busy = True
            return 429, {"Retry-After": str(_RETRY_AFTER_SECONDS)}, _error("Too many requests")
        document = self._page(page)
        following = f"{page + 1 if document else page}_page"
        link = f"{self.base_url}{_PATH}?after={following}&sortOrder=ASCENDING&limit={PAGE}"
        left = {"X-Rate-Limit-Remaining": "50", "X-Rate-Limit-Reset": str(int(time.time()) + 60)}
        return 200, {"Link": f'<{link}>; rel="next"', **left}, document

    def _page(self, number: int) -> list[Any]:
        start, end = number * PAGE, (number + 1) * PAGE
        if start >= len(self._events):
            return []
        return self._events[max(start - REPEATED, 0) : end]


def _listen(port: int, handler: type[BaseHTTPRequestHandler]) -> ThreadingHTTPServer:
    try:
        server = ThreadingHTTPServer((HOST, port), handler)
    except OSError:
        server = ThreadingHTTPServer((HOST, 0), handler)
    server.daemon_threads = True
    return server


def _handler(log: SystemLog) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            status, headers, document = log.answer(self.path, self.headers.get("Authorization", ""))
            body = orjson.dumps(document)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Write nothing: the demo shows what matters."""

    return Handler


def _error(summary: str) -> dict[str, str]:
    return {"errorCode": "E0000000", "errorSummary": summary}


def _event(number: int) -> dict[str, Any]:
    event_type, message = _TYPES[number % len(_TYPES)]
    published = datetime.fromtimestamp(time.time() - 2 * (EVENTS - number), UTC)
    return {
        "uuid": str(uuid.uuid4()),
        "published": published.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "eventType": event_type,
        "version": "0",
        "severity": "INFO",
        "displayMessage": message,
        "actor": {
            "id": f"00u{number:017d}",
            "type": "User",
            "alternateId": f"user{number % 7}@example.com",
            "displayName": f"User {number % 7}",
        },
        "client": {"ipAddress": f"192.0.2.{number % 250 + 1}", "device": "Computer"},
        "outcome": {"result": "SUCCESS", "reason": None},
        "target": None,
    }
