"""A rejected event whose text is hostile, seen by each command: its text is shown, and no more."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from botocore.exceptions import ClientError

from local.queue_look import SeenMessage
from pipeline.replay.job import Job, JobStore
from tests.support.command import Done, run_here
from tests.support.fakes import FakeDynamoDb
from tests.support.hostile_text import HOSTILE, MARKUP, offending
from tests.support.replay import HOUR, JOB, FakeArchive, FakeKinesis, line
from tests.unit.toolbox.test_dead_letters import FakeQueue
from toolbox.dead_letters.queue import ticket_id
from toolbox.deployments import RunningDeployment
from toolbox.terminal import entry

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Long ago, so that nothing is on its way.
RAW = "raw/source=github/dt=2020-01-01/hr=00/shardId-000000000000-1.jsonl.gz"
LONG_AGO = "2020-01-01T00:10:00+00:00"
SPAN = ("--from", "2020-01-01T00:00Z", "--to", "2020-01-01T01:00Z")
#: What an archive's line can hold: it is UTF-8, so no lone surrogate.
TEXTS = [one.encode(errors="replace").decode() for one in HOSTILE]


def _around(number: int) -> str:
    return f"before{number}:{TEXTS[number]}:after{number}"


ALL = [_around(number) for number in range(len(TEXTS))]


class Deployment:
    """An archive, queues and a stream that hold what a hostile sender put there."""

    def __init__(self) -> None:
        self.archive, self.tickets, self.messages = FakeArchive(), FakeQueue(), FakeQueue()
        self.kinesis = FakeKinesis()

    def look(self, after: int) -> Iterator[SeenMessage]:
        for number, one in enumerate(self.messages.messages.values()):
            if number > after:
                yield SeenMessage(number, str(number), one["Body"], 0.0, 0, "visible")

    def running(self) -> RunningDeployment:
        clients: dict[str, Any] = {
            "s3": self.archive, "sqs": self.tickets, "kinesis": self.kinesis,
            "dynamodb": FakeDynamoDb(),
        }  # fmt: skip
        return RunningDeployment(
            "here", True, "stream", "archive", "table", "url", "", clients.__getitem__
        )


@pytest.fixture
def deployment(monkeypatch: pytest.MonkeyPatch) -> Deployment:
    made = Deployment()
    commands = "dead_letters", "dead_letters_list", "replay", "replay_jobs", "audit", "explain"
    for command in commands:
        monkeypatch.setattr(f"toolbox.cli.{command}.find_deployment", lambda *_: made.running())
    monkeypatch.setattr("toolbox.cli.audit.folders", dict)
    # They are read from every source's folder, and say nothing here.
    for command in ("replay", "dead_letters"):
        monkeypatch.setattr(f"toolbox.cli.{command}.windows_of_settings", dict)
    where = SimpleNamespace(queues={"github": "q"}, aws_endpoint_url="http://127.0.0.1:1")
    monkeypatch.setattr("toolbox.cli.tail.running", lambda _: where)
    monkeypatch.setattr("toolbox.explaining.opening.endpoints.read", lambda _: where)
    monkeypatch.setattr("toolbox.explaining.opening._messages", lambda _: [])
    monkeypatch.setattr("toolbox.explaining.opening.Explained._load", lambda *_: None)
    monkeypatch.setattr("toolbox.cli.tail.look_at", lambda _, __, after: made.look(after))
    # A cell that is as long as these is not taken apart.
    monkeypatch.setattr("toolbox.terminal.output.console._width", 20_000)
    return made


def _key(number: int) -> str:
    return f"rejected/source=github/{HOUR}/shardId-000000000000-{number + 1}.jsonl.gz"


def _reject_all(deployment: Deployment, texts: list[str] = ALL) -> None:
    for number, said in enumerate(texts):
        rejected = line(
            number + 1,
            reason="schema_violation",
            explanation=said,
            event_type=said,
            key=said,
            body=said,
        )
        deployment.archive.add(_key(number), [rejected])
        deployment.tickets.notify(_key(number))


def _sound(done: Done) -> str:
    assert done.status in {0, 1}, done.err
    assert offending(done.out.replace("\t", " ") + done.err) == []
    return done.out


def _shows_each(told: str) -> bool:
    """Whether each text is there, in its order, and what is to be seen of it as it was sent."""
    for number, text in enumerate(TEXTS):
        between = re.search(f"before{number}:(.*?):after{number}", told, re.DOTALL)
        assert between, text
        if text in MARKUP:
            assert between[1].replace("\\\\", "\\") == text
    return True


def test_the_list_of_tickets_shows_explanations_as_text(deployment: Deployment) -> None:
    _reject_all(deployment, ["benign"] * len(TEXTS))
    lines = len(_sound(run_here("dead-letters", "list")).splitlines())
    _reject_all(deployment)
    told = _sound(run_here("dead-letters", "list"))
    assert _shows_each(told)
    assert len(told.splitlines()) == lines


def test_tickets_are_listed_by_the_page_and_in_groups(deployment: Deployment) -> None:
    _reject_all(deployment)
    names = {said.replace("/", "-") for said in TEXTS}
    for name in names:
        deployment.tickets.notify(f"rejected/source={name}/{HOUR}/shardId-0-1.jsonl.gz")
    total = len(ALL) + len(names)
    told = run_here("dead-letters", "list", "--size", "3", "--page", "2")
    _sound(told)
    assert f"{total} tickets in all" in told.err
    assert "page 2 of" in told.err
    page = json.loads(run_here("dead-letters", "list", "--size", "3", "--json").out)
    assert len(page) == 3
    groups = json.loads(_sound(run_here("dead-letters", "list", "--groups", "--json")))
    assert sum(one["tickets"] for one in groups) == total
    assert groups[0]["source"] == "github"


@pytest.mark.parametrize("number", range(len(TEXTS)), ids=map(ascii, TEXTS))
def test_a_ticket_shows_explanation_and_body_as_text(deployment: Deployment, number: int) -> None:
    _reject_all(deployment, [ALL[number]])
    told = _sound(run_here("dead-letters", "show", ticket_id(_key(0))[:6])).splitlines()
    # No line of a sender passes for a field of the house.
    assert sum(one.startswith("  reason:") for one in told) == 1
    (said,) = [one for one in told if one.startswith(f"  explanation: before{number}:")]
    assert said.endswith(f":after{number}")
    assert any(f":after{number}" in one for one in told if one.startswith(("  body:", "  | ")))


def test_json_of_tickets_has_the_texts_whole(deployment: Deployment) -> None:
    _reject_all(deployment)
    found = json.loads(_sound(run_here("dead-letters", "list", "--json")))
    assert sorted((one["explanation"] for one in found), key=_number) == ALL
    (event,) = json.loads(_sound(run_here("dead-letters", "show", ticket_id(_key(0)), "--json")))[
        "events"
    ]
    assert (event["explanation"], event["body"]) == (ALL[0], ALL[0])


def test_a_message_that_is_no_notification_is_shown_as_text(deployment: Deployment) -> None:
    middle = len(ALL) // 2
    for part in (ALL[:middle], ALL[middle:]):
        deployment.tickets.send(" ".join(part))
    tickets = json.loads(_sound(run_here("dead-letters", "list", "--json")))
    assert {ticket["kind"] for ticket in tickets} == {"unreadable"}
    _sound(run_here("dead-letters", "list"))
    told = [_sound(run_here("dead-letters", "show", one["id"], "--full")) for one in tickets]
    assert _shows_each("\n".join(sorted(told, key=_number)))


def _number(told: str) -> int:
    found = re.search(r"before(\d+):", told)
    assert found
    return int(found[1])


def test_a_dry_run_shows_what_it_would_send_as_text(deployment: Deployment) -> None:
    told = ""
    # It shows a sample of five.
    for first in range(0, len(ALL), 5):
        deployment.archive.objects.clear()
        _reject_all(deployment, ALL[first : first + 5])
        told += _sound(run_here("replay", "--dry-run", "--all"))
    assert _shows_each(told)


def test_a_job_that_somebody_wrote_is_shown_as_text(deployment: Deployment) -> None:
    said = " ".join(ALL)
    job = Job(JOB, {"user": said}, "2026-11-23T21:00:00+00:00", {}, {})
    job.error, job.by, job.counts = said, {said: 1}, {"unreadable": 1}
    job.problems = [{"what": said, "key": said, "line": 1, "explanation": said}]
    JobStore(deployment.archive, "archive").save(job)
    assert _shows_each(_sound(run_here("replay", "list")))
    assert _shows_each(_sound(run_here("replay", "show", JOB)))


def test_an_audit_shows_what_is_missing_as_text(deployment: Deployment) -> None:
    # It names ten.
    for first in range(0, len(ALL), 10):
        deployment.archive.objects.clear()
        part = ALL[first : first + 10]
        deployment.archive.add(
            RAW, [line(n + 1, name=said, arrived=LONG_AGO) for n, said in enumerate(part)]
        )
        told = _sound(run_here("audit", *SPAN))
        for number in range(first, first + len(part)):
            assert f"missing: github before{number}:" in told


def test_tail_shows_events_and_what_is_none(deployment: Deployment) -> None:
    for said in ALL:
        deployment.messages.send(orjson.dumps({"summary": said}).decode())
        deployment.messages.send(f"no JSON, {said}")
    told = _sound(run_here("tail"))
    lines = told.splitlines()
    assert [json.loads(one)["summary"] for one in lines[::2]] == ALL
    assert all(one.startswith("no JSON, before") for one in lines[1::2])
    assert len(lines) == 2 * len(ALL)
    assert _shows_each("\n".join(lines[1::2]))


def test_explain_shows_what_a_sender_wrote_as_text(deployment: Deployment) -> None:
    _reject_all(deployment)
    raw = [line(n + 1, key=said, ip=said, arrived=LONG_AGO) for n, said in enumerate(ALL)]
    deployment.archive.add(RAW, raw)
    kept = ("id", "source", "arrived", "sequence_number")
    settled = [{name: one[name] for name in kept} for one in raw]
    ledger = RAW.replace("raw/source=github/", "ledger/")
    reason = {"outcome": "rejected", "reason": "schema_violation"}
    deployment.archive.add(ledger, [{**one, **reason} for one in settled])
    told = "".join(_sound(run_here("explain", said, *SPAN)) for said in ALL[::3])
    for number in range(0, len(ALL), 3):
        assert f"before{number}:" in told
        assert f"answered request-{number + 1}\n" in told


def test_an_id_that_begins_with_a_hyphen_is_no_option(deployment: Deployment) -> None:
    deployment.archive.add(RAW, [line(1, name="-Th_-abcdefgh0=", arrived=LONG_AGO)])
    for words in (("-Th_-abcdefgh0=", *SPAN), (*SPAN, "-Th_-abcdefgh0=")):
        assert "the id that the door answered" in _sound(run_here("explain", *words))
    assert run_here("explain", "-T").status == 2


PATTERN = "^[/a-z]+$"


@pytest.fixture
def private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A source whose schema has what looks like markup in its own message."""
    monkeypatch.chdir(tmp_path)
    Path("body.json").write_text(json.dumps({"id": "1", "path": "/a"}))
    Path("second.json").write_text(json.dumps({"id": "2", "path": "/b"}))
    done = run_here("source", "new", "paths", "--sample", "body.json", "--sample", "second.json")
    assert done.status == 0, done.err
    folder = tmp_path / "config" / "sources" / "paths"
    for file in folder.glob("schemas/*.json"):
        schema = json.loads(file.read_text())
        schema["properties"]["path"]["pattern"] = PATTERN
        file.write_text(json.dumps(schema))
    return folder


