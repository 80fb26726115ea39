"""What `local up` prints while events go through: one line for each, and what a failure said."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from local.invocation import Invocation
from tests.support.bench import generic, record
from toolbox.watching.live import FAN_OUT, LiveEvents

if TYPE_CHECKING:
    from pathlib import Path

SETTLED = Invocation({"batchItemFailures": []})


class Run:
    """A fan-out that logs what it is told to."""

    def __init__(self, logs: Path) -> None:
        self.log = logs / "FanOutFunction1.log"
        self.log.write_text('{"message":"events","outcome":"of a former run","ids":["x"]}\n')
        self.printed: list[str] = []
        self.live = LiveEvents(logs, lambda line, _: self.printed.append(line))

    def call(
        self, event: Any, answer: Invocation, *lines: dict[str, Any], by: str = FAN_OUT
    ) -> None:
        self.live.before(by, event, 1)
        with self.log.open("a") as log:
            # As Powertools writes it, between other things.
            log.writelines(json.dumps(one, separators=(",", ":")) + "\n" for one in lines)
        self.live.after(by, event, answer)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path)


def test_each_event_has_a_line_with_source_id_and_reason(run: Run) -> None:
    batch = {"Records": [record(generic({}, request="r-1")), record(generic({}, request="r-2"))]}
    run.call(
        batch,
        SETTLED,
        {"message": "events", "outcome": "delivered", "ids": ["r-1"]},
        {"message": "events", "outcome": "rejected", "ids": ["r-2#3"]},
        {"message": "rejected", "id": "r-2#3", "reason": "schema_violation"},
        {"message": "another", "ids": ["r-9"]},
    )
    assert run.printed == [
        "delivered   generic r-1",
        "rejected    generic r-2#3 schema_violation",
    ]


def test_a_failing_batch_says_what_the_function_said(run: Run) -> None:
    batch = {"Records": [record(generic({}, request="r-1"))]}
    shard = batch["Records"][0]["eventID"].partition(":")[0]
    again = Invocation({"batchItemFailures": [{"itemIdentifier": "17"}]})
    why = {"message": "batch", "shard": shard, "unsettled": ["SQS is throttled"]}
    run.call(batch, again, why)
    fault = Invocation({"errorType": "Odd", "errorMessage": "no\x1b[2J table"}, "Unhandled")
    run.call(batch, fault)
    run.call({"source": "okta", "feed": "logs"}, fault, by="ingest_lambdas.poller.handler")
    assert run.printed == [
        f"not settled {FAN_OUT}: {shard} again from 17: SQS is throttled",
        f"failed      {FAN_OUT}: Odd: no\x1b[2J table (1 records of {shard}, tried again)",
        "failed      ingest_lambdas.poller.handler: Odd: no\x1b[2J table",
    ]
    run.call(batch, SETTLED)
    assert len(run.printed) == 3, "a batch that went well has no line but those of its events"
