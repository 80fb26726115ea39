"""The console over a running pipeline, in a browser: what a person sees, and what never happens."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from local import endpoints
from settings.source.loader import CATALOG, load_source
from tests.e2e.conftest import Running
from tests.functional.local.support import wait_for
from tests.support.browser import running as running_browser
from tests.support.console_browser import NARROW, WIDE, served, shape_of, visiting
from tests.support.console_walk import (
    KeptReport,
    delivered_hosts,
    dismiss_what_was_mended,
    exported,
    mend_the_schema,
    replay_all,
    see_why,
)
from tests.support.private_source import NAME, make_source
from toolbox.console.rendering import NAVIGATION
from toolbox.console.serving import open_scene
from toolbox.sources.samples import SampleRequest, authenticate
from toolbox.traffic.requests import make_requests
from toolbox.traffic.sender import Outgoing, send_all

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from playwright.sync_api import Browser

    from local.endpoints import Endpoints
    from tests.support.console_browser import Visitor
    from toolbox.console.access import ConsoleAccess
    from toolbox.traffic.sender import FrontDoorAnswer

#: Of OWASP's "XSS Filter Evasion Cheat Sheet", one of each kind of place.
ATTACKS = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(2)>',
    "'><svg/onload=alert(3)>",
    "</textarea><script>alert(4)</script>",
    "</title><body onload=alert(5)>",
    "javascript:alert(6)",
    "{{7*7}}{% raw %}${alert(7)}",
    "<iframe srcdoc='<script>alert(8)</script>'>",
    '<a href="//attacker.example/" autofocus onfocus=alert(9)>x</a>',
    "<style>@import '//attacker.example/x.css'</style>",
    "<img src=//attacker.example/pixel>",
    '" hx-get="//attacker.example" hx-trigger="load" x="',
    "<template><script>alert(10)</script></template>",
    "</pre></code><math><mtext><script>alert(11)</script>",
)
#: Whose checks the schema does not let through.
HOSTS = ("h1.example.com", "h2.example.com", "h3.example.com")
#: Of pages alike so many are visited.
_ALIKE = 2


@pytest.fixture(scope="module")
def browser(attacked: Running, refused: dict[str, str]) -> Iterator[Browser]:
    """Comes after what was sent: as long as it is there, its loop runs in this thread."""
    with running_browser() as found:
        yield found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Settings of these tests' own, with a private source whose schema is too narrow."""
    found = tmp_path_factory.mktemp("console")
    make_source(found / "sources")
    stage = {
        "service": "ingest",
        "archiver": {"batching_window_seconds": 1},
        "sources": ["github", "generic", NAME],
    }
    (found / "e2e.yaml").write_text(yaml.safe_dump(stage))
    return found


@pytest.fixture(scope="module")
def pipeline(folder: Path) -> Iterator[Running]:
    """`local up` over them: it takes over what is changed."""
    own = ("--config", str(folder), "--stage", "e2e", "--assembly", str(folder / "cdk.out"))
    runtime = Running(folder / "state", *own)
    try:
        runtime.wait()
        yield runtime
    finally:
        runtime.stop()


@pytest.fixture(scope="module")
def where(pipeline: Running) -> Endpoints:
    return endpoints.read(pipeline.state)


def _sent(where: Endpoints, requests: Iterable[Outgoing]) -> list[FrontDoorAnswer]:
    answers: list[FrontDoorAnswer] = []
    asyncio.run(send_all(where.api, requests, on_answer=answers.append))
    return answers


@pytest.fixture(scope="module")
def attacked(pipeline: Running, where: Endpoints) -> Running:
    """The pipeline after what was sent to it tried everything on whoever looks at it."""
    assert any(one.accepted for one in _sent(where, _attacks(where)))
    pipeline.settle()
    return pipeline


@pytest.fixture(scope="module")
def refused(where: Endpoints, folder: Path) -> dict[str, str]:
    """Events that the private source's schema rejects: host to the id that was answered."""
    secret = where.parameters[NAME]["auth_token"].splitlines()[0]
    headers = {
        "Content-Type": "application/json",
        "X-Kind": "down",
        **authenticate(load_source(folder / "sources" / NAME), secret, b"", now=0),
    }
    bodies = {
        host: json.dumps({"host": host, "check": f"ping of {host}"}).encode() for host in HOSTS
    }
    requests = (Outgoing(NAME, one, SampleRequest(headers, body)) for one, body in bodies.items())
    answers = _sent(where, requests)
    assert all(one.accepted for one in answers), answers
    return {one.outgoing.label: one.id for one in answers}


def _attacks(where: Endpoints) -> Iterator[Outgoing]:
    github, generic = load_source(CATALOG / "github"), load_source(CATALOG / "generic")
    for source in (github, generic):
        secret = next(iter(where.parameters[source.name].values())).splitlines()[0]
        for number, attack in enumerate(ATTACKS):
            everywhere = {attack: attack, "zen": attack, "repository": {"full_name": attack},
                          "summary": attack, "id": attack, "action": attack}  # fmt: skip
            for body in (json.dumps(everywhere).encode(), attack.encode()):
                headers = {
                    "Content-Type": "application/json",
                    "X-GitHub-Event": attack if number % 2 else "push",
                    "X-GitHub-Delivery": f"{attack}{number}",
                    "User-Agent": attack,
                }
                proof = authenticate(source, secret, body, now=0, headers=headers)
                proof = {} if number == 0 else proof
                yield Outgoing(source.name, attack, SampleRequest(headers | proof, body))
    secret = next(iter(where.parameters["github"].values())).splitlines()[0]
    yield from make_requests(github, [], secret=secret, count=3)


