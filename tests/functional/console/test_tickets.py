"""Tickets in the console: seen, dismissed, replayed, and their schema mended."""

from __future__ import annotations

from collections import deque
from html import unescape
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from botocore.exceptions import EndpointConnectionError

from tests.support.console import entered, made_scene
from tests.support.fakes import FakeDynamoDb
from tests.support.private_source import NAME, NARROW, WIDE, make_source, rejected_line
from tests.support.replay import HOUR, FakeArchive, FakeKinesis
from tests.unit.toolbox.test_dead_letters import FakeQueue
from toolbox.console.tickets import data, schema
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

    def save(self) -> Any:
        editor = self.browser.get(f"{TICKET}/schema.json?source={NAME}&type=down").json()
        form = {**self.form, "text": WIDE, "digest": editor["digest"], "do": "save"}
        return self.browser.post(f"{TICKET}/schema", data=form)

    def records(self) -> list[dict[str, Any]]:
        """What the archive keeps of changes of schemas."""
        kept = self.archive.objects.items()
        return [orjson.loads(one) for key, one in kept if key.startswith("jobs/schemas/")]


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
    form = {"ticket": ticket_id(KEY), "do": "dismiss"}
    assert tickets.browser.post("/tickets", data=form).status_code == 400
    assert tickets.browser.post("/tickets", data={"why": "of none"}).status_code == 400
    assert tickets.queue.messages
    assert tickets.browser.post("/tickets", data={**form, "why": "a test"}).status_code == 303
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
    form = {"ticket": ticket_id(KEY), "do": "replay", "why": "mended"}
    answer = tickets.browser.post("/tickets", data=form)
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
    (record,) = tickets.records()
    assert (record["why"], record["after"]) == (form["why"], WIDE)
    assert record["state"] == "saved"


