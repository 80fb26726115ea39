"""Replays in the console: what would be sent, what is sent, and who wanted it."""

from __future__ import annotations

import re
from collections import deque
from datetime import UTC, datetime, timedelta
from functools import partial
from threading import Event
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from botocore.exceptions import EndpointConnectionError

from tests.support.console import entered, made_scene
from tests.support.fakes import FakeDynamoDb
from tests.support.replay import HOUR, FakeArchive, FakeKinesis, line
from toolbox.console.replays import data, handler, running
from toolbox.console.replays.became import Became, BecomingLooks

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.testclient import TestClient

    from toolbox.console.scene import ConsoleScene
    from toolbox.replaying.plan import ReplayPlan

KEY = f"rejected/source=github/{HOUR}/shardId-000000000000-1.jsonl.gz"
FORM = {"source": "github", "why": "the schema is mended"}


class Console:
    def __init__(self, **scene: Any) -> None:
        self.archive, self.kinesis = FakeArchive(), FakeKinesis()
        self.archive.add(KEY, [line(n, reason="schema_violation") for n in (1, 2)])
        clients = {"s3": self.archive, "kinesis": self.kinesis, "dynamodb": FakeDynamoDb()}
        self.browser: TestClient = entered(made_scene(clients, folders=dict, **scene))

    def replayed(self, **form: str) -> str:
        """Begin one, see it to its end, and return its address."""
        answer = self.browser.post("/replays", data={**FORM, **form})
        assert answer.status_code == 303, answer.text
        address = answer.headers["location"]
        told = self.browser.get(f"{address}/progress").text
        assert told.endswith("event: closed\ndata: \n\n")
        return str(address)


@pytest.fixture
def console() -> Console:
    return Console()


def test_a_dry_run_sends_nothing(console: Console) -> None:
    found = console.browser.get("/replays.json?source=github&dry=on").json()
    assert found["dry_run"]["would_send"] == 2
    assert found["bounds"] == []
    page = console.browser.get("/replays?source=github&dry=on").text
    assert "2 events" in page
    assert "Send them" in page
    assert console.kinesis.ids() == []
    assert not [key for key in console.archive.objects if key.startswith("jobs/")]


def test_a_replay_is_sent_and_its_record_says_who_and_why(console: Console) -> None:
    address = console.replayed()
    assert sorted(console.kinesis.ids()) == ["request-1", "request-2"]
    job = address.rpartition("/")[2]
    record = orjson.loads(console.archive.objects[f"jobs/replay/{job}.json"])
    assert record["status"] == "done"
    assert record["who"]["user"]
    assert record["options"]["why"] == FORM["why"]
    assert console.browser.get(f"{address}.json").json()["sent_so_far"] == 2
    page = console.browser.get(address).text
    assert "100 %" in page
    assert "Go on" not in page
    assert FORM["why"] in console.browser.get("/replays").text


def test_its_page_says_what_became_of_what_was_sent(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handler, "_LOOK_SECONDS", 0.001)
    address = console.replayed()
    assert "2 requests have no outcome yet" in console.browser.get(address).text
    job = address.rpartition("/")[2]
    begun = datetime.strptime(job[7:22], "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
    folder = f"ledger/dt={begun:%Y-%m-%d}/hr={begun:%H}"
    late: deque[Callable[[], object]] = deque()
    for number, (outcome, reason) in enumerate(
        (("delivered", None), ("rejected", "schema_violation")), 1
    ):
        settled = {**line(number, name=f"request-{number}@{job}"), "outcome": outcome}
        key = f"{folder}/shardId-000000000000-{number}.jsonl.gz"
        late.append(partial(console.archive.add, key, [{**settled, "reason": reason}]))
    real = BecomingLooks.look

    def look(looks: BecomingLooks) -> Became:
        found = real(looks)
        if late:
            late.popleft()()
        return found

    monkeypatch.setattr(BecomingLooks, "look", look)
    console.browser.app.state.replays.settling_looks = 60  # type: ignore[attr-defined]
    told = console.browser.get(f"{address}/progress").text.split("event: progress")[1:]
    counts = [re.search(r"(\d) delivered, .* (\d) rejected, .* (\d) requests", one) for one in told]
    assert [one and one.groups() for one in counts] == [
        ("0", "0", "2"), ("1", "0", "1"), ("1", "1", "0"),
    ]  # fmt: skip
    assert 'href="/tickets?reason=schema_violation"' in told[-1]
    assert "event: ended" in told[-1]
    assert console.browser.get(f"{address}.json").json()["became"]["rejected"] == 1


def test_what_became_of_it_is_read_for_an_hour_after_its_end(console: Console) -> None:
    address = console.replayed()
    name = f"jobs/replay/{address.rpartition('/')[2]}.json"
    state = orjson.loads(console.archive.objects[name])
    ended = datetime.fromisoformat(state["updated"]) - timedelta(hours=3)
    state["updated"] = ended.isoformat()
    console.archive.objects[name] = orjson.dumps(state)
    until = f"{ended + timedelta(hours=1):%Y-%m-%d %H:%M} UTC"
    assert f"the ledger was read up to {until}" in console.browser.get(address).text
    state["updated"] = "9999-12-31T23:59:59+00:00"
    console.archive.objects[name] = orjson.dumps(state)
    assert "2 requests have no outcome yet" in console.browser.get(address).text


def test_one_that_was_stopped_goes_on(console: Console) -> None:
    address = console.replayed()
    name = f"jobs/replay/{address.rpartition('/')[2]}.json"
    state = orjson.loads(console.archive.objects[name])
    stopped = {**state, "status": "interrupted", "position": {"key": "", "line": None, "size": 0}}
    console.archive.objects[name] = orjson.dumps(
        {**stopped, "counts": {}, "options": {"force": True}}
    )
    other = entered(made_scene({"s3": console.archive, "kinesis": console.kinesis}, folders=dict))
    assert "Go on" in other.get(address).text
    assert other.post(f"{address}/resume", data={}).status_code == 400
    answer = other.post(f"{address}/resume", data={"why": "now"})
    assert answer.headers["location"] == address
    other.get(f"{address}/progress")
    state = orjson.loads(console.archive.objects[name])
    assert state["status"] == "done"
    assert state["options"]["resumed"][0]["why"] == "now"
    assert len(console.kinesis.ids()) == 4


@pytest.mark.parametrize(
    ("field", "value", "status"),
    [
        ("updated", "yesterday", 400),
        ("updated", "2026-11-24T12:00:00", 400),
        ("size", "many", 400),
        ("read_bytes", None, 400),
        ("problems", [{"what": "malformed"}], 200),
    ],
)
def test_a_state_that_others_wrote_is_told_of(
    console: Console, field: str, value: Any, status: int
) -> None:
    address = console.replayed()
    name = f"jobs/replay/{address.rpartition('/')[2]}.json"
    state = {**orjson.loads(console.archive.objects[name]), "status": "running", field: value}
    console.archive.objects[name] = orjson.dumps(state)
    other = entered(made_scene({"s3": console.archive}, folders=dict))
    page = other.get(address)
    assert (page.status_code, "state is broken" in page.text) == (status, status == 400)
    assert other.get("/replays").status_code == 200


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"why": " "}, "say why"),
        ({"source": ""}, "would replay everything"),
        ({"rate": "fast"}, "expected a number"),
        ({"rate": "nan"}, "expected a number"),
        ({"kind": "ledger"}, "no such part"),
    ],
)
def test_a_form_that_has_no_sense_sends_nothing(
    console: Console, form: dict[str, str], said: str
) -> None:
    answer = console.browser.post("/replays", data={**FORM, **form})
    assert answer.status_code == 400
    assert said in answer.text
    assert console.kinesis.ids() == []


