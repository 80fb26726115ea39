"""The pages of sources: all of them, one, a request tried step by step, a sample that is sent."""

from __future__ import annotations

import html
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from botocore.exceptions import EndpointConnectionError

from settings.source.loader import CATALOG
from tests.support.console import entered, made_scene
from tests.support.hostile_text import MARKUP
from tests.support.replay import FakeArchive, line
from toolbox.console.sources import data, trying
from toolbox.traffic.sender import FrontDoorAnswer, Outgoing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starlette.testclient import TestClient

    from toolbox.console.scene import ConsoleScene

HOSTILE = '"><script>alert(1)</script>'
SHOWN = ("github", "slack")
SECRET = "shown-nowhere-0123456789"


class Door:
    """What `running` knows of a local pipeline, as far as the pages ask."""

    api = "http://127.0.0.1:1/dev"
    queues: ClassVar = dict.fromkeys(SHOWN, "http://queues/q")
    parameters: ClassVar = {"github": {"signing_secret": f"{SECRET}\n"}}


@pytest.fixture(autouse=True)
def _door(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (data, trying):
        monkeypatch.setattr(module, "running", lambda _: Door)


def _scene(archive: FakeArchive, **changes: Any) -> ConsoleScene:
    folders = {name: CATALOG / name for name in SHOWN}
    return made_scene({"s3": archive}, folders=lambda: folders, **changes)


@pytest.fixture(scope="module")
def client() -> TestClient:
    return entered(_scene(FakeArchive()))


def test_a_source_has_its_last_events_and_a_broken_archive_hides_nothing_else() -> None:
    archive, now = FakeArchive(), datetime.now(UTC)
    for number in range(1, 13):
        arrived = now - timedelta(minutes=number)
        shown = {**line(number, arrived=arrived.isoformat())}
        folder = f"raw/source=github/dt={arrived:%Y-%m-%d}/hr={arrived:%H}"
        archive.add(f"{folder}/shardId-000000000000-{100 - number}.jsonl.gz", [shown])
    client = entered(_scene(archive))
    page = client.get("/sources/github").text
    links = re.findall(r'href="/events/(request-\d+)\?source=github', page)
    assert links == [f"request-{number}" for number in range(1, 11)]
    assert "More, older" in page
    assert len(client.get("/sources/github.json").json()["last"]["events"]) == 10
    assert "None of a day" in client.get("/sources/slack").text
    archive.broken = EndpointConnectionError(endpoint_url=f"http://archive/{HOSTILE}")
    page = client.get("/sources/github").text
    assert "cannot be listed" in page
    assert "HMAC-SHA256" in page
    assert HOSTILE not in page


def test_all_sources_are_there_by_kind_and_can_be_searched(client: TestClient) -> None:
    page = client.get("/sources")
    assert page.status_code == 200, page.text
    assert 'href="/sources/github"' in page.text
    assert 'href="/sources/slack"' in page.text
    found = client.get("/sources.json", params={"q": "SLACK"}).json()
    assert [one["name"] for kind in found["kinds"].values() for one in kind] == ["slack"]


def test_a_broken_folder_is_named_beside_the_others(tmp_path: Path) -> None:
    folder = tmp_path / "bad"
    folder.mkdir()
    (folder / "source.yaml").write_text(f"title: ['{HOSTILE}'\n")
    client = entered(made_scene(folders=lambda: {"bad": folder, "slack": CATALOG / "slack"}))
    page = client.get("/sources")
    assert "source bad is broken" in page.text
    assert 'href="/sources/slack"' in page.text
    assert HOSTILE not in page.text
    assert client.get("/sources/bad").status_code == 400


def test_a_source_is_explained_with_what_its_sender_needs(client: TestClient) -> None:
    page = client.get("/sources/github")
    assert page.status_code == 200, page.text
    assert "http://127.0.0.1:1/dev/github" in page.text
    assert "HMAC-SHA256" in page.text
    assert SECRET not in page.text
    assert client.get("/sources/nobody").status_code == 404


@pytest.mark.parametrize("name", SHOWN)
def test_a_sample_that_is_filled_in_and_tried_is_delivered(client: TestClient, name: str) -> None:
    sample = next(
        one["name"]
        for one in client.get(f"/sources/{name}.json").json()["samples"]
        if one["outcome"] == "delivered"
    )
    filled = client.get(f"/sources/{name}/try.json", params={"sample": sample})
    assert filled.json() == {"source": name, "requests": []}
    form = trying.read_form(made_scene(), name, sample).form
    fields = {"headers": form.headers, "body": form.body, "sign": "1"}
    page = client.post(f"/sources/{name}/try", data=fields)
    assert page.status_code == 200, page.text
    assert "deduplication key" in page.text
    (tried,) = client.post(f"/sources/{name}/try.json", data=fields).json()["requests"]
    assert tried["outcome"] == "delivered"
    assert tried["events"][0]["mozdef"]["tags"]


def test_what_is_wrong_with_a_payload_is_told_as_text(client: TestClient) -> None:
    body = json.dumps({"zen": HOSTILE, **dict.fromkeys(MARKUP, 1)})
    fields = {"headers": f"X-GitHub-Event: push\nX-GitHub-Delivery: {HOSTILE}", "body": body}
    page = client.post("/sources/github/try", data={**fields, "sign": "1"})
    assert page.status_code == 200
    assert "schema_violation" in page.text
    assert HOSTILE not in page.text
    wrong = client.post("/sources/github/try", data={"headers": HOSTILE, "body": "{}"})
    assert wrong.status_code == 400
    assert HOSTILE not in wrong.text


def test_a_caught_request_is_checked_with_the_secret_which_is_shown_nowhere(
    client: TestClient,
) -> None:
    curl = (
        "curl https://hooks.test/github -H 'X-GitHub-Event: ping' -H 'X-GitHub-Delivery: 1' "
        f"-H 'X-Hub-Signature-256: sha256={'0' * 64}' -H 'Content-Type: application/json' -d '{{}}'"
    )
    page = client.post("/sources/github/try", data={"captured": curl, "secret": SECRET})
    assert page.status_code == 200, page.text
    assert "bad_signature" in page.text
    assert SECRET not in page.text
    assert "mozdef-ef-try-" not in page.text
    wrong = client.post("/sources/github/try", data={"captured": "nothing of the kind"})
    assert wrong.status_code == 400
    assert trying.CAPTURE in wrong.text


def test_what_is_tried_stays_in_its_field_as_it_was(client: TestClient) -> None:
    body, header = '{\t"zen": "a\u200db\xa0</textarea>"}', "X-GitHub-Event: a\u200db"
    fields = {"headers": header, "body": body, "captured": ""}
    page = client.post("/sources/github/try", data=fields).text
    texts = re.findall(r"<textarea[^>]*>\n(.*?)</textarea>", page, re.DOTALL)
    assert [html.unescape(one) for one in texts] == [header, body, ""]


def _answering(status: int) -> Callable[..., object]:
    async def send_all(
        _: str, requests: Iterator[Outgoing], *, on_answer: Callable[..., None]
    ) -> None:
        (one,) = requests
        on_answer(FrontDoorAnswer(one, status, f"id{HOSTILE}", "", 0.1, HOSTILE))

    return send_all


def test_a_sample_is_signed_and_sent_and_leads_to_its_event(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trying, "send_all", _answering(202))
    samples = client.get("/sources/github.json").json()["samples"]
    sample = next(one["name"] for one in samples if one["can_be_sent"])
    page = client.post("/sources/github/send", data={"sample": sample})
    assert page.status_code == 200, page.text
    assert "the front door answered 202" in page.text
    assert 'href="/events/id%22%3E' in page.text
    assert HOSTILE not in page.text
    assert client.post("/sources/github/send", data={"sample": "none"}).status_code == 404


def test_nothing_is_sent_where_the_console_only_reads(client: TestClient) -> None:
    reading = entered(_scene(FakeArchive(), writable=False))
    assert "sign and send" in client.get("/sources/slack").text
    assert "sign and send" not in reading.get("/sources/slack").text
    assert reading.post("/sources/slack/send", data={"sample": "x"}).status_code == 403
