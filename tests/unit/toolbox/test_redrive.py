"""Redrive queues: what is looked at stays, and what goes back is sent before it is deleted."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.command import run_here
from tests.support.fakes import client_error
from tests.unit.toolbox.test_dead_letters import FakeQueue
from toolbox.dead_letters.queue import DeadLetterError
from toolbox.dead_letters.redrive import RedriveQueue
from toolbox.deployments import RunningDeployment

MAIN = "http://queues/stack-github"
EVENT = {"category": "alert", "summary": "s", "details": {}, "tags": [], "hostname": "h"}


class TwoQueues(FakeQueue):
    """A queue and its redrive queue; the messages are those of the latter."""

    def __init__(self, *bodies: str) -> None:
        super().__init__()
        self.sent: list[str] = []
        self.refuses, self.queues = False, 1
        for body in bodies:
            self.send(body)

    def send_message(self, *, QueueUrl: str, MessageBody: str) -> None:
        assert QueueUrl == MAIN
        if self.refuses:
            raise client_error("AccessDenied")
        self.sent.append(MessageBody)

    def get_queue_attributes(self, *, QueueUrl: str, **_: Any) -> dict[str, Any]:
        count = len(self.messages) if QueueUrl.endswith("-redrive") else 0
        names = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
        return {"Attributes": {names[0]: str(count), names[1]: "0"}}

    def get_paginator(self, operation: str) -> Any:
        assert operation == "list_queues"
        return self

    def paginate(self) -> list[dict[str, Any]]:
        other = MAIN.replace("github", "zoom")
        urls = [one for name in (MAIN, other)[: self.queues] for one in (name, f"{name}-redrive")]
        return [{"QueueUrls": [*urls, "http://queues/tickets"]}]


@pytest.fixture
def queues(monkeypatch: pytest.MonkeyPatch) -> TwoQueues:
    made = TwoQueues(json.dumps(EVENT), "no JSON \x1b[2J")
    clients: dict[str, Any] = {"sqs": made}
    where = RunningDeployment("here", True, "s", "a", "t", "u", "", clients.__getitem__)
    monkeypatch.setattr("toolbox.cli.redrive.find_deployment", lambda *_: where)
    return made


def test_looking_takes_nothing_and_says_what_mozdef_does(queues: TwoQueues) -> None:
    (listed,) = json.loads(run_here("redrive", "list", "--json").out)
    assert listed == {"queue": "stack-github-redrive", "messages": 2}
    done = run_here("redrive", "show", "github")
    assert "it indexes a document of category alert" in done.out
    assert "its worker cannot read the message" in done.out
    assert "\\x1b[2J" in done.out
    assert (queues.hidden, len(queues.messages), queues.sent) == (set(), 2, [])


@pytest.mark.parametrize("name", ["github", "stack-github", "stack-github-redrive"])
def test_what_is_named_goes_back_and_the_rest_stays(queues: TwoQueues, name: str) -> None:
    done = run_here("redrive", "back", name, "m-1", "m-9")
    assert done.status == 1
    assert "m-9: no such message" in done.err
    assert queues.sent == ["no JSON \x1b[2J"]
    assert list(queues.messages) == ["m-0"]
    assert run_here("redrive", "back", name, "--all").status == 0
    assert (queues.messages, len(queues.sent)) == ({}, 2)


def test_a_queue_that_is_not_there_is_one_line_with_the_nearest_name(queues: TwoQueues) -> None:
    done = run_here("redrive", "show", "stack-gihub")
    assert (done.status, queues.hidden) == (1, set())
    assert "did you mean stack-github?" in done.err
    queues.queues = 2
    assert "did you mean github?" in run_here("redrive", "show", "gihub").err
    assert "there are github, zoom" in run_here("redrive", "show", "slack").err
    assert run_here("redrive", "back", "github").status == 2, "neither ids nor --all"


def test_one_that_is_missing_is_not_listed_as_empty(
    queues: TwoQueues, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(**_: Any) -> None:
        raise client_error("QueueDoesNotExist")

    monkeypatch.setattr(queues, "get_queue_attributes", gone)
    assert "is missing" in run_here("redrive", "list").out
    (listed,) = json.loads(run_here("redrive", "list", "--json").out)
    assert listed == {"queue": "stack-github-redrive", "messages": None}


def test_what_cannot_be_sent_is_not_deleted_and_comes_back(queues: TwoQueues) -> None:
    queues.refuses = True
    with (
        RedriveQueue(queues, f"{MAIN}-redrive", MAIN) as opened,
        pytest.raises(DeadLetterError, match="cannot be moved back"),
    ):
        opened.move_back(next(opened.messages()))
    assert (len(queues.messages), queues.hidden) == (2, set())