def test_a_console_that_only_reads_sends_nothing() -> None:
    console = Console(writable=False)
    assert "Send them" not in console.browser.get("/replays?source=github&dry=on").text
    for address in ("/replays", "/replays/x/stop", "/replays/x/resume"):
        assert console.browser.post(address, data=FORM).status_code == 403
    assert console.kinesis.ids() == []


def test_a_form_that_is_sent_twice_makes_one_record(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned: Callable[..., ReplayPlan] = data.planned
    refused: list[str] = []

    def again(scene: ConsoleScene, asked: Mapping[str, str]) -> ReplayPlan:
        if not refused:
            refused.append("")  # the other form comes while this one is not yet written down
            refused[0] = console.browser.post("/replays", data=FORM).text
        return planned(scene, asked)

    monkeypatch.setattr(handler, "planned", again)
    console.replayed()
    assert "a replay runs in this console" in refused[0]
    assert len([key for key in console.archive.objects if key.startswith("jobs/")]) == 1
    assert len(console.kinesis.ids()) == 2


def test_one_that_does_not_begin_is_told_of(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on, real = Event(), console.archive.put_object

    def put_object(**request: Any) -> Any:
        goes_on.wait(60)
        return real(**request)

    monkeypatch.setattr(running, "BEGIN_SECONDS", 0)
    monkeypatch.setattr(console.archive, "put_object", put_object)
    try:
        answer = console.browser.post("/replays", data=FORM)
        assert (answer.status_code, "look for it under Replay" in answer.text) == (400, True)
        assert console.browser.get("/replays").status_code == 200
    finally:
        goes_on.set()
        console.browser.app.state.replays.close()  # type: ignore[attr-defined]


def test_a_job_that_is_none_is_not_found(console: Console) -> None:
    for end in ("", ".json", "/progress"):
        address = f"/replays/replay-20261124T000000-0001{end}"
        assert console.browser.get(address).status_code == 404


def test_the_progress_says_that_the_archive_does_not_answer_and_goes_on(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = console.replayed()
    state, answers = console.archive.get_object, iter([False, True, False])

    def get_object(**request: Any) -> Any:
        if next(answers):
            raise EndpointConnectionError(endpoint_url="<nobody>")
        return state(**request)

    monkeypatch.setattr(console.archive, "get_object", get_object)
    monkeypatch.setattr(handler, "_LOOK_SECONDS", 0)
    told = console.browser.get(f"{address}/progress").text
    assert "&lt;nobody&gt;" in told
    assert told.endswith("event: closed\ndata: \n\n")


def test_what_a_sender_wrote_is_text(console: Console) -> None:
    hostile = '<script>alert("x")</script>'
    console.archive.add(KEY, [line(1, reason=hostile, source=hostile)])
    for address in ("/replays?everything=on&dry=on", f"/replays?id={hostile}&type={hostile}"):
        assert "<script>alert" not in console.browser.get(address).text
