"""What `status` makes of what it finds: rates from logs, what is at risk, and the screen."""

from __future__ import annotations

import io
import json
import time
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from botocore.exceptions import ClientError
from rich.console import Console, ConsoleDimensions, Group
from rich.text import Text

from pipeline.event.envelope import Envelope
from pipeline.event.events import Event, Outcome, delivered, duplicate, rejected
from pipeline.event.outcomes import Reason, Verdict
from pipeline.polling.report import Report
from pipeline.runtime import metrics
from pipeline.runtime.event_log import IDS_IN_A_LINE, MOST_REJECTED, log_events, place
from settings.deployment_alarms import AlarmSettings
from tests.support.bench import Bench, github, record
from tests.support.command import given
from toolbox.cli import status as command
from toolbox.cli.status_screen import screen
from toolbox.terminal.console import TextConsole
from toolbox.terminal.pages import page_of
from toolbox.terminal.stopping import StopRequest
from toolbox.watching import local_watcher
from toolbox.watching.document import status_document
from toolbox.watching.emf import CounterLogs
from toolbox.watching.local_watcher import LocalWatcher
from toolbox.watching.queues import read_queue
from toolbox.watching.status import (
    COUNTERS,
    RARE,
    ConsumerState,
    FeedState,
    HeldShard,
    QueueState,
    Refusals,
    Risk,
    SourceState,
    Status,
)

if TYPE_CHECKING:
    from pathlib import Path

NOW = 1_795_464_600.0
QUIET = Status(
    deployment="the local pipeline in .local",
    as_of=NOW,
    minutes=5,
    sources=(
        SourceState("github", dict.fromkeys(("Received", "Delivered"), 12.0), NOW - 3),
        SourceState("generic", {}, None),
    ),
    consumers=(ConsumerState("fan-out", 0.0), ConsumerState("archiver", None)),
    tickets=QueueState("tickets", 0, 0, None),
    queues=(QueueState("github", 1_200, 3, 40.0), QueueState("github-redrive", 0, 0, None)),
    feeds=(FeedState("pulled", "logs", 30.0, NOW - 60),),
)


def line(source: str, when: float, **values: Any) -> bytes:
    text = {"_aws": {"Timestamp": when * 1000}, "source": source, **values}
    return json.dumps(text).encode() + b"\n"


def emitted(capsys: pytest.CaptureFixture[str], folder: Path, name: str = "fan-out") -> None:
    with (folder / f"{name}.log").open("a") as log:
        log.write(capsys.readouterr().out)


def test_nothing_is_at_risk_while_all_is_below_the_thresholds() -> None:
    assert QUIET.risks(AlarmSettings()) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"consumers": (ConsumerState("fan-out", 300.0),)}, "the fan-out is 300 s behind"),
        ({"consumers": (ConsumerState("archiver", 900.0),)}, "the archiver is 900 s behind"),
        ({"tickets": QueueState("tickets", 0, 2, None)}, "2 tickets wait"),
        ({"queues": (QueueState("q-redrive", 4, 0, None),)}, "4 messages in q-redrive"),
        ({"queues": (QueueState("q", 4, 0, 900.0),)}, "q has waited for 900 s"),
        ({"feeds": (FeedState("a", "b", 3_600.0, NOW),)}, "feed b of a is 3600 s behind"),
    ],
)
def test_each_thing_that_is_at_risk_is_said(change: dict[str, Any], said: str) -> None:
    assert [one.what for one in replace(QUIET, **change).risks(AlarmSettings())] == [said]


class NoQueue:
    """SQS, where somebody deleted the queue."""

    def get_queue_attributes(self, **_: Any) -> dict[str, Any]:
        code = "AWS.SimpleQueueService.NonExistentQueue"
        raise ClientError({"Error": {"Code": code, "Message": "m"}}, "GetQueueAttributes")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("tickets", "no ticket tells of what is rejected or given up"),
        ("zoom-redrive", "what MozDef never deletes stays in its queue"),
    ],
)
def test_a_queue_of_tickets_or_of_a_redrive_that_is_missing_is_a_risk(name: str, said: str) -> None:
    gone = read_queue(NoQueue(), f"https://sqs/1/p-{name}", name)
    change: dict[str, Any] = {"tickets": gone} if name == "tickets" else {"queues": (gone,)}
    status = replace(QUIET, **change)
    for each in (status, replace(status, alarms=())):
        (risk,) = each.risks(AlarmSettings())
        assert (risk.what, risk.why) == (f"the queue {name} is missing", said)
    assert ("that of tickets included" in shown_on_screen(status, [])) == (name != "tickets")


