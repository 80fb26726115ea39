"""Tickets in the console: seen, dismissed, replayed, and their schema mended."""

from __future__ import annotations

from collections import deque
from html import unescape
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from tests.support.console import entered, made_scene
from tests.support.fakes import FakeDynamoDb
from tests.support.private_source import NAME, NARROW, WIDE, make_source, rejected_line
from tests.support.replay import HOUR, FakeArchive, FakeKinesis
from tests.unit.toolbox.test_dead_letters import FakeQueue
from toolbox.console.tickets import data
from toolbox.dead_letters.queue import ticket_id
from toolbox.sources import schema_trial

if TYPE_CHECKING:
    from pathlib import Path

KEY = f"rejected/source={NAME}/{HOUR}/shardId-000000000000-1.jsonl.gz"
TICKET = f"/tickets/{ticket_id(KEY)}"


class Tickets:
    def __init__(self, folder: Path, *, writable: bool = True) -> None:
        self.archive, self.queue, self.kinesis = FakeArchive(), FakeQueue(), FakeKinesis()
        self.folder = make_source(folder)
        self.archive.add(KEY, [rejected_line(1), rejected_line(2)])
        self.queue.notify(KEY)
        clients = {
            "s3": self.archive, "sqs": self.queue, "kinesis": self.kinesis,
            "dynamodb": FakeDynamoDb(),
        }  # fmt: skip
        scene = made_scene(clients, folders=lambda: {NAME: self.folder}, writable=writable)
        self.browser = entered(scene)
        self.form = {"source": NAME, "type": "down", "why": "texts are fine, too"}

    @property
    def schema(self) -> str:
        return (self.folder / "schemas" / "down.json").read_text()


@pytest.fixture
def tickets(tmp_path: Path) -> Tickets:
    return Tickets(tmp_path)


def test_they_are_grouped_and_each_leads_to_its_events(tickets: Tickets) -> None:
    found = tickets.browser.get("/tickets.json").json()
    (group,) = found["groups"]
    assert (group["tickets"], group["events"], found["total"]) == (1, 2, 1)
    assert group["cause"]["reasons"] == ["schema_violation"]
    assert f'href="{TICKET}"' in tickets.browser.get("/tickets").text
    page = tickets.browser.get(TICKET).text
    assert 'href="/events/request-1"' in page
    assert f"{TICKET}/schema?source={NAME}&amp;type=down" in page
    assert tickets.browser.get("/tickets?quarantine=1").status_code == 200


def test_a_look_leaves_the_queue_as_it_was(tickets: Tickets) -> None:
    tickets.queue.send('{"Service": "Amazon S3", "Event": "s3:TestEvent"}')
    assert tickets.browser.get("/tickets.json").json()["total"] == 1
    assert tickets.browser.head(TICKET).status_code == 200
    assert len(tickets.queue.messages) == 2


def test_one_is_dismissed_with_a_word_about_it(tickets: Tickets) -> None:
    assert tickets.browser.post(f"{TICKET}/dismiss", data={}).status_code == 400
    assert tickets.queue.messages
    assert tickets.browser.post(f"{TICKET}/dismiss", data={"why": "a test"}).status_code == 303
    assert not tickets.queue.messages
    name = f"jobs/dismissed/{ticket_id(KEY)}.json"
    assert orjson.loads(tickets.archive.objects[name])["reason"] == "a test"


def test_while_a_replay_holds_them_the_page_says_so(
    tickets: Tickets, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data, "LOOK_SECONDS", 0)
    with data._LOOKING:
        answer = tickets.browser.get("/tickets")
    assert (answer.status_code, "holds the tickets" in answer.text) == (400, True)
    assert tickets.browser.get("/tickets").status_code == 200


def test_one_is_replayed_and_goes(tickets: Tickets) -> None:
    answer = tickets.browser.post(f"{TICKET}/replay", data={"why": "mended"})
    assert answer.status_code == 303, answer.text
    address = answer.headers["location"]
    assert "100 %" in tickets.browser.get(f"{address}/progress").text
    assert sorted(tickets.kinesis.ids()) == ["request-1", "request-2"]
    assert not tickets.queue.messages
    assert "mended" in tickets.browser.get(address).text