def test_the_pattern_and_the_value_of_a_rejected_event_are_shown_as_text(private: Path) -> None:
    Path("bad.json").write_bytes(orjson.dumps({"id": "1", "path": " ".join(ALL)}))
    done = run_here("source", "try", "paths", "bad.json")
    assert done.status == 1
    assert offending(done.out.replace("\t", " ") + done.err) == []
    assert PATTERN in done.out


def test_an_error_that_quotes_what_it_was_given_is_one_line(deployment: Deployment) -> None:
    for text in HOSTILE[::3]:
        done = run_here("dead-letters", "show", f"x{text}")
        assert done.status == 1
        assert offending(done.err) == []
        assert done.err.count("\n") == 1


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_a_stack_trace_is_text_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    def app(**_: Any) -> None:
        raise ValueError(f"before{text}after")

    monkeypatch.setattr(entry, "end_in_order", lambda: None)
    with pytest.raises(SystemExit) as ended:
        entry.run(app)  # type: ignore[arg-type]
    told = capsys.readouterr().err
    assert ended.value.code == 1
    assert "ValueError: before" in told
    assert offending(told) == []


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_what_a_service_refuses_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    def app(**_: Any) -> None:
        refusal = {"Error": {"Code": "AccessDeniedException", "Message": f"before{text}after"}}
        raise ClientError(refusal, "GetItem")  # type: ignore[arg-type]

    monkeypatch.setattr(entry, "end_in_order", lambda: None)
    with pytest.raises(SystemExit) as ended:
        entry.run(app)  # type: ignore[arg-type]
    told = capsys.readouterr().err
    assert (ended.value.code, told.count("\n")) == (2, 1)
    assert "(AccessDeniedException) when calling the GetItem operation" in told
    assert offending(told) == []


@pytest.mark.parametrize(("words", "status"), [(("--{}",), 2), (("{}",), 2), (("tail", "{}"), 1)])
def test_wrong_usage_quotes_arguments_as_text(
    deployment: Deployment, words: tuple[str, ...], status: int
) -> None:
    # After a '=' is an option's value.
    text = "".join(one for one in HOSTILE if "=" not in one)
    done = run_here(*(word.format(f"before{text}after") for word in words))
    assert done.status == status
    assert re.search(r"before.*\[bold].*after", done.err)
    assert offending(done.err) == []


def test_an_encoding_that_lacks_a_character_ends_nothing() -> None:
    code = "from toolbox.terminal.output import console; console.print('a\\u2192b')"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONIOENCODING": "latin-1", "PYTHONUTF8": "0"},
        capture_output=True,
        check=False,
    )
    assert (done.stdout, done.returncode) == (b"a\\u2192b\n", 0)