class OneQueue(NoQueue):
    """SQS on this machine, where the queue is there, and its redrive queue is not."""

    def get_paginator(self, _: str) -> OneQueue:
        return self

    def paginate(self) -> list[dict[str, Any]]:
        return [{"QueueUrls": ["http://q/1/p-zoom", "http://q/1/p-tickets"]}]

    def get_queue_attributes(self, **asked: Any) -> dict[str, Any]:
        if asked["QueueUrl"].endswith("-redrive"):
            super().get_queue_attributes()
        counts = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
        return {"Attributes": dict.fromkeys(counts, "0")}


def test_a_redrive_queue_that_is_gone_is_missed_on_this_machine() -> None:
    where: Any = SimpleNamespace(
        queues={"zoom": "http://q/1/p-zoom"}, dead_letter_queue="http://q/1/p-tickets"
    )
    sqs: Any = OneQueue()
    found = local_watcher._queues(sqs, where, NOW)
    assert [(one.name, one.is_there) for one in found] == [
        ("p-zoom", True),
        ("p-zoom-redrive", False),
    ]


HELD = HeldShard("fan-out", "shardId-1", 4, 95.0, "SQS is throttled")


@pytest.mark.parametrize(
    ("change", "risk"),
    [
        (
            {"consumers": (ConsumerState("fan-out", 95.0, (HELD,)),)},
            Risk(
                "shardId-1 is held up at the fan-out: tried 4 times, the oldest record came 95 s "
                "ago",
                "SQS is throttled",
                "look into its log; then mozdef-ef status --watch --stack S",
            ),
        ),
        (
            {"missing_secrets": ("zoom/signing_secret",)},
            Risk(
                "the secret of zoom is missing (signing_secret)",
                "its requests are turned away or rejected",
                "mozdef-ef secret set zoom --parameter signing_secret --stack S",
            ),
        ),
        (
            {"queues": (read_queue(NoQueue(), "https://sqs/1/p-zoom", "zoom"),)},
            Risk(
                "the queue zoom is missing",
                "what would go there is rejected: queue_unavailable",
                "mozdef-ef cdk deploy --revert-drift",
            ),
        ),
        (
            {"feeds": (FeedState("a", "b", 9_000.0, NOW, "its last poll failed: x", True),)},
            Risk(
                "feed b of a stands still",
                "its last poll failed: x",
                "see docs/polling.md and its log",
            ),
        ),
        (
            {"queues": (QueueState("q-redrive", 4, 0, 9_000.0),)},
            Risk(
                "4 messages in q-redrive",
                "MozDef took them ten times and never deleted them",
                "mozdef-ef redrive show q-redrive --stack S",
            ),
        ),
        (
            {"refusals": Refusals({("github", "bad_signature"): 1})},
            Risk(
                "quarantine grows: 1 event of github within 5 minutes",
                "bad_signature",
                "mozdef-ef dead-letters list --quarantine --stack S",
            ),
        ),
        (
            {
                "tickets": QueueState("tickets", 1, 0, None),
                "refusals": Refusals({}, ("github", "schema_violation")),
            },
            Risk(
                "1 ticket waits",
                "the last: github, schema_violation",
                "mozdef-ef dead-letters list --stack S",
            ),
        ),
    ],
)
def test_a_risk_has_its_last_reason_and_the_command_to_type(
    change: dict[str, Any], risk: Risk
) -> None:
    status = replace(QUIET, **change)
    with given("status", "--stack", "S"):
        assert status.risks(AlarmSettings()) == [risk]
        watched = replace(status, alarms=()).risks(AlarmSettings())
    assert watched == ([] if "tickets" in change else [risk]), "no alarm is needed to know it"


def test_one_try_in_vain_and_a_queue_that_nobody_reads_here_are_no_risks() -> None:
    once = ConsumerState("fan-out", 0.0, (replace(HELD, tries=1),))
    unread = replace(QUIET, local=True, queues=(QueueState("q", 4, 0, 9_000.0),), consumers=(once,))
    assert unread.risks(AlarmSettings()) == []
    assert "oldest unsettled 1.6 min, 1 retries" in shown_on_screen(unread, [])


