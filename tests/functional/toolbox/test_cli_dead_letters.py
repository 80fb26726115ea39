"""Tickets from the command line: filters, causes, several ids, and what is not there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.command import run_here
from tests.support.fakes import FakeDynamoDb
from tests.support.replay import HOUR, FakeArchive, line
from tests.support.terminal import fits, is_golden, shown
from tests.unit.toolbox.test_dead_letters import FakeQueue
from toolbox.cli.dead_letters_list import list_tickets
from toolbox.dead_letters.queue import ticket_id
from toolbox.deployments import RunningDeployment

if TYPE_CHECKING:
    from pathlib import Path

#: Milliseconds, as SQS tells when a message was sent: the start of 2026.
SENT, DAY = 1_767_225_600_000, 86_400_000


def key(source: str, number: int, prefix: str = "rejected") -> str:
    return f"{prefix}/source={source}/{HOUR}/shardId-000000000000-{number}.jsonl.gz"


class Deployment:
    def __init__(self) -> None:
        self.archive, self.queue = FakeArchive(), FakeQueue()
        self.logs: Path | None = None
        for number, (source, reason) in enumerate(
            [("github", "schema_violation")] * 3 + [("github", "too_deep"), ("okta", "too_deep")]
        ):
            self.put(source, number, reason, sent=SENT + number * DAY)

    def put(self, source: str, number: int, reason: str, sent: int) -> None:
        why = "$.action: 'x' is not one of ['opened']" if reason == "schema_violation" else ""
        found = line(number, source=source, reason=reason, explanation=why)
        self.archive.add(key(source, number), [found])
        self.queue.notify(key(source, number), sent=sent)

    def give_up(self, number: int, function: str, logs: Path, **said: str) -> str:
        """Have a mapping give up a batch after its function said something."""
        request = f"0000000{number}-aaaa"
        document = {
            "requestContext": {
                "requestId": request,
                "functionArn": f"arn:aws:lambda:us-west-2:123456789012:function:{function}",
                "condition": "RetryAttemptsExhausted",
                "approximateInvokeCount": 4,
            },
            "timestamp": "2026-01-09T00:00:00.000Z",
            "payload": json.dumps({"Records": []}),
        }
        name = f"aws/lambda/5c2e/shardId-000000000000/2026/01/09/2026-01-09T00.00.00-{number}"
        self.archive.objects[name] = json.dumps(document).encode()
        self.queue.notify(name, sent=SENT + number * DAY)
        with (logs / f"{function}.log").open("a") as log:
            log.write(json.dumps({"requestId": request, **said}) + "\n")
        self.logs = logs
        return ticket_id(name)

    def running(self) -> RunningDeployment:
        clients: dict[str, Any] = {
            "s3": self.archive, "sqs": self.queue, "dynamodb": FakeDynamoDb(),
        }  # fmt: skip
        return RunningDeployment(
            "here", True, "stream", "archive", "table", "url", "", clients.__getitem__,
            logs=self.logs,
        )  # fmt: skip


@pytest.fixture
def deployment(monkeypatch: pytest.MonkeyPatch) -> Deployment:
    made = Deployment()
    for command in ("dead_letters", "dead_letters_list", "replay", "replay_jobs", "audit"):
        monkeypatch.setattr(f"toolbox.cli.{command}.find_deployment", lambda *_: made.running())
    return made


def listed(*words: str) -> list[dict[str, Any]]:
    done = run_here("dead-letters", "list", "--json", *words)
    assert done.status == 0, done.err
    found: list[dict[str, Any]] = json.loads(done.out)
    return found


@pytest.mark.parametrize(
    ("words", "number"),
    [
        (("--source", "github"), 4),
        (("--source", "github", "--source", "okta"), 5),
        (("--reason", "too_deep"), 2),
        (("--reason", "too_deep", "--source", "okta"), 1),
        (("--kind", "rejected"), 5),
        (("--from", "2026-01-03"), 3),
        (("--to", "2026-01-03"), 2),
    ],
)
def test_tickets_are_chosen_by_source_reason_kind_and_age(
    deployment: Deployment, words: tuple[str, ...], number: int
) -> None:
    del deployment
    assert len(listed(*words)) == number


def test_what_fits_nothing_is_status_1_and_names_the_nearest(deployment: Deployment) -> None:
    for words, said in (
        (("list", "--source", "githb"), "githb: no such source; did you mean github?"),
        (("list", "--reason", "to_deep"), "to_deep: no such reason; did you mean too_deep?"),
        (("list", "--kind", "fail"), "fail: no such kind; did you mean failed?"),
        (("list", "--to", "2025-12-31"), "none of 5 tickets fits"),
        (
            ("show", ticket_id(key("okta", 4))[:-1] + "!"),
            "did you mean " + ticket_id(key("okta", 4)),
        ),
        (("dismiss", "x", "--reason", "y"), "x: no such ticket; there are "),
        (("replay", "x"), "x: no such ticket; there are "),
        (("replay", "--source", "githb"), "did you mean github?"),
    ):
        done = run_here("dead-letters", *words)
        assert (done.status, said in done.err) == (1, True), done.err
    for words, said in (
        (("replay", "--source", "githb", "--dry-run"), "did you mean github?"),
        (("replay", "show", "replay-x"), "replay-x: no such replay job; there are none"),
        (("replay", "--resume", "replay-x"), "replay-x: no such replay job; there are none"),
        (("audit", "--source", "githb"), "did you mean github?"),
    ):
        done = run_here(*words)
        assert (done.status, said in done.err) == (1, True), done.err
    assert len(deployment.queue.messages) == 5


def test_an_empty_queue_is_no_fault(deployment: Deployment) -> None:
    deployment.queue.messages.clear()
    assert listed() == []


def test_several_tickets_are_shown_and_dismissed_at_once(deployment: Deployment) -> None:
    ids = [ticket_id(key("github", number)) for number in (0, 1)]
    done = run_here("dead-letters", "show", ids[0], ids[1][:8], ids[0], "--json")
    assert [one["id"] for one in json.loads(done.out)] == ids
    wrong = run_here("dead-letters", "dismiss", *ids, "no-such", "--reason", "a test")
    assert wrong.status == 1
    assert len(deployment.queue.messages) == 5, "one that is wrong dismisses none"
    done = run_here("dead-letters", "dismiss", *ids, "--reason", "a test")
    assert done.status == 0, done.err
    assert len(deployment.queue.messages) == 3
    for one in ids:
        assert json.loads(deployment.archive.objects[f"jobs/dismissed/{one}.json"])


def test_one_cause_is_one_line(deployment: Deployment) -> None:
    del deployment
    found = listed("--causes")
    assert [(one["tickets"], one["reasons"]) for one in found] == [
        (3, ["schema_violation"]),
        (1, ["too_deep"]),
        (1, ["too_deep"]),
    ]
    text = shown(lambda: list_tickets(causes=True)).rpartition("\x1b[?25h")[2]
    fits(text)
    is_golden("dead-letters-causes", text)


def test_a_batch_that_was_given_up_says_why(deployment: Deployment, tmp_path: Path) -> None:
    full = {"errorType": "QueueError", "errorMessage": "the queue is full"}
    first = deployment.give_up(10, "fan-out", tmp_path, **full)
    deployment.give_up(11, "fan-out", tmp_path, **full)
    deployment.give_up(12, "archiver", tmp_path, errorType="BucketError", errorMessage="no bucket")
    causes = [(one["cause"], one["id"]) for one in listed("--kind", "failed")]
    assert causes[0] == ("QueueError: the queue is full", first)
    groups = [one for one in listed("--causes") if one["kind"] == "failed"]
    assert (groups[0]["tickets"], groups[0]["first"]) == (2, first)
    assert "QueueError: the queue is full" in groups[0]["explanation"]
    assert "BucketError: no bucket" in groups[1]["explanation"]
    shown_one = run_here("dead-letters", "show", first)
    assert "the function said: QueueError: the queue is full" in shown_one.out


def test_what_is_in_quarantine_is_a_list_as_tickets_are(deployment: Deployment) -> None:
    place = key("okta", 9, "quarantine")
    deployment.archive.add(place, [line(9, source="okta", reason="bad_signature")])
    (found,) = listed("--quarantine")
    assert (found["kind"], found["reasons"]) == ("quarantine", {"bad_signature": 1})
    done = run_here("dead-letters", "show", "--quarantine", found["id"][:6], "--json")
    assert json.loads(done.out)["key"] == place
    assert run_here("dead-letters", "show", found["id"]).status == 1, "it has no ticket"


def test_more_in_quarantine_than_is_listed_is_said(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("toolbox.dead_letters.quarantine.MOST_LISTED", 2)
    for number in range(3):
        place = key("okta", number, "quarantine")
        deployment.archive.add(place, [line(number, source="okta", reason="bad_signature")])
        done = run_here("dead-letters", "list", "--quarantine", "--json")
        assert len(json.loads(done.out)) == min(number + 1, 2)
        assert ("more than 2 objects" in done.err) is (number == 2)


def test_the_list_fits_the_terminal(deployment: Deployment) -> None:
    del deployment
    text = shown(lambda: list_tickets(size=2))
    fits(text)
