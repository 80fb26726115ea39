"""The pages of events, on a hand-made archive of a stack."""

from __future__ import annotations

import json
import re
from collections import deque
from html import unescape
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.event.signatures import sign_alone
from settings.source.loader import available_sources, load_source
from tests.support.console import entered, made_scene
from tests.support.replay import HOUR, FakeArchive, line
from toolbox.console.counted import PageCalls
from toolbox.console.event.body import (
    MOST_BYTES,
    MOST_BYTES_OF_PAGE,
    MOST_HEX_BYTES,
    MOST_NODES,
    view_of,
)
from toolbox.explaining.meaning import meaning_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.testclient import TestClient

SHARD = "shardId-000000000000"
SPAN = "from=2026-11-23T20:00Z&to=2026-11-23T21:00Z"
SECRET = "the-secret-of-the-source"
#: What a sender could write to have it run, or to look like something else.
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>\u202e\x1b[31m{{7*7}}"


class Services:
    """Answers of DynamoDB, SSM, CloudFormation and CloudWatch Logs for one event's page."""

    def __init__(self) -> None:
        self.asked: deque[str] = deque()

    def get_item(self, **_: Any) -> dict[str, Any]:
        return {}

    def get_parameter(self, *, Name: str, WithDecryption: bool) -> dict[str, Any]:
        self.asked.append(Name)
        return {"Parameter": {"Value": f"a-newer-one\n{SECRET}\n"}}

    def describe_stacks(self, **_: Any) -> dict[str, Any]:
        return {"Stacks": [{"Outputs": []}]}

    def get_paginator(self, operation: str) -> Services:
        return self

    def paginate(self, **_: Any) -> Iterator[dict[str, Any]]:
        yield {"events": []}


def pushed() -> dict[str, Any]:
    """A push of GitHub's, the reference last."""
    sample = available_sources()["github"] / "samples" / "push.json"
    read: dict[str, Any] = json.loads(sample.read_text())
    return {**{name: value for name, value in read.items() if name != "ref"}, "ref": read["ref"]}


def signed_push(number: int, body: str) -> dict[str, Any]:
    """A push of GitHub's, with a signature."""
    with meaning_of(load_source(available_sources()["github"])) as meaning:
        signature = meaning.compiled_source().signature
        assert signature is not None
        made = sign_alone(signature, SECRET.encode(), body.encode(), {})
    headers = {**line(number)["headers"], signature.header: made}
    return line(number, body=body, headers=headers)


@pytest.fixture(scope="module")
def services() -> Services:
    return Services()


@pytest.fixture(scope="module")
def archive() -> FakeArchive:
    found = FakeArchive()
    requests = [
        signed_push(1, json.dumps({**pushed(), "ref": []})),
        line(2, headers={"x-github-event": HOSTILE}, key=HOSTILE, body=json.dumps({"a": HOSTILE})),
        line(3, body=None, body_base64="/wAB"),
    ]
    del requests[2]["body"]
    found.add(f"raw/source=github/{HOUR}/{SHARD}-1.jsonl.gz", requests)
    why = {"reason": "schema_violation", "explanation": HOSTILE}
    found.add(f"rejected/source=github/{HOUR}/{SHARD}-1.jsonl.gz", [{**why, **requests[0]}])
    entries = [
        {**requests[0], "outcome": "rejected", "reason": "schema_violation"},
        {**requests[1], "outcome": "delivered", "reason": None},
    ]
    found.add(f"ledger/{HOUR}/{SHARD}-1.jsonl.gz", entries)
    return found


@pytest.fixture(scope="module")
def client(archive: FakeArchive, services: Services) -> TestClient:
    names = ("dynamodb", "ssm", "cloudformation", "logs")
    clients = {"s3": archive, **dict.fromkeys(names, services)}
    scene = made_scene(clients, stack="S", local=False, parameters={"github": "/p/github/dev/s"})
    return entered(scene)


def test_the_list_has_each_event_with_what_became_of_it(client: TestClient) -> None:
    answer = client.get(f"/events?{SPAN}")
    assert answer.status_code == 200
    found = client.get(f"/events.json?{SPAN}").json()
    assert [one["id"] for one in found["events"]] == ["request-3", "request-2", "request-1"]
    assert [one["outcomes"] for one in found["events"]] == [
        {},
        {"delivered": 1},
        {"rejected: schema_violation": 1},
    ]
    assert "rejected: schema_violation" in answer.text
    assert "AWS was asked" in answer.text
    assert "/events/request-1?source=github&amp;from=2026-11-23T19%3A58" in answer.text


def test_a_reader_of_the_laptop_is_asked_and_counted(archive: FakeArchive) -> None:
    before = len(archive.ranges)
    answer = entered(made_scene({}, archive=archive)).get(f"/events?{SPAN}")
    assert answer.status_code == 200
    assert len(archive.ranges) > before
    assert "(s3 " in answer.text


def test_a_page_asks_no_more_of_aws_than_it_may(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PageCalls.__init__, "__defaults__", (3,))
    answer = client.get(f"/events?{SPAN}")
    assert (answer.status_code, "this page made 3 calls" in answer.text) == (400, True)


def test_the_address_holds_the_search(client: TestClient) -> None:
    text = client.get(f"/events?{SPAN}&outcome=rejected&source=github&text=ref").text
    assert '<option value="rejected" selected>' in text
    assert '<option value="github" selected>' in text
    assert "request-1" in text
    assert "request-2" not in text


def test_further_rows_come_alone(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("toolbox.console.events.data.MOST_EVENTS", 1)
    seen, page = [], client.get(f"/events.json?{SPAN}").json()
    while page["more"]:
        seen += page["events"]
        rows = client.get(
            page["more"].replace("/events.json", "/events"), headers={"hx-request": "true"}
        ).text
        assert rows.lstrip().startswith("<tr>")
        assert "<html" not in rows
        page = client.get(page["more"]).json()
    assert [one["id"] for one in [*seen, *page["events"]]] == [
        "request-3",
        "request-2",
        "request-1",
    ]


@pytest.mark.parametrize(
    "query",
    ["from=x", "outcome=x", "reason=x", "after=x", "from=1h&to=2h", f"id={'x' * 301}", "from=200d"],
)
def test_what_has_no_sense_is_said(client: TestClient, query: str) -> None:
    answer = client.get(f"/events?{query}")
    assert (answer.status_code, "could not be done" in answer.text) == (400, True)
    assert client.get(f"/events.json?{query}").json()["problem"]


def test_the_way_of_a_rejected_event(client: TestClient, services: Services) -> None:
    services.asked.clear()
    answer = client.get(f"/events/request-1?{SPAN}")
    assert answer.status_code == 200
    for told in ("schema_violation", "taken", SHARD, "sequence number", "<mark>"):
        assert told in answer.text, told
    assert "was not read" in answer.text
    assert not services.asked
    found = client.get(f"/events/request-1.json?{SPAN}").json()
    (request,) = found["requests"]
    assert request["body"].endswith('"ref": []}')
    (event,) = request["events"]
    assert event["schema_place"] == "ref"
    (passage,) = found["found"][0]["passages"]
    assert passage["endings"][0]["ticket"]


def test_the_secret_is_read_when_asked_for_and_never_shown(
    client: TestClient, services: Services
) -> None:
    services.asked.clear()
    answer = client.get(f"/events/request-1?{SPAN}&proof=1")
    assert list(services.asked) == ["/p/github/dev/s"]
    assert "it fits secret 2 of 2, a former one" in answer.text
    twin = client.get(f"/events/request-1.json?{SPAN}&proof=1")
    assert twin.json()["requests"][0]["proof"]["fits"] is True
    assert SECRET not in answer.text + twin.text


def test_what_a_sender_wrote_is_text(client: TestClient) -> None:
    for path in (f"/events?{SPAN}", f"/events/request-2?{SPAN}", f"/events/request-1?{SPAN}"):
        text = client.get(path).text
        assert "alert(" in text
        for forbidden in ("<script>", "<img", "\u202e", "\x1b"):
            assert forbidden not in text, (path, forbidden)
        assert "{{7*7}}" in text
    for path in (f"/events.json?{SPAN}", f"/events/request-2.json?{SPAN}"):
        text = client.get(path).text
        assert "\\u202e" in text
        assert "\x1b" not in text


def test_many_requests_of_one_delivery_id_are_shown_within_bounds(services: Services) -> None:
    found, body = FakeArchive(), "<" * 200_000
    lines = [line(number, key="same", body=body) for number in range(1, 21)]
    found.add(f"raw/source=github/{HOUR}/{SHARD}-1.jsonl.gz", lines)
    clients = {"s3": found, **dict.fromkeys(("dynamodb", "cloudformation", "logs"), services)}
    page = entered(made_scene(clients, stack="S", local=False)).get(f"/events/same?{SPAN}").text
    assert page.count("Body as text, 200,000 bytes") == 20
    assert page.count("&lt;") <= MOST_BYTES_OF_PAGE + 20 * MOST_HEX_BYTES
    assert "the first 52,428 of 200,000 bytes" in page


def test_bytes_that_are_no_text_are_shown(client: TestClient) -> None:
    text = client.get(f"/events/request-3?{SPAN}").text
    assert "\\xff\\x00\\x01" in text
    assert "000000  ff 00 01" in text
    assert "not settled" in text


def test_what_is_not_found_says_what_was_read(client: TestClient) -> None:
    answer = client.get(f"/events/nothing-has-it?{SPAN}")
    assert answer.status_code == 404
    assert "objects of raw/" in answer.text


def test_a_body_is_shown_within_bounds() -> None:
    assert view_of(b"[" * 100_000).tree is None
    assert view_of(b"x" * (MOST_BYTES + 1)).cut
    many = view_of(json.dumps(list(range(MOST_NODES * 2))).encode())
    assert many.nodes_cut
    assert many.tree is not None
    assert len(many.tree.children) < MOST_NODES
    deep = view_of(b"[" * 500 + b"]" * 500)
    assert deep.nodes_cut


def test_the_place_that_breaks_the_schema_is_marked() -> None:
    view = view_of(b'{"a": [{"b": 1}, {"b": 2}], "c": 3}', ("a", "1", "b"))
    assert view.tree is not None
    (a, c) = view.tree.children
    assert (a.open, c.open) == (True, False)
    assert [one.children[0].marked for one in a.children] == [False, True]


@pytest.mark.parametrize("name", ["order.json", ".json", "a/b.json.json"])
def test_an_id_that_ends_as_a_twin_has_a_page_and_a_twin(services: Services, name: str) -> None:
    archive = FakeArchive()
    archive.add(f"raw/source=github/{HOUR}/{SHARD}-1.jsonl.gz", [line(1, name=name)])
    clients = {"s3": archive, **dict.fromkeys(("dynamodb", "ssm", "logs"), services)}
    clients["cloudformation"] = services
    client = entered(made_scene(clients, stack="S", local=False))
    (link,) = re.findall(r'href="(/events/[^"]*%2Ejson[^"]*)"', client.get(f"/events?{SPAN}").text)
    page = client.get(unescape(link))
    assert (page.status_code, f"<title>Event {name} ·" in page.text) == (200, True)
    (twin,) = re.findall(r'href="([^"]*)">This page as JSON', page.text)
    assert client.get(unescape(twin)).json()["asked"] == name
    other = client.get(f"/events/{name}?{SPAN}")
    assert other.headers["content-type"] == "application/json"