def test_a_pipeline_with_risks_and_five_sources_fits_24_rows_of_80_columns() -> None:
    rates = dict.fromkeys(COUNTERS, 1.5) | dict.fromkeys(RARE, 0.0)
    sources = tuple(SourceState(f"source-{number}", rates, NOW - 3) for number in range(3))
    status = replace(
        QUIET,
        sources=(*sources, SourceState("quiet", {}, NOW - 9_000)),
        consumers=(ConsumerState("fan-out", 95.0, (HELD,)), ConsumerState("archiver", None)),
        feeds=(),
    )
    console = Console(width=80, height=24, file=io.StringIO())
    parts = screen(status, status.risks(AlarmSettings()))
    lines = console.render_lines(Group(*parts), pad=False)
    assert len(lines) <= 23
    text = ["".join(one.text for one in line).rstrip() for line in lines]
    assert text[1].startswith("at risk: shardId-1 is held up at the fan-out")
    assert any(line.startswith("quiet, and their last event: quiet 2.5 h ago") for line in text)


def test_what_is_higher_than_the_terminal_is_shown_in_pages_and_none_of_it_is_lost() -> None:
    console = TextConsole(width=80)
    console.size = ConsoleDimensions(80, 24)
    parts = [Text(f"line {number}") for number in range(50)]
    seen = set()
    for look in range(3):
        lines = console.render_lines(page_of(console, parts, look), pad=False)
        assert len(lines) <= 24
        seen |= {"".join(one.text for one in line).strip() for line in lines}
    assert {f"line {number}" for number in range(50)} <= seen
    assert "page 3 of 3" in seen
    (few,) = console.render_lines(page_of(console, parts[:1], 5), pad=False)[:1]
    assert "".join(one.text for one in few).strip() == "line 0"


def test_just_below_a_threshold_is_no_risk() -> None:
    change: dict[str, Any] = {
        "consumers": (ConsumerState("fan-out", 299.9), ConsumerState("archiver", 899.9)),
        "queues": (QueueState("q", 4, 0, 899.0),),
        "feeds": (FeedState("a", "b", 3_599.0, NOW),),
    }
    assert replace(QUIET, **change).risks(AlarmSettings()) == []


def test_alarms_of_a_stack_go_before_default_thresholds() -> None:
    waiting = replace(QUIET, tickets=QueueState("tickets", 9, 0, None))
    assert replace(waiting, alarms=()).risks(AlarmSettings()) == []
    on = replace(waiting, alarms=("events-at-risk", "tickets"))
    said = [one.what for one in on.risks(AlarmSettings())]
    assert said == ["alarm events-at-risk", "alarm tickets"]


