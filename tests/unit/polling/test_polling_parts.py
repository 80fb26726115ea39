"""The parts of a poll by themselves."""

from __future__ import annotations

import json
import ssl
import subprocess
from typing import TYPE_CHECKING, Any

import duo_client.client  # type: ignore[import-untyped]
import pytest
from pydantic import ValidationError

from pipeline.event.compiled_poll import PollSettings, RateLimitSettings
from pipeline.polling.duo import duo_headers
from pipeline.polling.errors import ConnectionTroubleError, PollError
from pipeline.polling.http_client import HttpClient, HttpRequest, HttpResponse
from pipeline.polling.limits import asked_pause, pause_ahead
from pipeline.polling.links import next_link
from pipeline.polling.pages import read_page
from pipeline.polling.pagination import Walk, written
from pipeline.polling.positions import Position
from pipeline.polling.targets import Origin, Target, TargetError, follow, read_targets
from pipeline.runtime.deadline import Deadline
from settings.source.filling import compiled_as
from settings.source.polling import Polling
from tests.support.api_players import OktaPlayer
from tests.support.polling import okta_event

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.event.compiled_poll import FeedSettings

DATE = "Mon, 23 Nov 2026 20:08:23 -0000"


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"mintime": "1795464503123", "maxtime": "1795464603123", "limit": "1000", "sort": "ts:asc"},
        {"next_offset": "1795464503123,5bf1a860-fe39-49e3-be29-217659663a74"},
        {"a b": "c d", "é": "ü/?&=%+~*'()", "": "x", "B": "", "b": "1"},
    ],
)
def test_duo_signs_byte_by_byte_as_its_own_client(parameters: dict[str, str]) -> None:
    seen: dict[str, Any] = {}

    class Client(duo_client.client.Client):  # type: ignore[misc]
        def _make_request(self, method: str, uri: str, body: Any, headers: Any) -> Any:
            seen.update(uri=uri, headers={k.decode(): v.decode() for k, v in headers.items()})
            return None, None

    host = "API-Example.duosecurity.com"
    Client("DIEXAMPLE", "secret", host).api_call("GET", "/admin/v2/logs/activity", parameters)
    request = HttpRequest("GET", f"https://{host}{seen['uri']}")
    ours = duo_headers("DIEXAMPLE", "secret", request, seen["headers"]["Date"])
    assert ours["Authorization"] == seen["headers"]["Authorization"]
    assert ours["Date"] == seen["headers"]["Date"]


def test_duo_signs_what_our_own_requests_ask_for() -> None:
    feed = _feed(query={"mintime": "{since}", "x y": "ü,~+"}, times="milliseconds")
    walk = Walk(feed, Target("https://api.example.com"), {})
    request = walk.request(Position(since=1_795_464_503_123))
    expected = duo_client.client.sign(
        "I", "S", "GET", "api.example.com", "/events", DATE, 5,
        duo_client.client.normalize_params({"mintime": "1795464503123", "x y": "ü,~+"}),
        body="", additional_headers={},
    )  # fmt: skip
    assert duo_headers("I", "S", request, DATE)["Authorization"] == expected


def _polling(**feed: Any) -> dict[str, Any]:
    return {
        "base_url": "https://api.example.com",
        "credential": {"type": "basic"},
        "feeds": {
            "events": {
                "path": "/events",
                "events": "items",
                "pagination": {"type": "cursor", "cursor": "next", "send_as": "after"},
                **feed,
            }
        },
    }


def _feed(**feed: Any) -> FeedSettings:
    return compiled_as(PollSettings, Polling.model_validate(_polling(**feed))).feeds["events"]


@pytest.mark.parametrize(
    ("feed", "fault"),
    [
        ({"query": {"a": "{when}"}}, "use {since} and {until}"),
        ({"query": {"a": "{until}"}}, "set 'window'"),
        ({"body": {"a": 1}}, "only with method POST"),
        ({"path": "events"}, "pattern"),
        ({"path": "/{org}/events"}, "must be described"),
    ],
)
def test_the_model_refuses(feed: dict[str, Any], fault: str) -> None:
    with pytest.raises(ValidationError, match=fault):
        Polling.model_validate(_polling(**feed))