@pytest.fixture(scope="module")
def console(attacked: Running, folder: Path) -> Iterator[ConsoleAccess]:
    scene = open_scene(attacked.state, None, writable=True, private=folder / "sources")
    # The pictures are alike wherever they are made.
    where = replace(scene.where, name="the local pipeline in .local")
    with served(replace(scene, where=where)) as access:
        yield access


@pytest.fixture(scope="module")
def visitor(browser: Browser, console: ConsoleAccess) -> Iterator[Visitor]:
    with visiting(browser, console) as found:
        yield found


def _pages(visitor: Visitor) -> list[str]:
    """The pages of the navigation, and a few of each kind that they lead to."""
    found = [address for address, _ in NAVIGATION]
    seen: dict[str, int] = {}
    for address in [*found, "/audit?from=1h", "/sources/github", "/sources/github/try"]:
        visitor.open(address)
        found += [address] if address not in found else []
        for link in visitor.links():
            shape = shape_of(link)
            page, _, _ = link.partition("?")
            if link in found or page.endswith((".json", ".html")) or "/" not in shape:
                continue
            seen[shape] = seen.get(shape, 0) + 1
            if seen[shape] <= _ALIKE:
                found.append(link)
    return found


@pytest.fixture(scope="module")
def pages(visitor: Visitor) -> list[str]:
    return _pages(visitor)


def test_a_rejected_event_is_found_mended_replayed_and_accounted_for(
    browser: Browser, visitor: Visitor, pipeline: Running, where: Endpoints, refused: dict[str, str]
) -> None:
    page = visitor.page
    pipeline.settle()
    visitor.show("light", WIDE)
    see_why(visitor, refused["h2.example.com"])
    mend_the_schema(visitor)
    taken = "settings taken over"
    wait_for(lambda: taken in pipeline.output.read_text(), "the schema is not taken over")
    replay_all(visitor, len(refused))
    pipeline.settle()
    dismiss_what_was_mended(visitor)
    visitor.open(f"/events/{refused['h2.example.com']}")
    replayed = page.locator("li", has=page.get_by_role("heading", name="Replay ", exact=False))
    assert replayed.get_by_role("heading", level=4).inner_text() == "delivered"
    assert delivered_hosts(where) == sorted(refused)
    html, document = exported(visitor)
    assert document["recovered"] == len(refused), document
    report = KeptReport()
    report.feed(html.read_text())
    assert (report.fetched, report.rows["recovered by a replay"]) == ([], str(len(refused)))
    with browser.new_context(offline=True) as alone:
        asked: list[str] = []
        alone.on("request", lambda request: asked.append(request.url))
        kept = alone.new_page()
        kept.goto(html.as_uri())
        row = kept.get_by_role("row", name="recovered by a replay")
        assert row.get_by_role("cell").inner_text() == str(len(refused))
        assert asked == [html.as_uri()]


def test_no_page_does_what_a_sender_wrote(visitor: Visitor, pages: list[str]) -> None:
    for address in pages:
        visitor.open(address)
        assert visitor.page.locator("main h1").count() == 1, address
        visitor.links()
    assert visitor.wrong == []


def test_axe_finds_nothing_serious_on_any_page(visitor: Visitor, pages: list[str]) -> None:
    faults = []
    for address in pages:
        visitor.open(address)
        name = "-".join(filter(None, shape_of(address).replace("*", "one").split("/")))
        for scheme, size in (("light", WIDE), ("dark", NARROW)):
            visitor.show(scheme, size)
            faults += [f"{address}, {scheme}: {one}" for one in visitor.faults()]
            width = visitor.page.evaluate("document.documentElement.scrollWidth")
            if width > size["width"]:
                faults.append(f"{address}: {width} px wide at {size['width']}")
            visitor.picture(f"{name}-{scheme}")
    assert not faults, "\n".join(faults)


def test_where_few_fonts_are_text_has_no_serifs(visitor: Visitor) -> None:
    visitor.open("/tickets")
    found = visitor.fonts()
    assert found
    assert all("Sans" in one for one in found), found


def test_the_keyboard_is_enough(visitor: Visitor) -> None:
    page = visitor.page
    visitor.show("light", WIDE)
    visitor.open("/now")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    visitor.open("/now")
    for _ in range(40):
        page.keyboard.press("Tab")
        style = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert style != "none"
        if page.evaluate("document.activeElement.textContent") == "Sources":
            break
    with page.expect_navigation():
        page.keyboard.press("Enter")
    while page.evaluate("document.activeElement.id") != "q":
        page.keyboard.press("Tab")
    page.keyboard.type("slack")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    assert page.url.endswith("/sources?q=slack")
    assert page.locator('a[href="/sources/slack"]').count() == 1


def test_a_sample_is_tried_sent_and_accounted_for(visitor: Visitor, attacked: Running) -> None:
    page = visitor.page
    visitor.open("/sources/github")
    page.get_by_role("link", name="Try push", exact=False).first.click()
    page.get_by_role("button", name="Try it").click()
    assert page.locator(".well strong").inner_text() == "delivered"
    visitor.open("/sources/github")
    page.get_by_role("button", name="Sign and send", exact=False).first.click()
    page.get_by_text("the front door answered").wait_for()
    attacked.settle()
    visitor.open("/audit")
    page.get_by_label("From").fill("1h")
    page.get_by_role("button", name="Audit").click()
    assert page.get_by_role("row", name="github").count() == 1
    with page.expect_download() as download:
        page.get_by_role("button", name="Export as HTML").click()
    assert download.value.suggested_filename.endswith(".html")
