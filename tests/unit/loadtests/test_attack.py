"""Each attack of `make attack` says NOT HELD where the defence is missing, and is told so."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from loadtests.attack import archived, feeds, folders, laptop, schemas, texts
from loadtests.attack.pipeline import AttackedPipeline
from loadtests.attack.plan import ATTACKS, tell
from loadtests.attack.verdicts import (
    Attack,
    Judgement,
    NotHeldError,
    NotTriedError,
    carry_out,
    refuse_if,
)
from local.credentials import RunCredentials
from pipeline.polling.http_client import HttpResponse
from settings.source.loader import load_sources

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SOURCES = ("generic", "github", "okta", "slack", "zoom")
#: 24 bytes in base64, as the sources of the catalogue take them.
SECRET = "c2VjcmV0LW9mLXRoaXMtYXR0YWNr"
CARELESS = {
    "AWS::S3::BucketPolicy": {
        "PolicyDocument": {
            "Statement": [
                {
                    "Effect": "Deny",
                    "Action": "s3:*",
                    "Principal": {"AWS": "*"},
                    "Resource": "/raw/*",
                }
            ]
        }
    },
    "AWS::ApiGateway::Method": {
        "Integration": {"Uri": "action/PutRecord", "RequestTemplates": {"a": "$partitionKey"}}
    },
    "AWS::WAFv2::WebACL": {"Rules": []},
}


class Yes(BaseHTTPRequestHandler):
    """Answers everything with 200, for everybody."""

    status, origin = 200, ""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("do_"):
            return self.say_yes
        raise AttributeError(name)

    def say_yes(self) -> None:
        self.send_response(self.status)
        self.send_header("Content-Length", "2")
        if self.origin:
            self.send_header("Access-Control-Allow-Origin", self.origin)
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def careless_server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Yes) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


class Careless(AttackedPipeline):
    """A pipeline without a defence: takes all, and everything comes out."""

    def __init__(self, url: str, folder: Path) -> None:
        self.state = folder / "state"
        (self.state / "logs").mkdir(parents=True)
        (self.state / "logs" / "x.log").write_text("Runtime.OutOfMemory: killed")
        self.template = {
            "Resources": {kind: {"Type": kind, "Properties": one} for kind, one in CARELESS.items()}
        }
        self.scratch = folder
        self.sources = load_sources(SOURCES)
        self.where: Any = SimpleNamespace(
            api=url,
            aws_endpoint_url=url,
            region="us-west-2",
            archive_bucket="bucket",
            credentials=RunCredentials("ID", SECRET),
            parameters={name: {"secret": SECRET} for name in SOURCES},
        )
        self.settled = 0
        self.for_pages = set()
        self.process: subprocess.Popen[bytes] | None = None

    def settle(self) -> None:
        self.settled += 1

    def pids(self) -> list[int]:
        assert self.process
        return [self.process.pid]

    def events(self, mark: str) -> list[tuple[str, dict[str, Any]]]:
        return [("generic", {"details": {"attack": mark}})]

    def archived(self, prefix: str) -> Iterator[dict[str, Any]]:
        yield {"reason": "bad_signature"}

    def client(self, service: Any) -> Any:
        return SimpleNamespace(put_object=lambda **_: None)


@contextmanager
def with_a_secret() -> Iterator[subprocess.Popen[bytes]]:
    program = [sys.executable, "-c", "input()", SECRET]
    with subprocess.Popen(program, stdin=subprocess.PIPE) as process:
        yield process
        process.communicate(b"\n")


@pytest.fixture
def careless(
    careless_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Careless]:
    def run_as_code(*_: Any) -> dict[str, str | None]:
        (tmp_path / "canary").touch()
        return {}

    printed = SimpleNamespace(returncode=0, stdout=b"attacker.example \x9b31m", stderr=b"")
    done = SimpleNamespace(returncode=0, stdout="{}", stderr="")
    monkeypatch.setattr(texts, "subprocess", SimpleNamespace(run=lambda *_, **__: printed))
    monkeypatch.setattr(archived, "subprocess", SimpleNamespace(run=lambda *_, **__: done))
    monkeypatch.setattr(folders, "read_apart", lambda *_: {"sound": None, "device": None})
    monkeypatch.setattr(feeds, "read_apart", lambda *_: {})
    monkeypatch.setattr(schemas, "read_apart", run_as_code)
    answer = HttpResponse(200, {}, b"[]")
    monkeypatch.setattr("loadtests.attack.feeds.HttpClient.send", lambda *_: answer)
    arena = Careless(careless_server, tmp_path)
    with with_a_secret() as arena.process:
        yield arena


@pytest.mark.parametrize("attack", ATTACKS, ids=[attack.name for attack in ATTACKS])
def test_it_is_told_where_the_defence_is_missing(attack: Attack, careless: Careless) -> None:
    (verdict,) = carry_out([attack], careless)
    assert verdict.held is False or (verdict.held is None and attack.attempt is laptop.another_user)
    unread = attack.attempt is feeds.page_of_nothings  # here nothing at all is read
    assert ("cannot be judged" in verdict.reason) is unread


def test_an_answer_that_a_page_may_read_is_told(
    careless: Careless, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Yes, "status", 403)
    monkeypatch.setattr(Yes, "origin", "*")
    for attempt in (laptop.foreign_hosts_at_the_api, laptop.unsigned_calls):
        careless.for_pages = set()
        with pytest.raises(NotHeldError, match="access-control-allow-origin"):
            attempt(careless)


def attack_that(attempt: Any) -> Attack:
    return Attack("x", "y", attempt)


def refuses(error: Exception) -> Any:
    def attempt(*_: AttackedPipeline) -> str:
        raise error

    return attempt


def test_what_waits_is_judged_after_all_is_settled(careless: Careless) -> None:
    seen: list[int] = []

    def later() -> str:
        seen.append(careless.settled)
        return "well"

    verdicts = list(
        carry_out([attack_that(lambda _: later), attack_that(lambda _: "at once")], careless)
    )
    assert [(one.held, one.reason) for one in verdicts] == [(True, "at once"), (True, "well")]
    assert seen == [1]


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize(
    ("error", "held", "reason"),
    [
        (NotHeldError("it fell"), False, "it fell"),
        (NotTriedError("needs root"), None, "needs root"),
        (KeyError("gone"), False, "cannot be judged: KeyError: 'gone'"),
    ],
)
def test_each_end_has_its_verdict(
    careless: Careless, error: Exception, held: bool | None, reason: str, late: bool
) -> None:
    attempt = (lambda _: refuses(error)) if late else refuses(error)
    (verdict,) = carry_out([attack_that(attempt)], careless)
    assert (verdict.held, verdict.reason) == (held, reason)


def test_the_lines_say_what_was_not_held_and_their_number_is_returned() -> None:
    attack = attack_that(None)
    verdicts = [Judgement(attack, held, "why") for held in (True, False, None, False)]
    lines: list[tuple[str, str]] = []
    assert tell(iter(verdicts), lambda text, style: lines.append((text, style))) == 2
    assert [text[:9].strip() for text, _ in lines] == ["held", "NOT HELD", "not tried", "NOT HELD"]


@pytest.mark.parametrize("broken", [1, "x", ["x"], True])
def test_what_is_there_and_should_not_be_is_refused(broken: object) -> None:
    with pytest.raises(NotHeldError, match="why"):
        refuse_if(broken, "why")


def test_names_of_attacks_differ_and_few_are_left_out_of_the_brief_form() -> None:
    assert len({attack.name for attack in ATTACKS}) == len(ATTACKS)
    assert sum(not attack.brief for attack in ATTACKS) == 5


def test_an_event_is_found_wherever_its_mark_is(careless: Careless) -> None:
    careless._messages = [
        ("a", {"details": {"x": [{"attack": "m1"}]}}),
        ("b", json.loads('{"attack": "m2", "text": "m1"}')),
    ]
    assert [queue for queue, _ in AttackedPipeline.events(careless, "m1")] == ["a"]
    assert [queue for queue, _ in AttackedPipeline.events(careless, "m2")] == ["b"]
