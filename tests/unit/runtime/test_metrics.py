"""Counters as CloudWatch reads them from the log."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline.event.outcomes import Verdict
from pipeline.runtime import metrics


def written(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """The lines of the log, and of each its values and dimensions without the format's own."""
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return [{name: value for name, value in line.items() if name != "_aws"} for line in lines]


@pytest.mark.parametrize(("settled", "unsettled"), [(True, 0.0), (False, 1.0)])
def test_a_batch_that_is_delivered_again_is_an_unsettled_one(
    capsys: pytest.CaptureFixture[str], settled: bool, unsettled: float
) -> None:
    metrics.emit_batch("fan-out", settled=settled)
    (line,) = written(capsys)
    assert (line["Batches"], line["UnsettledBatches"]) == ([1.0], [unsettled])
    assert (line["consumer"], line["stage"]) == ("fan-out", "dev")


def test_only_what_was_denied_has_a_reason(capsys: pytest.CaptureFixture[str]) -> None:
    metrics.emit_answer("github", Verdict.ACCEPTED)
    metrics.emit_answer("github", Verdict.DENIED, "bad_signature")
    accepted, denied, by_reason = written(capsys)
    assert accepted["Accepted"] == [1.0]
    assert denied["Denied"] == [1.0]
    assert (by_reason["DeniedByReason"], by_reason["reason"]) == ([1.0], "bad_signature")


def test_a_lag_that_is_unknown_is_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    metrics.emit_poll("okta", "logs", {"PollEvents": 3}, None)
    assert [set(line) & {"PollEvents", "PollLagSeconds"} for line in written(capsys)] == [
        {"PollEvents"}
    ]
    metrics.emit_poll("okta", "logs", {"PollEvents": 3}, 0.0)
    assert written(capsys)[1]["PollLagSeconds"] == [0.0]