def test_a_feed_may_keep_its_events_for_another_time() -> None:
    polling = Polling.model_validate(
        {**_polling(keeps_days=7, empty_when_absent=True), "keeps_days": 90}
    )
    compiled = compiled_as(PollSettings, polling)
    assert (compiled.keeps_days, compiled.feeds["events"].keeps_days) == (90, 7)
    assert compiled.feeds["events"].empty_when_absent
    bare = compiled_as(PollSettings, Polling.model_validate(_polling()))
    assert (bare.keeps_days, bare.feeds["events"].keeps_days) == (None, None)
    with pytest.raises(ValidationError, match="keeps_days"):
        Polling.model_validate(_polling(keeps_days=0))


def test_a_cursor_beside_the_query_and_alone() -> None:
    many = {"query": {"limit": "5"}, "first_query": {"from": "{since}"}}
    target, at = (
        Target("https://api.example.com/v1"),
        Position(1_795_464_503_123, next="a {since}&"),
    )
    first, beside = _feed(**many), _feed(**many)
    assert Walk(first, target, {}).request(Position(1_795_464_503_123)).url == (
        "https://api.example.com/v1/events?limit=5&from=2026-11-23T20%3A08%3A23Z"
    )
    assert (
        Walk(beside, target, {})
        .request(at)
        .url.endswith("/events?limit=5&after=a%20%7Bsince%7D%26")
    )
    page = {"type": "cursor", "cursor": "next", "send_as": "after", "alone": True}
    alone = _feed(**many, pagination=page)
    assert Walk(alone, target, {}).request(at).url.endswith("/events?after=a%20%7Bsince%7D%26")


@pytest.mark.parametrize(
    ("document", "cursor"),
    [
        ({"next": "abc"}, "abc"),
        ({"next": ["1795464503123", "tx"]}, "1795464503123,tx"),
        ({"next": [1795464503123, "tx"]}, "1795464503123,tx"),
        ({"next": 12345678901234567890123}, "12345678901234567890123"),
        ({"next": None}, None),
        ({"next": ""}, None),
        ({}, None),
    ],
)
def test_cursors(document: dict[str, Any], cursor: str | None) -> None:
    walk = Walk(_feed(), Target("https://api.example.com"), {})
    page = read_page(json.dumps({**document, "items": [1]}).encode(), ("items",))
    step = walk.after(Position(0), page, HttpResponse(200, {}, b""), "https://api.example.com/", 7)
    assert step.position.next == cursor
    assert step.drained == (cursor is None)


@pytest.mark.parametrize("cursor", ["\ud800", "x" * 10_000])
def test_a_cursor_that_cannot_be_kept_is_an_error(cursor: str) -> None:
    walk = Walk(_feed(), Target("https://api.example.com"), {})
    page = read_page(json.dumps({"next": cursor, "items": []}).encode(), ("items",))
    with pytest.raises(PollError, match="cursor"):
        walk.after(Position(0), page, HttpResponse(200, {}, b""), "https://api.example.com/", 7)


@pytest.mark.parametrize(
    ("header", "target"),
    [
        ('<https://a/1>; rel="self", <https://a/2>; rel="next"', "https://a/2"),
        ('<https://a/2?x=1,2;3>; title="a, b; c"; REL=next', "https://a/2?x=1,2;3"),
        ('<https://a/2>; rel="last next"', "https://a/2"),
        ('<https://a/2>; title="rel=\\"next\\""', None),
        ('<https://a/2>; rel="nextpage"', None),
        ("<https://a/2", None),
        ("", None),
        ("<>" * 2000, None),
    ],
)
def test_the_link_header(header: str, target: str | None) -> None:
    assert next_link(header) == target


@pytest.mark.parametrize(
    ("body", "path", "events"),
    [
        (b'{"a":1,"items":[ 1 , {"b":[2]}\n]}', "items", [b"1", b'{"b":[2]}']),
        (b'{"items":[1],"items":[2]}', "items", [b"2"]),
        (b'{"r":{"x":"]","items":["\\"]"]}}', "r.items", [b'"\\"]"']),
        (b'[[0],{"i":[1.10]}]', "1.i", [b"1.10"]),
        (b'{"items":null}', "items", []),
        (b'{"items":[]}', "items", []),
        (b'\n{"\\u0069tems" : [true,false]}\n', "items", [b"true", b"false"]),
    ],
)
def test_pages_keep_the_bytes(body: bytes, path: str, events: list[bytes]) -> None:
    page = read_page(body, tuple(path.split(".")))
    assert page.events == events


@pytest.mark.parametrize("body", [b'{"a":1}', b'{"items":{"a":1}}', b'{"items":"[]"}', b"[1]"])
def test_no_list_at_the_path(body: bytes) -> None:
    with pytest.raises(PollError, match="no list of events at items"):
        read_page(body, ("items",))