def test_a_schema_is_tried_and_then_saved_with_a_record(tickets: Tickets) -> None:
    address = f"{TICKET}/schema"
    assert "required" in tickets.browser.get(f"{address}?source={NAME}&type=down").text
    digest = tickets.browser.get(f"{address}.json?source={NAME}&type=down").json()["digest"]
    form = {**tickets.form, "text": WIDE, "digest": digest}
    assert "2 of 2 events pass; 1 of 1 samples fit" in tickets.browser.post(address, data=form).text
    assert tickets.schema == NARROW
    still = tickets.browser.post(address, data={**form, "text": NARROW, "do": "save"}).text
    assert "0 of 2 events pass" in still
    assert "It is saved" not in still
    assert tickets.browser.post(address, data={**form, "why": "", "do": "save"}).status_code == 400
    stale = {**form, "digest": "other", "do": "save"}
    assert "changed meanwhile" in tickets.browser.post(address, data=stale).text
    assert tickets.schema == NARROW
    assert "It is saved" in tickets.browser.post(address, data={**form, "do": "save"}).text
    assert tickets.schema == WIDE
    records = [key for key in tickets.archive.objects if key.startswith("jobs/schemas/")]
    record = orjson.loads(tickets.archive.objects[records[-1]])
    assert (record["why"], record["after"]) == (form["why"], WIDE)


def test_of_two_that_save_at_once_one_is_told(
    tickets: Tickets, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, real, answers = f"{TICKET}/schema", schema_trial.try_schema, deque[str]()
    digest = tickets.browser.get(f"{address}.json?source={NAME}&type=down").json()["digest"]
    form = {**tickets.form, "digest": digest, "do": "save"}

    def try_schema(*asked: Any) -> Any:
        monkeypatch.setattr(data, "try_schema", real)
        answers.append(tickets.browser.post(address, data={**form, "text": WIDE}).text)
        return real(*asked)

    monkeypatch.setattr(data, "try_schema", try_schema)
    answers.append(tickets.browser.post(address, data={**form, "text": WIDE + "\n"}).text)
    saved, refused = answers
    assert "It is saved" in saved
    assert "was changed meanwhile" in refused
    assert tickets.schema == WIDE
    assert len([key for key in tickets.archive.objects if key.startswith("jobs/schemas/")]) == 1


def test_the_editor_sends_back_the_schema_that_it_was_given(tickets: Tickets) -> None:
    # A tab, a no-break space, a control character, and one that turns the line around.
    text = '{\n\t"title": "a\xa0b\x85c\u202ed</textarea>",\n\t"type": "object"\n}\n'
    (tickets.folder / "schemas" / "down.json").write_text(text)
    address = f"{TICKET}/schema"
    page = tickets.browser.get(f"{address}?source={NAME}&type=down").text
    assert "\u202e" not in page
    sent = edited_text(page)
    assert orjson.loads(sent) == orjson.loads(text)
    assert "\n\t" in sent
    again = tickets.browser.post(address, data={**tickets.form, "text": sent.replace("\n", "\r\n")})
    assert "2 of 2 events pass" in again.text
    assert edited_text(again.text) == sent


def edited_text(page: str) -> str:
    """What a browser takes for the text of the page's field."""
    _, _, field = page.partition("<textarea")
    _, _, text = field.partition(">\n")
    return unescape(text.partition("</textarea>")[0])


def test_a_console_that_only_reads_changes_nothing(tmp_path: Path) -> None:
    tickets = Tickets(tmp_path, writable=False)
    for what in ("dismiss", "replay", "schema"):
        form = {**tickets.form, "text": WIDE, "do": "save"}
        assert tickets.browser.post(f"{TICKET}/{what}", data=form).status_code == 403
    assert (tickets.schema, len(tickets.queue.messages)) == (NARROW, 1)
