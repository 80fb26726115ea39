"""Who gets into the console, and what every answer says to the browser."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from tests.support.console import ORIGIN, PORT, entered, made_scene, outside
from toolbox.console import access as gate
from toolbox.console.access import ConsoleAccess, form_of
from toolbox.console.assets import FILES
from toolbox.console.rendering import NAVIGATION

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.testclient import TestClient


@pytest.fixture(scope="module")
def access() -> ConsoleAccess:
    return ConsoleAccess(PORT)


@pytest.fixture(scope="module")
def inside(access: ConsoleAccess) -> TestClient:
    client = entered(made_scene(), access)

    async def echo(request: Request) -> PlainTextResponse:
        return PlainTextResponse(str(await form_of(request)))

    client.app.router.routes.append(Route("/echo", echo, methods=["POST"]))  # type: ignore[attr-defined]
    return client


def test_without_the_cookie_one_line_says_how_to_get_in(access: ConsoleAccess) -> None:
    client = outside(made_scene(), access)
    for path in ("/", "/now", "/now.json", "/assets/x", "/nothing"):
        answer = client.get(path)
        assert answer.status_code == 403
        assert "mozdef-ef console" in answer.text
        assert answer.text.count("\n") == 1


def test_the_token_lets_one_browser_in_once() -> None:
    access = ConsoleAccess(PORT)
    address = access.entry
    first, second = outside(made_scene(), access), outside(made_scene(), access)
    answer = first.get(address)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert re.search(r"; HttpOnly;.*SameSite=strict", answer.headers["set-cookie"], re.IGNORECASE)
    assert first.get("/now").status_code == 200
    assert second.get(address).status_code == 403
    assert second.get("/now").status_code == 403
    assert first.get("/now").status_code == 200


def test_a_wrong_token_uses_nothing_up() -> None:
    access = ConsoleAccess(PORT)
    client = outside(made_scene(), access)
    for wrong in ("", "?token=", "?token=x", "?token=%ff", "?nothing=1", "?" + "token=x&" * 20):
        assert client.get(f"/enter{wrong}").status_code == 403
    assert client.head(access.entry).status_code == 403
    assert client.get(access.entry).status_code == 303


@pytest.mark.parametrize("other", ['a={"b":1}', 'a="b', "a b=c", "alone", "=b"])
def test_cookies_of_other_ports_are_in_nobodys_way(other: str) -> None:
    client = entered(made_scene())
    ours = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
    client.cookies.clear()
    assert client.get("/now", headers={"cookie": other}).status_code == 403
    assert client.get("/now", headers={"cookie": f"{other}; {ours}"}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", f"evil.example:{PORT}", "127.0.0.1", "", f"127.0.0.1:{PORT}0"]
)
def test_another_host_is_refused(inside: TestClient, host: str) -> None:
    answer = inside.get("/now", headers={"host": host})
    assert (answer.status_code, "Host" in answer.text) == (403, True)


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "http://127.0.0.1:1"},
        {"origin": "null"},
        {"origin": ORIGIN, "sec-fetch-site": "cross-site"},
        {"origin": ORIGIN, "sec-fetch-site": "same-site"},
    ],
)
def test_another_origin_is_refused(inside: TestClient, headers: dict[str, str]) -> None:
    assert inside.get("/now", headers=headers).status_code == 403
    assert inside.post("/echo", headers=headers, data={"a": "1"}).status_code == 403


def test_a_form_needs_its_token(inside: TestClient, access: ConsoleAccess) -> None:
    without = {"x-csrf-token": "wrong"}
    assert inside.post("/echo", headers=without, data={"a": "1"}).status_code == 403
    answer = inside.post("/echo", data={"a": "1", "a b": "ü"})
    assert (answer.status_code, answer.text) == (200, "{'a': '1', 'a b': 'ü'}")
    del inside.headers["x-csrf-token"]
    try:
        assert inside.post("/echo", data={"a": "1"}).status_code == 403
        assert inside.post("/echo", json={"csrf": access.csrf}).status_code == 403
        assert inside.post("/echo", content=b"csrf=%ff" * 999).status_code == 403
        form = {"csrf": access.csrf, "a": "1"}
        assert inside.post("/echo", data=form).text == "{'a': '1'}"
        # So does a browser send a form of a page with `Referrer-Policy: no-referrer`.
        plain = {"origin": "null", "sec-fetch-site": "same-origin"}
        assert inside.post("/echo", headers=plain, data=form).status_code == 200
    finally:
        inside.headers["x-csrf-token"] = access.csrf


def test_a_long_body_is_not_kept(inside: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "MOST_BODY_BYTES", 1_000)
    assert inside.post("/echo", data={"a": "x" * 900}).status_code == 200
    assert inside.post("/echo", data={"a": "x" * 1_000}).status_code == 413


def test_every_answer_has_the_headers(inside: TestClient, access: ConsoleAccess) -> None:
    answers = [
        inside.get("/now"),
        inside.get("/now.json"),
        inside.get("/nothing"),
        inside.get("/now", headers={"host": "x"}),
        outside(made_scene(), access).get("/now"),
        inside.post("/echo", headers={"x-csrf-token": ""}),
    ]
    for answer in answers:
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] == "no-store"


def test_the_browser_keeps_assets_while_they_are_the_same(
    inside: TestClient,
) -> None:
    addresses = re.findall(r'(?:src|href)="(/assets/[^"]+)"', inside.get("/now").text)
    assert len(addresses) >= 4
    for address in addresses:
        answer = inside.get(address)
        assert answer.status_code == 200, address
        assert "immutable" in answer.headers["cache-control"]
        assert re.search(r"\.[0-9a-f]{12}\.", address)
    assert inside.get("/assets/console.000000000000.js").status_code == 404
    assert inside.get("/assets/..%2f..%2fapp.py").status_code == 404
    assert all(path.is_file() for path in FILES.values())


def test_a_page_and_its_twin_say_the_same(inside: TestClient) -> None:
    assert inside.get("/").headers["location"] == "/now"
    page, twin = inside.get("/now"), inside.get("/now.json")
    assert "Nothing is at risk" in page.text
    assert twin.json()["at_risk"] == []
    assert twin.headers["content-type"] == "application/json"
    for address, name in NAVIGATION:
        assert f'href="{address}"' in page.text
        assert f">{name}</a>" in page.text


def test_what_is_not_there_is_a_page_too(inside: TestClient) -> None:
    answer = inside.get("/nothing/here")
    assert (answer.status_code, "there is no such page" in answer.text) == (404, True)
    assert 'href="/evil.example/%3Ca%3E.json"' in inside.get(f"{ORIGIN}//evil.example/<a>").text