def test_of_two_that_save_at_once_one_is_told(
    tickets: Tickets, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, real, answers = f"{TICKET}/schema", schema_trial.try_schema, deque[str]()
    digest = tickets.browser.get(f"{address}.json?source={NAME}&type=down").json()["digest"]
    form = {**tickets.form, "digest": digest, "do": "save"}

    def try_schema(*asked: Any) -> Any:
        monkeypatch.setattr(schema, "try_schema", real)
        answers.append(tickets.browser.post(address, data={**form, "text": WIDE}).text)
        return real(*asked)

    monkeypatch.setattr(schema, "try_schema", try_schema)
    answers.append(tickets.browser.post(address, data={**form, "text": WIDE + "\n"}).text)
    saved, refused = answers
    assert "It is saved" in saved
    assert "was changed meanwhile" in refused
    assert tickets.schema == WIDE
    assert len(tickets.records()) == 1


class ConsoleEndedError(Exception):
    """What nobody sees coming: the console ends here."""


def test_a_console_that_ends_in_the_midst_of_a_save_leaves_what_was_intended(
    tickets: Tickets, monkeypatch: pytest.MonkeyPatch
) -> None:
    def end(*_: object) -> None:
        raise ConsoleEndedError

    monkeypatch.setattr(schema, "save_schema", end)
    assert tickets.save().status_code == 500
    (record,) = tickets.records()
    assert (record["state"], record["after"], tickets.schema) == ("intended", WIDE, NARROW)


def test_a_schema_that_cannot_be_written_is_recorded_as_not_saved(
    tickets: Tickets, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise schema_trial.SchemaChangeError(
            "down.json: cannot be written: No space left on device"
        )

    monkeypatch.setattr(schema, "save_schema", refuse)
    assert tickets.save().status_code == 400
    (record,) = tickets.records()
    assert (record["state"], "No space" in record["error"]) == ("not saved", True)


def test_a_record_that_cannot_be_ended_is_told_of(
    tickets: Tickets, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = tickets.archive.put_object

    def put_object(**request: Any) -> Any:
        if b'"saved"' in request["Body"]:
            raise EndpointConnectionError(endpoint_url="http://archive")
        return real(**request)

    monkeypatch.setattr(tickets.archive, "put_object", put_object)
    answer = tickets.save()
    assert (answer.status_code, "is saved, and its record" in answer.text) == (400, True)
    (record,) = tickets.records()
    assert (record["state"], tickets.schema) == ("intended", WIDE)


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
    page = tickets.browser.get("/tickets").text
    assert "checkbox" not in page
    for address, what in (("", "dismiss"), ("", "replay"), (f"/{ticket_id(KEY)}/schema", "save")):
        form = {**tickets.form, "text": WIDE, "do": what, "ticket": ticket_id(KEY)}
        assert tickets.browser.post(f"/tickets{address}", data=form).status_code == 403
    assert (tickets.schema, len(tickets.queue.messages)) == (NARROW, 1)


class Several(Tickets):
    """Three more tickets, of another source or of other reasons."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.keys = [KEY]
        for number, (source, reason) in enumerate(
            (("github", "schema_violation"), (NAME, "invalid_json"), (NAME, "too_deep")), 2
        ):
            key = f"rejected/source={source}/{HOUR}/shardId-000000000000-{number}.jsonl.gz"
            found = {**rejected_line(number + 1), "source": source, "reason": reason}
            self.archive.add(key, [{**found, "explanation": f"{reason} of {source}"}])
            self.queue.notify(key)
            self.keys.append(key)

    def listed(self, query: str = "") -> list[int]:
        """The numbers of the tickets that a list has."""
        found = self.browser.get(f"/tickets.json?{query}").json()["tickets"]
        return sorted(self.keys.index(one["key"]) + 1 for one in found)


@pytest.fixture
def several(tmp_path: Path) -> Several:
    return Several(tmp_path)


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("", [1, 2, 3, 4]),
        ("source=github", [2]),
        (f"source={NAME}&reason=invalid_json", [3]),
        ("reason=schema_violation", [1, 2]),
        ("text=TOO_deep+of", [4]),
        (f"text={ticket_id(KEY)}", [1]),
        ("source=nobody", []),
    ],
)
def test_a_list_is_narrowed_by_what_is_in_its_address(
    several: Several, query: str, numbers: list[int]
) -> None:
    assert several.listed(query) == numbers
    page = several.browser.get(f"/tickets?{query}").text
    assert page.count('name="ticket"') == len(numbers)
    assert ("None of 4 fits" in page) == (not numbers)


def test_a_list_reads_no_more_than_it_may(
    several: Several, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data, "MOST_READ", 2)
    assert several.listed("reason=too_deep") == []
    assert "4 may fit; of the oldest 2" in several.browser.get("/tickets").text
    assert several.listed(f"source={NAME}&reason=invalid_json") == [3]


def test_several_are_dismissed_for_one_reason(several: Several) -> None:
    names = [ticket_id(one) for one in several.keys[1:3]]
    form = {"ticket": [*names, "0" * 12], "do": "dismiss", "why": "a test"}
    answer = several.browser.post("/tickets?source=github&after=x", data=form)
    assert (answer.status_code, "2 of 3 are dismissed" in answer.text) == (400, True)
    assert several.listed() == [1, 4]
    for name in names:
        record = orjson.loads(several.archive.objects[f"jobs/dismissed/{name}.json"])
        assert record["reason"] == "a test"
    form["ticket"] = [ticket_id(several.keys[3])]
    answer = several.browser.post(f"/tickets?source={NAME}&other=x", data=form)
    assert answer.headers["location"] == f"/tickets?source={NAME}"


def test_several_are_replayed_as_one_job(several: Several) -> None:
    form = {"ticket": [ticket_id(one) for one in several.keys[:3]], "do": "replay", "why": "all"}
    address = several.browser.post("/tickets", data=form).headers["location"]
    assert "100 %" in several.browser.get(f"{address}/progress").text
    assert sorted(several.kinesis.ids()) == [f"request-{one}" for one in (1, 2, 3, 4)]
    assert several.listed() == [4]
