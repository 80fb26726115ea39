"""`status` says whether the accounts of the stream's two consumers match."""

from __future__ import annotations

import io
import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from rich.console import Console, Group

from pipeline.runtime import metrics
from settings.deployment_alarms import AlarmSettings
from toolbox.cli.status_screen import screen
from toolbox.watching.document import status_document
from toolbox.watching.emf import CounterLogs
from toolbox.watching.status import AccountState, QueueState, Status

if TYPE_CHECKING:
    from pathlib import Path

NOW = 1_795_464_600.0
MATCHING = AccountState(NOW - 600, 86_400, {"fan-out": 0, "archiver": 0}, 0)
QUIET = Status(
    deployment="the local pipeline in .local",
    as_of=NOW,
    minutes=5,
    sources=(),
    consumers=(),
    tickets=QueueState("tickets", 0, 0, None),
    queues=(),
    feeds=(),
    accounts=MATCHING,
)


def shown(status: Status) -> str:
    text = io.StringIO()
    Console(file=text, width=200).print(Group(*screen(status, status.risks(AlarmSettings()))))
    return text.getvalue()


def test_accounts_that_match_are_no_risk_and_are_shown() -> None:
    assert QUIET.risks(AlarmSettings()) == []
    said = "accounts of a day: 86,400 records compared, all match; last 10.0 min ago\n"
    assert said in shown(QUIET)
    assert status_document(QUIET, [])["accounts"] == {
        "compared": "2026-11-23T20:00:00Z",
        "records": 86_400,
        "unmatched": {"fan-out": 0, "archiver": 0},
        "left_out": 0,
    }


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"unmatched": {"fan-out": 2, "archiver": 0}},
            "the fan-out does not account for 2 records",
        ),
        (
            {"unmatched": {"fan-out": 0, "archiver": 1}},
            "the archiver does not account for 1 records",
        ),
        ({"left_out": 3}, "3 shards or lines of the archive were not compared"),
    ],
)
def test_accounts_that_do_not_match_are_a_risk(change: dict[str, object], said: str) -> None:
    status = replace(QUIET, accounts=replace(MATCHING, **change))  # type: ignore[arg-type]
    (risk,) = status.risks(AlarmSettings())
    assert (risk.what, risk.next) == (said, "mozdef-ef audit")
    assert f"at risk: {said}" in shown(status)


def test_accounts_that_were_not_compared_yet_are_left_out() -> None:
    status = replace(QUIET, accounts=None)
    assert "accounts" not in shown(status)
    assert status_document(status, [])["accounts"] is None


def test_the_comparisons_of_a_day_are_read_from_the_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for lost in (0, 2):
        metrics.emit_reconciliation(
            100, {"fan-out": lost, "archiver": 1}, shards_not_compared=lost, unreadable=0
        )
    now = time.time()
    lines = capsys.readouterr().out.splitlines()
    old = json.loads(lines[0])
    old["_aws"]["Timestamp"] -= 90_000_000
    (tmp_path / "reconciler.log").write_text("\n".join([json.dumps(old), *lines, ""]))
    logs = CounterLogs(tmp_path)
    assert logs.accounts(now) is None
    logs.read()
    found = logs.accounts(now)
    assert found is not None
    assert (found.records, found.left_out) == (200, 2)
    assert found.unmatched == {"fan-out": 2, "archiver": 2}
    assert found.compared == pytest.approx(now, abs=60)
    assert logs.sources(now, 5) == ()
