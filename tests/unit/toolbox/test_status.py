"""What `status` makes of what it finds: rates from logs, what is at risk, and the screen."""

from __future__ import annotations

import io
import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from pipeline.event.envelope import Envelope
from pipeline.event.events import Event, Outcome, delivered, duplicate, rejected
from pipeline.event.outcomes import Reason, Verdict
from pipeline.polling.report import Report
from pipeline.runtime import metrics
from pipeline.runtime.event_log import IDS_IN_A_LINE, MOST_REJECTED, log_events, place
from settings.deployment_alarms import AlarmSettings
from tests.support.bench import Bench, github, record
from toolbox.cli import status as command
from toolbox.cli.status_local import LocalWatcher
from toolbox.cli.status_screen import document, screen
from toolbox.terminal.stopping import StopRequest
from toolbox.watching.emf import CounterLogs
from toolbox.watching.status import (
    COUNTERS,
    RARE,
    ConsumerState,
    FeedState,
    QueueState,
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
    assert replace(QUIET, **change).risks(AlarmSettings()) == [said]


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
    assert on.risks(AlarmSettings()) == ["alarm events-at-risk", "alarm tickets"]


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
        text = shown_on_screen(status, ["2 tickets wait"])
        assert "\x1b" not in text
        assert shown in text
        for said in ("at risk: 2 tickets wait", "github-redrive", "1,200", "40.0 s", "3.0 s ago"):
            assert said in text
    assert "nothing is at risk" in shown_on_screen(replace(QUIET, sources=()), [])


def test_what_has_the_id_or_body_of_another_is_shown_where_there_is_some() -> None:
    rates = dict.fromkeys(COUNTERS, 1.5) | {"IdReused": 0.0}
    quiet = replace(QUIET, sources=(SourceState("github", rates, NOW),))
    text = shown_on_screen(quiet, [])
    assert "body reused" in text
    assert "id reused" not in text
    assert document(quiet, [])["sources"]["github"]["idreused_per_minute"] == 0.0


def shown_on_screen(status: Status, risks: list[str]) -> str:
    console = Console(width=160, file=io.StringIO(), record=True)
    console.print(screen(status, risks))
    return console.export_text()


def test_json_says_the_same() -> None:
    found = document(QUIET, ["2 tickets wait"])
    assert json.loads(json.dumps(found)) == found
    assert found["at_risk"] == ["2 tickets wait"]
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