def test_rates_and_last_events_are_those_that_the_functions_wrote(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logs = CounterLogs(tmp_path)
    outcomes = [delivered(event("github", n)) for n in range(8)]
    outcomes += [rejected(event("github", 9), Reason.INVALID_JSON, "x")]
    outcomes[0].reason = Reason.ID_REUSED
    counts = metrics.count(outcomes)
    metrics.emit(counts, {"github": 9})
    metrics.emit_batch("fan-out", settled=True)
    metrics.emit_answer("door", Verdict.DENIED, "bad_signature")
    metrics.emit_poll("pulled", "logs", Report("pulled", "logs").counts, 12.5)
    emitted(capsys, tmp_path)
    now = time.time()
    logs.read()
    (github,) = logs.sources(now, 3)
    assert github.name == "github"
    assert github.per_minute == {
        "Received": 3,
        "Delivered": 8 / 3,
        "Duplicate": 0,
        "Rejected": 1 / 3,
        "Ignored": 0,
        "IdReused": 1 / 3,
        "BodyReused": 0,
        "TimeNotUnderstood": 0,
    }
    assert github.last_event == pytest.approx(now, abs=60)
    (feed,) = logs.feeds()
    assert (feed.source, feed.feed, feed.lag_seconds) == ("pulled", "logs", 12.5)


def event(source: str, number: int) -> Event:
    class Named:
        name = source

    named: Any = Named()
    envelope = Envelope("", 0, source, "", b"")
    return Event(str(number), "shardId-0", NOW, envelope, named, f"r-{number}", str(number))


def test_a_growing_log_is_read_on_and_a_new_one_from_its_start(tmp_path: Path) -> None:
    log, logs = tmp_path / "f.log", CounterLogs(tmp_path)
    whole = line("github", NOW - 10, Received=[5.0], Delivered=[5.0])
    log.write_bytes(whole + whole[:20])
    logs.read()
    assert logs.sources(NOW, 1)[0].per_minute["Received"] == 5
    with log.open("ab") as file:
        file.write(whole[20:])
    logs.read()
    logs.read()
    assert logs.sources(NOW, 1)[0].per_minute["Received"] == 10
    log.write_bytes(whole)
    logs.read()
    assert logs.sources(NOW, 1)[0].per_minute["Received"] == 15


def test_the_logs_tell_what_was_refused_and_why_a_batch_was_not_settled(tmp_path: Path) -> None:
    log = tmp_path / "FanOutFunction1.log"
    refused = (("bad_signature", 400.0), ("bad_signature", 9.0), ("schema_violation", 3_700.0))
    lines = [
        line("github", NOW - age, RejectedByReason=[2.0], reason=reason)
        for reason, age in sorted(refused, key=lambda one: -one[1])
    ]
    batch = {"message": "batch", "shard": "shardId-1", "checkpoint": "7"}
    lines.append(orjson.dumps(batch | {"unsettled": ["SQS is throttled"]}) + b"\n")
    log.write_bytes(b"".join(lines))
    logs = CounterLogs(tmp_path)
    logs.read()
    found = logs.refusals(NOW, 5)
    assert found.quarantined == {("github", "bad_signature"): 2}
    assert found.last == ("github", "schema_violation")
    assert logs.why_unsettled("FanOut", "shardId-1") == "SQS is throttled"
    assert logs.why_unsettled("Archiver", "shardId-1") == ""
    # As the logger writes it where all was settled: what is None is left out.
    with log.open("ab") as file:
        file.write(orjson.dumps({**batch, "unsettled": [], "checkpoint": None}) + b"\n")
    logs.read()
    assert logs.why_unsettled("FanOut", "shardId-1") == ""


def test_old_counters_are_no_rate_and_still_tell_the_last_event(tmp_path: Path) -> None:
    (tmp_path / "f.log").write_bytes(
        line("github", NOW - 7_200, Received=[5.0]) + line("github", NOW - 20, Received=[0.0])
    )
    logs = CounterLogs(tmp_path)
    logs.read()
    (github,) = logs.sources(NOW, 5)
    assert github.per_minute["Received"] == 0
    assert github.last_event == NOW - 7_200


@pytest.mark.parametrize(
    "noise",
    [
        b'"_aws"\n',
        b'{"_aws": 5}\n',
        b'{"_aws": {"Timestamp": "x"}, "source": "a"}\n',
        b'{"_aws": {"Timestamp": 5}, "source": 5}\n',
        b'{"_aws": {"Timestamp": 5}, "source": "a", "Received": "many"}\n',
        b'{"_aws": {"Timestamp": 5}, "source": "a", "feed": "b", "PollLagSeconds": [null]}\n',
        b'\xff{"_aws": \x00\n',
    ],
)
def test_lines_that_are_something_else_do_no_harm(tmp_path: Path, noise: bytes) -> None:
    (tmp_path / "f.log").write_bytes(noise + line("github", NOW, Received=[2.0]))
    logs = CounterLogs(tmp_path)
    logs.read()
    rates = {each.name: each.per_minute["Received"] for each in logs.sources(NOW, 1)}
    assert rates == {"github": 2}


def test_the_screen_says_everything_and_obeys_no_escape_sequence() -> None:
    rates = dict.fromkeys(COUNTERS, 1.5) | dict.fromkeys(RARE, 0.0)
    for name, shown in {"github": "github", "[red]\x1b[2J": "[red]\\x1b[2J"}.items():
        status = replace(QUIET, sources=(SourceState(name, rates, NOW - 3),))
        text = shown_on_screen(status, [Risk("2 tickets wait")])
        assert "\x1b" not in text
        assert shown in text
        for said in ("at risk: 2 tickets wait", "1,200", "40.0 s", "3.0 s ago", "2 further"):
            assert said in text
    assert "nothing is at risk" in shown_on_screen(replace(QUIET, sources=()), [])


def test_what_has_the_id_or_body_of_another_is_shown_where_there_is_some() -> None:
    rates = dict.fromkeys(COUNTERS, 1.5) | {"IdReused": 0.0}
    quiet = replace(QUIET, sources=(SourceState("github", rates, NOW),))
    text = shown_on_screen(quiet, [])
    assert "body reused" in text
    assert "id reused" not in text
    assert status_document(quiet, [])["sources"]["github"]["idreused_per_minute"] == 0.0


def shown_on_screen(status: Status, risks: list[Risk]) -> str:
    console = Console(width=160, file=io.StringIO(), record=True)
    console.print(Group(*screen(status, risks)))
    return console.export_text()


def test_json_says_the_same() -> None:
    found = status_document(QUIET, [Risk("2 tickets wait", "why", "next")])
    assert json.loads(json.dumps(found)) == found
    assert found["at_risk"] == ["2 tickets wait; why"]
    assert found["risks"] == [{"what": "2 tickets wait", "why": "why", "next": "next"}]
    assert found["iterator_age_seconds"] == {"fan-out": 0.0, "archiver": None}
    assert found["sources"]["github"]["delivered_per_minute"] == 12
    assert found["sources"]["generic"]["last_event"] is None
    assert found["queues"]["github"] == {"waiting": 1_200, "taken": 3, "oldest_seconds": 40.0}
    assert found["feeds"][0]["lag_seconds"] == 30


def test_watching_goes_on_until_someone_asks_to_stop(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "EVERY_SECONDS", 0.0)
    stop, looks = StopRequest(), []

    class Watcher:
        def look(self, now: float, minutes: int) -> Status:
            looks.append(minutes)
            stop.wanted = len(looks) == 3
            return QUIET

    command._watch(Watcher(), 7, stop, as_json=True)
    assert looks == [7, 7, 7]
    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(each)["minutes"] for each in lines] == [5, 5, 5]