LIMIT = RateLimitSettings(remaining_header="x-left", reset_header="x-reset", reserve=2)


@pytest.mark.parametrize(
    ("status", "headers", "pause"),
    [
        (200, {"retry-after": "9"}, None),
        (429, {"retry-after": "9"}, 9.0),
        (429, {"retry-after": "Thu, 01 Jan 1970 00:16:50 GMT"}, 10.0),
        (429, {"retry-after": "-5"}, 1.0),
        (429, {"x-reset": "1005"}, 6.0),
        (429, {"x-reset": "9" * 400}, 3600.0),
        (429, {"x-reset": "never", "retry-after": "\u0661"}, 1.0),
        (403, {}, None),
        (403, {"x-left": "0", "x-reset": "1005"}, 6.0),
        (403, {"retry-after": "3"}, 3.0),
        (503, {}, None),
        (503, {"retry-after": "3"}, 3.0),
        (500, {"retry-after": "3"}, None),
    ],
)
def test_asked_pauses(status: int, headers: dict[str, str], pause: float | None) -> None:
    assert asked_pause(HttpResponse(status, headers, b""), LIMIT, 1000.0, 0) == pause


def test_the_reserve() -> None:
    def ahead(left: str) -> float:
        return pause_ahead(
            HttpResponse(200, {"x-left": left, "x-reset": "1010"}, b""), LIMIT, 1000.0
        )

    assert [ahead(left) for left in ("3", "2", "0", "", "x")] == [0, 11, 11, 0, 0]


@pytest.mark.parametrize(
    "target",
    [
        {},
        [],
        {"base_url": "http://example.com"},
        {"base_url": "http://127.0.0.1.example.com"},
        {"base_url": "http://127.0.0.1@example.com"},
        {"base_url": "https://user:pass@example.com"},
        {"base_url": "ftp://127.0.0.1"},
        {"base_url": "https://"},
        {"base_url": "example.com"},
        {"base_url": "https://example.com/?a=b"},
        {"base_url": "https://{host}"},
        {"base_url": "https://example.com", "variables": []},
        {"base_url": "https://example.com", "start_hours_ago": -1},
        {"base_url": "https://example.com", "start_hours_ago": "1"},
        {"base_url": "https://{host}", "variables": {"host": "example.com/path?x="}},
    ],
)
def test_targets_that_are_refused(target: Any) -> None:
    with pytest.raises(TargetError, match="POLL_TARGETS: s"):
        read_targets({"s": target})


def test_targets() -> None:
    plain = {
        "base_url": "https://{host}/v1/",
        "variables": {"host": "Example.com", "org": "a/../b"},
    }
    target = read_targets({"s": plain})["s"]
    assert target.origin == Origin("https", "example.com", 443)
    assert target.url("/orgs/{org}/log") == "https://Example.com/v1/orgs/a%2F..%2Fb/log"
    for local in ("http://127.0.0.1:1", "http://[::1]:2", "http://localhost:3"):
        assert read_targets({"s": {"base_url": local}})["s"].origin.scheme == "http"


def test_following_within_the_origin() -> None:
    origin = Origin("https", "example.com", 443)
    assert (
        follow("https://example.com/a/b", "../c?x=1#f", origin, "x") == "https://example.com/c?x=1"
    )
    same = "https://EXAMPLE.com:443/c"
    assert follow("https://example.com/", same, origin, "x").endswith("/c")


def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1",
         "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
         "-keyout", "key.pem", "-out", "certificate.pem"],
        cwd=tmp_path, check=True, capture_output=True,
    )  # fmt: skip
    with OktaPlayer([okta_event(1)]) as player:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tmp_path / "certificate.pem", tmp_path / "key.pem")
        player.server.socket = context.wrap_socket(player.server.socket, server_side=True)
        origin = Origin("https", "127.0.0.1", player.server.server_port)
        client = HttpClient(origin)
        request = HttpRequest("GET", f"https://127.0.0.1:{origin.port}/api/v1/logs")
        with pytest.raises(ConnectionTroubleError, match=r"the connection failed \(SSLError\)"):
            client.send(request, {"Authorization": "SSWS t0ken"}, Deadline(lambda: 60))
        assert not player.seen


def test_written_times() -> None:
    moment = 1_795_464_503_999
    assert written(moment, "iso8601") == "2026-11-23T20:08:23Z"
    assert written(moment, "seconds") == "1795464503"
    assert written(moment, "milliseconds") == "1795464503999"
