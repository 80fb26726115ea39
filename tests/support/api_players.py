"""HTTP servers on this machine that play the APIs of the pulled sources."""

from __future__ import annotations

import base64
import json
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from duo_client.client import normalize_params, sign  # type: ignore[import-untyped]


@dataclass(frozen=True)
class Seen:
    """A request as it came."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Reply:
    status: int = 200
    body: bytes = b""
    headers: list[tuple[str, str]] = field(default_factory=list)
    #: Breaks the connection off after so many bytes of the body.
    cut: int | None = None


def reply(document: Any, *headers: tuple[str, str], status: int = 200) -> Reply:
    return Reply(status, json.dumps(document).encode(), list(headers))


Fault = Reply | Callable[[Seen], Reply]


class Player:
    """Answers as an API does; `faults` are given first, one for each request."""

    token = "t0ken"
    scheme = "Bearer "

    def __init__(self) -> None:
        self.faults: deque[Fault] = deque()
        self.seen: list[Seen] = []
        #: Requests that the API would not understand; a test that causes one fails at its end.
        self.complaints: list[str] = []
        #: Called when a request came, before it is answered.
        self.on_request: Callable[[Seen], None] = lambda _: None
        player = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # Head and body in one packet: in two, each answer waits for an acknowledgement.
            wbufsize = 65_536

            def do_GET(self) -> None:
                url = urlsplit(self.path)
                length = int(self.headers.get("Content-Length") or 0)
                query = {name: values[-1] for name, values in parse_qs(url.query).items()}
                headers = {name.lower(): value for name, value in self.headers.items()}
                body = self.rfile.read(length)
                self._give(player.take(Seen(self.command, url.path, query, headers, body)))

            do_POST = do_GET  # noqa: N815

            def _give(self, answer: Reply) -> None:
                self.send_response(answer.status)
                for name, value in answer.headers:
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                try:
                    self.wfile.write(answer.body[: answer.cut])
                    self.wfile.flush()
                except OSError:
                    self.close_connection = True
                if answer.cut is not None:
                    self.close_connection = True

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.base_url = f"http://127.0.0.1:{self.server.server_port}"
        self._thread = threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> Any:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()
        self._thread.join()
        assert not self.complaints

    def take(self, seen: Seen) -> Reply:
        self.seen.append(seen)
        self.on_request(seen)
        if self.faults:
            fault = self.faults.popleft()
            return fault if isinstance(fault, Reply) else fault(seen)
        if not self.knows(seen):
            return reply({"error": "who are you?"}, status=401)
        try:
            return self.answer(seen)
        except (AssertionError, KeyError, ValueError) as error:
            self.complaints.append(f"{seen.path} {seen.query} {seen.body!r}: {error!r}")
            return Reply(400)

    def knows(self, seen: Seen) -> bool:
        return seen.headers.get("authorization") == self.scheme + self.token

    def answer(self, seen: Seen) -> Reply:
        raise NotImplementedError


def epoch(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


class OktaPlayer(Player):
    """Events in the order in which they were stored; the next link is always there."""

    scheme = "SSWS "

    def __init__(self, events: list[dict[str, Any]] | None = None, page: int = 1000) -> None:
        super().__init__()
        self.events = events if events is not None else []
        self.page = page
        self.link_base: str | None = None
        self.extra: list[tuple[str, str]] = []

    def answer(self, seen: Seen) -> Reply:
        assert seen.path == "/api/v1/logs"
        assert seen.query["sortOrder"] == "ASCENDING"
        assert "until" not in seen.query, "a bounded query passes late events over"
        assert ("since" in seen.query) != ("after" in seen.query)
        start = int(seen.query.get("after", "0"))
        size = min(self.page, int(seen.query["limit"]))
        shown = self.events[start : start + size]
        base = self.link_base or self.base_url
        after = start + len(shown)
        link = f"{base}/api/v1/logs?sortOrder=ASCENDING&limit={seen.query['limit']}&after={after}"
        return reply(
            shown,
            ("Link", f'<{self.base_url}/api/v1/logs?since=x>; rel="self"'),
            ("Link", f'<{link}>; rel="next"'),
            *self.extra,
        )


class OAuthOktaPlayer(OktaPlayer):
    """The same with OAuth 2.0; a token serves for some requests and is refused after them."""

    scheme = "Bearer "

    def __init__(self, *arguments: Any, uses: int = 3, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.uses = uses
        self.left = 0
        self.issued = 0
        self.client = "client:s3cret"

    def knows(self, seen: Seen) -> bool:
        if seen.path == "/oauth2/token":
            return True
        if not super().knows(seen) or not self.left:
            return False
        self.left -= 1
        return True

    def answer(self, seen: Seen) -> Reply:
        if seen.path != "/oauth2/token":
            return super().answer(seen)
        form = parse_qs(seen.body.decode())
        assert form["grant_type"] == ["client_credentials"]
        given = base64.b64decode(seen.headers["authorization"].removeprefix("Basic ")).decode()
        if given != self.client:
            return reply({"error": "invalid_client"}, status=401)
        self.issued += 1
        self.left = self.uses
        self.token = f"token-{self.issued}"
        return reply({"access_token": self.token, "token_type": "Bearer", "expires_in": 3600})


class OnePasswordPlayer(Player):
    """Three feeds; a cursor lasts and is given on an empty page too."""

    def __init__(self, page: int = 1000) -> None:
        super().__init__()
        self.feeds: dict[str, list[dict[str, Any]]] = {
            "auditevents": [],
            "itemusages": [],
            "signinattempts": [],
        }
        self.page = page

    def answer(self, seen: Seen) -> Reply:
        assert seen.method == "POST"
        assert not seen.query
        assert seen.headers["content-type"] == "application/json"
        events = self.feeds[seen.path.removeprefix("/api/v2/")]
        asked = json.loads(seen.body)
        if "cursor" in asked:
            assert set(asked) == {"cursor"}
            plain = json.loads(base64.b64decode(asked["cursor"]))
        else:
            assert set(asked) == {"limit", "start_time"}
            assert 0 < asked["limit"] <= 1000
            since = epoch(asked["start_time"])
            behind = sum(epoch(event["timestamp"]) < since for event in events)
            plain = {"at": behind, "limit": asked["limit"]}
        end = plain["at"] + min(self.page, plain["limit"])
        shown = events[plain["at"] : end]
        plain["at"] += len(shown)
        cursor = base64.b64encode(json.dumps(plain).encode()).decode()
        more = plain["at"] < len(events)
        return reply({"cursor": cursor, "has_more": more, "items": shown})


class GitHubPlayer(Player):
    """Ordered by time; an event can show late. `trailing` gives a next link on the last page."""

    def __init__(self, page: int = 100, *, trailing: bool = False) -> None:
        super().__init__()
        self.events: list[dict[str, Any]] = []
        self.page = page
        self.trailing = trailing

    def answer(self, seen: Seen) -> Reply:
        assert seen.path == "/orgs/example-org/audit-log"
        assert seen.query["include"] == "all"
        assert seen.query["order"] == "asc"
        since = epoch(seen.query["phrase"].removeprefix("created:>=")) * 1000
        events = sorted(
            (event for event in self.events if event["@timestamp"] >= since),
            key=lambda event: (event["@timestamp"], event["_document_id"]),
        )
        after = seen.query.get("after", "")
        if after:
            place = tuple(json.loads(base64.b64decode(after)))
            events = [e for e in events if (e["@timestamp"], e["_document_id"]) > place]
        shown = events[: min(self.page, int(seen.query["per_page"]))]
        headers = []
        if len(shown) < len(events) or (self.trailing and shown):
            last = [shown[-1]["@timestamp"], shown[-1]["_document_id"]]
            cursor = base64.b64encode(json.dumps(last).encode()).decode()
            query = "&".join(
                f"{name}={quote(value, safe='')}"
                for name, value in {**seen.query, "after": cursor}.items()
            )
            headers.append(("Link", f'<{self.base_url}{seen.path}?{query}>; rel="next"'))
        return reply(shown, *headers)


class DuoPlayer(Player):
    """Checks each signature with Duo's own client; leaves out what is younger than two minutes."""

    integration_key, secret_key = "DIEXAMPLE", "duo-secret"

    def __init__(self, now: Callable[[], float], page: int = 1000) -> None:
        super().__init__()
        self.now = now
        self.page = page
        self.feeds: dict[str, list[dict[str, Any]]] = {
            "authentication": [],
            "activity": [],
            "telephony": [],
        }

    def knows(self, seen: Seen) -> bool:
        expected = sign(
            self.integration_key,
            self.secret_key,
            seen.method,
            "127.0.0.1",
            seen.path,
            seen.headers["date"],
            5,
            normalize_params(seen.query),
            body="",
            additional_headers={},
        )
        return bool(seen.headers["authorization"] == expected)

    def answer(self, seen: Seen) -> Reply:
        feed = seen.path.removeprefix("/admin/v2/logs/")
        first, last = int(seen.query["mintime"]), int(seen.query["maxtime"])
        assert first < last
        assert len(str(first)) == 13, "version 2 takes milliseconds"
        newest = min(last, self.now() * 1000 - 120_000)
        events = sorted(
            (e for e in self.feeds[feed] if first <= when(e) <= newest),
            key=lambda e: (when(e), json.dumps(e)),
        )
        if offset := seen.query.get("next_offset"):
            events = events[int(offset.split(",")[1]) :]
        start = int(offset.split(",")[1]) if offset else 0
        shown = events[: min(self.page, int(seen.query["limit"]))]
        more = len(shown) < len(events)
        place = [str(when(shown[-1])), str(start + len(shown))] if more else None
        key = "authlogs" if feed == "authentication" else "items"
        metadata = {"next_offset": place, "total_objects": len(events)}
        return reply({"stat": "OK", "response": {key: shown, "metadata": metadata}})


def when(event: dict[str, Any]) -> int:
    if "timestamp" in event:
        return int(event["timestamp"]) * 1000
    return int(datetime.fromisoformat(event["ts"]).timestamp() * 1000)