def test_without_a_pipeline_it_is_said_how_to_start_one(tmp_path: Path) -> None:
    from pipeline.errors import PipelineError

    with pytest.raises(PipelineError, match="mozdef-ef local up"):
        LocalWatcher(tmp_path).look(NOW, 5)


class Lines:
    """Takes what is logged."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, dict[str, Any]]] = []

    def info(self, message: str, *, extra: dict[str, Any]) -> None:
        self.taken.append((message, extra))

    warning = info


def test_every_id_is_logged_and_few_rejected_events_by_themselves() -> None:
    lines = Lines()
    outcomes: list[Outcome] = [delivered(event("github", n)) for n in range(IDS_IN_A_LINE + 1)]
    outcomes += [duplicate(event("github", 5_000), "a copy of r-1")]
    outcomes += [
        rejected(event("github", 6_000 + n), Reason.SCHEMA_VIOLATION, "hunter2")
        for n in range(MOST_REJECTED + 30)
    ]
    log_events(lines, outcomes)  # type: ignore[arg-type]
    by_outcome: dict[str, list[str]] = {}
    for message, extra in lines.taken:
        if message == "events":
            assert len(extra["ids"]) <= IDS_IN_A_LINE
            by_outcome.setdefault(extra["outcome"], []).extend(extra["ids"])
    assert {name: len(ids) for name, ids in by_outcome.items()} == {
        "delivered": IDS_IN_A_LINE + 1,
        "duplicate": 1,
        "rejected": MOST_REJECTED + 30,
    }
    single = [extra for message, extra in lines.taken if message == "rejected"]
    assert len(single) == MOST_REJECTED
    assert single[0] == {
        "id": "r-6000",
        "source": "github",
        "reason": "schema_violation",
        "shard": "shardId-0",
        "sequence_number": "6000",
    }
    assert "hunter2" not in str(lines.taken)


def test_a_batch_says_where_on_the_stream_it_lies(bench: Bench) -> None:
    records = [record(github({"n": n}, delivery=f"p-{n}")) for n in range(3)]
    assert bench.run(*records).checkpoint is None
    assert place(records) == {
        "shard": "shardId-000000000000",
        "records": 3,
        "first": records[0]["kinesis"]["sequenceNumber"],
        "last": records[2]["kinesis"]["sequenceNumber"],
    }
    assert place([])["records"] == 0


def test_the_history_has_each_minute_of_the_last_hour(tmp_path: Path) -> None:
    counted = [(NOW, 5), (NOW - 60, 2), (NOW - 61, 3), (NOW - 59 * 60, 7), (NOW - 60 * 60, 11)]
    text = b"".join(line("github", when, Received=[number]) for when, number in counted)
    (tmp_path / "fan-out.log").write_bytes(text)
    logs = CounterLogs(tmp_path)
    logs.read()
    received = logs.history(NOW, 60)["Received"]
    assert len(received) == 60
    assert (received[0], sum(received), received[-1]) == (7.0, 17.0, 5.0)
    assert sorted(received[-3:-1]) in ([0.0, 5.0], [2.0, 3.0])
