"""What the log says of a batch, and what it must not."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger

from pipeline.event.events import rejected
from pipeline.event.outcomes import Reason
from pipeline.runtime.event_log import IDS_IN_A_LINE, MOST_REJECTED, log_events, place
from pipeline.stream.records import read_records
from tests.support.bench import generic, github, record

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest

    from pipeline.event.events import Outcome
    from tests.support.bench import Bench


def log_of(outcomes: Sequence[Outcome], request: pytest.FixtureRequest) -> list[dict[str, Any]]:
    stream = io.StringIO()
    logger = Logger(service=request.node.nodeid, stream=stream)
    log_events(logger, outcomes)
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_neither_a_body_nor_an_explanation_that_quotes_one_is_in_the_log(
    bench: Bench, request: pytest.FixtureRequest
) -> None:
    settlement = bench.run(
        record(generic(["c0nfidential"], request="r-1")),
        record(github(b'{"c0nfidential', event="x", delivery="d-2")),
        record(b"c0nfidential"),
    )
    outcomes = list(settlement.outcomes)
    outcomes.append(rejected(outcomes[0].event, Reason.SCHEMA_VIOLATION, "body: 'c0nfidential'"))
    assert {outcome.kind for outcome in outcomes} == {"rejected"}
    lines = log_of(outcomes, request)
    assert [line["reason"] for line in lines if line["message"] == "rejected"] == [
        outcome.reason for outcome in outcomes
    ]
    assert "c0nfidential" not in json.dumps(lines)
    explained = " ".join(outcome.explanation for outcome in outcomes)
    assert "c0nfidential" in explained, "what is kept out was there"


def test_every_event_is_followed_by_its_id(bench: Bench, request: pytest.FixtureRequest) -> None:
    settlement = bench.run(
        record(github({}, event="x", delivery="d-1", request="r-1")),
        record(github({}, event="x", delivery="d-1", request="r-2")),
        record(generic([1], request="r-3")),
    )
    lines = log_of(settlement.outcomes, request)
    ids = {line["outcome"]: line["ids"] for line in lines if line["message"] == "events"}
    assert ids == {"delivered": ["r-1"], "duplicate": ["r-2"], "rejected": ["r-3"]}
    (alone,) = [line for line in lines if line["message"] == "rejected"]
    assert (alone["id"], alone["source"], alone["reason"]) == ("r-3", "generic", "schema_violation")
    assert (alone["shard"], len(alone["sequence_number"])) == ("shardId-000000000000", 55)


def test_what_anyone_can_send_does_not_fill_the_log(request: pytest.FixtureRequest) -> None:
    (one,) = read_records([record(b"x")])
    many = [rejected(one, Reason.MALFORMED_ENVELOPE, "")] * (2 * IDS_IN_A_LINE + 1)
    lines = log_of(many, request)
    assert [len(line["ids"]) for line in lines if line["message"] == "events"] == [1000, 1000, 1]
    assert sum(line["message"] == "rejected" for line in lines) == MOST_REJECTED == 20


def test_the_place_of_a_batch_is_its_shard_and_its_two_ends() -> None:
    batch = [record(b"x"), record(b"y"), record(b"z")]
    first, last = batch[0]["kinesis"]["sequenceNumber"], batch[-1]["kinesis"]["sequenceNumber"]
    assert first != last
    assert place(batch) == {
        "shard": "shardId-000000000000",
        "records": 3,
        "first": first,
        "last": last,
    }
    assert place([]) == {"shard": "", "records": 0, "first": "", "last": ""}
