"""The way of one event, found in an archive: what is told of it, and how much is read for it."""

from __future__ import annotations

import base64
import io
import json
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from aws_lambda_powertools import Logger

from pipeline.archive.keys import ArchiveKind
from pipeline.archive.lines import read_line
from pipeline.archive.listing import ArchiveListing
from pipeline.archive.objects import Objects
from pipeline.event.envelope import encode_envelope
from pipeline.replay.job import Job
from settings.source.loader import available_sources, load_source
from tests.support.replay import HOUR, JOB, FakeArchive, line
from toolbox.dead_letters.queue import ticket_id
from toolbox.explaining.archive_search import ArchiveSearch
from toolbox.explaining.explainer import Asked, Explainer
from toolbox.explaining.found import ReadingNotes
from toolbox.explaining.meaning import meaning_of
from toolbox.explaining.passages import MISSING, NOT_SETTLED, Sights
from toolbox.explaining.sights import (
    LocalBatchLog,
    RememberedEvent,
    SeenInQueues,
    StackBatchLog,
    UnseenQueues,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from settings.source.loader import LoadedSource
    from toolbox.explaining.found import EventEnding, Explanation
    from toolbox.explaining.sights import BatchLog, QueueSight

SHARD = "shardId-000000000000"
START, END = (datetime(2026, 11, 23, hour, tzinfo=UTC) for hour in (18, 22))
RAW = f"raw/source=github/{HOUR}/{SHARD}-1.jsonl.gz"
LEDGER = f"ledger/{HOUR}/{SHARD}-1.jsonl.gz"
PUSH = Path("catalog/github/samples/push.json")


@cache
def _load(name: str) -> LoadedSource | None:
    folder = available_sources(Path("nowhere")).get(name)
    return load_source(folder) if folder else None


def entry(number: int, outcome: str, reason: str | None = None, **more: Any) -> dict[str, Any]:
    """A line of the ledger, beside `line` of the same number."""
    kept = ("id", "source", "shard_id", "sequence_number", "arrived")
    of_line = {name: value for name, value in line(number).items() if name in kept}
    return {**of_line, "outcome": outcome, "reason": reason, **more}


class Deployment:
    """An archive with what an explanation asks beside it."""

    def __init__(self) -> None:
        self.archive = FakeArchive()
        self.remembered: dict[str, RememberedEvent] = {}
        self.jobs: list[Job] = []
        self.queues: QueueSight = UnseenQueues()
        self.notes = ReadingNotes()

    def delivered(self, key: str, /) -> RememberedEvent | None:
        return self.remembered.get(key)

    def explain(
        self,
        identifier: str,
        *,
        message: Any = None,
        batches: BatchLog | None = None,
        most: int = 2**20,
    ) -> list[Explanation]:
        listing, objects = ArchiveListing(self.archive, "a"), Objects(self.archive, "a")
        search = ArchiveSearch(listing, objects, self.notes, most)
        log = batches or LocalBatchLog(Path("nowhere"))
        sights = Sights(self, self.queues, log, lambda: self.jobs, _load)
        with Explainer(search, sights, self.notes) as explainer:
            return explainer.explain(Asked(identifier, message, (), START, END))

    def ending(self, identifier: str) -> EventEnding:
        (found,) = self.explain(identifier)
        (passage,) = found.passages
        (ending,) = passage.endings
        return ending


@pytest.fixture
def deployment() -> Deployment:
    return Deployment()


def pushed(number: int, **more: Any) -> dict[str, Any]:
    """A request that GitHub's schema of a push takes."""
    key = more.setdefault("key", f"delivery-{number}")
    headers = {**line(number)["headers"], "x-github-delivery": key}
    return line(number, **{"body": json.dumps(_push()), "headers": headers, **more})


@cache
def _push() -> Mapping[str, Any]:
    source = _load("github")
    assert source is not None
    required = source.schemas["push"]["required"]
    read: dict[str, Any] = json.loads(PUSH.read_text()) if PUSH.exists() else {}
    assert set(required) <= set(read)
    return read


def test_a_delivered_event_is_told_from_the_door_to_the_index(deployment: Deployment) -> None:
    deployment.archive.add(RAW, [pushed(1), pushed(2)])
    deployment.archive.add(LEDGER, [entry(1, "delivered"), entry(2, "delivered")])
    (found,) = deployment.explain("request-2")
    assert found.door is not None
    assert (found.door.id, found.door.delivery_id) == ("request-2", "delivery-2")
    assert found.door.headers == ("content-type", "x-github-delivery", "x-github-event")
    (passage,) = found.passages
    assert (passage.shard, passage.sequence_number, passage.raw) == (SHARD, "2", RAW)
    (ending,) = passage.endings
    assert (ending.outcome, ending.event_type, ending.queue) == ("delivered", "push", "github")
    assert ending.schema == "catalog/github/schemas/push.json"
    assert ending.mozdef is not None
    assert ending.mozdef.does.startswith("it indexes a document of category")
    assert "receive" in ending.queued


def test_a_delivery_id_finds_each_request_that_has_it_and_a_copy_its_original(
    deployment: Deployment,
) -> None:
    deployment.archive.add(RAW, [pushed(1), pushed(2, key="delivery-1"), pushed(3)])
    deployment.archive.add(LEDGER, [entry(1, "delivered"), entry(2, "duplicate")])
    deployment.remembered["github#delivery-1"] = RememberedEvent("request-1", "1")
    first, copy = deployment.explain("delivery-1")
    assert first.passages[0].endings[0].copy_of == ""
    assert copy.meant == "the sender's delivery id"
    assert copy.passages[0].endings[0].copy_of == "request-1"
    deployment.archive.add(LEDGER, [entry(1, "delivered", "body_reused"), entry(2, "duplicate")])
    first, copy = deployment.explain("delivery-1")
    assert [one.passages[0].endings[0].copy_of for one in (first, copy)] == ["", "request-1"]


def test_a_rejection_names_schema_rule_object_and_ticket(deployment: Deployment) -> None:
    key = f"rejected/source=github/{HOUR}/{SHARD}-1.jsonl.gz"
    wrong = pushed(1, body=json.dumps({**_push(), "commits": [{"id": []}]}))
    deployment.archive.add(RAW, [wrong])
    deployment.archive.add(LEDGER, [entry(1, "rejected", "schema_violation")])
    told = {"reason": "schema_violation", "explanation": "as it was told then"}
    deployment.archive.add(key, [{**wrong, **told}])
    # Replayed with a mended schema it was delivered: it is no copy of that.
    deployment.remembered["github#delivery-1"] = RememberedEvent(f"request-1@{JOB}", "9")
    ending = deployment.ending("request-1")
    assert ending.copy_of == ""
    assert (ending.reason, ending.explanation) == ("schema_violation", "as it was told then")
    assert (ending.kept_in, ending.ticket) == (key, ticket_id(key))
    document = json.loads(Path(ending.schema).read_text())
    for token in ending.schema_place.removeprefix("#/").split("/"):
        document = document[token]
    assert ending.schema_place.startswith("#/properties/commits/items/")
    assert ending.now.startswith("schema_violation: body.commits[0]")


def test_a_body_that_cannot_be_read_breaks_no_rule_of_a_schema(deployment: Deployment) -> None:
    deployment.archive.add(RAW, [pushed(1, body='{"ref":')])
    deployment.archive.add(LEDGER, [entry(1, "rejected", "invalid_json")])
    ending = deployment.ending("request-1")
    assert (ending.schema_place, ending.now.partition(":")[0]) == ("", "invalid_json")


def test_what_the_ledger_lacks_failed_or_waits_or_is_missing(deployment: Deployment) -> None:
    deployment.archive.add(RAW, [pushed(1)])
    assert deployment.ending("request-1").outcome == NOT_SETTLED
    deployment.archive.add(f"ledger/{HOUR}/{SHARD}-5.jsonl.gz", [entry(5, "delivered")])
    assert deployment.ending("request-1").outcome == MISSING
    deployment.remembered["github#delivery-1"] = RememberedEvent("request-1", "1")
    assert deployment.ending("request-1").outcome == "delivered"
    key = f"aws/lambda/m/{SHARD}/2026/11/23/x"
    deployment.archive.objects[key] = orjson.dumps(_failure_record())
    ending = deployment.ending("request-1")
    assert (ending.outcome, ending.reason) == ("failed", "RetryAttemptsExhausted")
    assert "after 4 invocations" in ending.explanation
    assert ending.kept_in == key


def _failure_record() -> dict[str, Any]:
    envelope = read_line(ArchiveKind.RAW, orjson.dumps(pushed(1))).envelope
    assert envelope is not None
    record = {
        "eventID": f"{SHARD}:1",
        "kinesis": {
            "sequenceNumber": "1",
            "data": base64.b64encode(encode_envelope(envelope)).decode(),
            "approximateArrivalTimestamp": 1795464503.123,
        },
    }
    context = {
        "functionArn": "arn:aws:lambda:us-west-2:1:function:fan-out",
        "condition": "RetryAttemptsExhausted",
        "approximateInvokeCount": 4,
    }
    return {"requestContext": context, "payload": json.dumps({"Records": [record]})}


def test_a_replay_is_a_passage_of_its_own_whichever_of_the_two_is_asked_for(
    deployment: Deployment,
) -> None:
    later = {"arrived": "2026-11-23T21:00:20+00:00", "shard_id": "shardId-000000000001"}
    hour, again = "dt=2026-11-23/hr=21", f"request-1@{JOB}"
    deployment.archive.add(RAW, [pushed(1)])
    deployment.archive.add(LEDGER, [entry(1, "rejected", "secret_unavailable")])
    name = "shardId-000000000001-7.jsonl.gz"
    replayed = pushed(7, name=again, **later, replay=JOB, replays=1)
    deployment.archive.add(f"raw/source=github/{hour}/{name}", [replayed])
    delivered = entry(7, "delivered", **later) | {"id": again}
    deployment.archive.add(f"ledger/{hour}/{name}", [delivered])
    deployment.jobs = [Job(JOB, {}, "", {}, {}, status="done", finished="2026-11-23T21:01:00Z")]
    for asked in ("request-1", again):
        (found,) = deployment.explain(asked)
        told = [(one.job, one.shard, one.endings[0].outcome) for one in found.passages]
        assert told == [("", SHARD, "rejected"), (JOB, "shardId-000000000001", "delivered")]


def test_no_more_is_read_than_may_be_and_the_rest_is_named(deployment: Deployment) -> None:
    first = deployment.archive.add(RAW, [pushed(1)])
    deployment.archive.add(f"raw/source=github/{HOUR}/{SHARD}-2.jsonl.gz", [pushed(2)])
    assert deployment.explain("request-2", most=first.size) == []
    assert deployment.notes.objects == {"raw/": 1}
    assert any("--most-mib" in one for one in deployment.notes.not_known)


def test_a_line_that_is_none_is_named_and_stops_nothing(deployment: Deployment) -> None:
    deployment.archive.add(RAW, [b'{"id":"request-1"', pushed(1)])
    deployment.archive.objects[LEDGER] = b"no gzip"
    assert deployment.ending("request-1").outcome == NOT_SETTLED
    assert [one.partition(":")[0] for one in deployment.notes.not_known] == [RAW, LEDGER]


class Seen:
    """A message in a queue."""

    place, receives, id = "visible", 3, "message-id"

    def __init__(self, body: str) -> None:
        self.body = body


def test_a_message_is_known_by_its_text_and_by_its_id(deployment: Deployment) -> None:
    source = _load("github")
    assert source is not None
    deployment.archive.add(RAW, [line(1, body='{"a":"other"}'), pushed(2)])
    deployment.archive.add(LEDGER, [entry(2, "delivered")])
    envelope = read_line(ArchiveKind.RAW, orjson.dumps(pushed(2))).envelope
    assert envelope is not None
    with meaning_of(source) as meaning:
        (judged,) = meaning.judged(envelope).values()
    deployment.queues = SeenInQueues(lambda: [("queue", Seen(judged.message.decode()))])
    by_text = deployment.explain("", message=json.loads(judged.message))
    by_id = deployment.explain("message-id")
    for (found,) in (by_text, by_id):
        assert found.door is not None
        assert found.door.id == "request-2"
        assert found.passages[0].endings[0].queued == "visible in queue, received 3 times"


def _logged(*batches: Mapping[str, Any]) -> str:
    stream = io.StringIO()
    logger = Logger(service="test", stream=stream, logger_handler=None, level="INFO")
    for batch in batches:
        logger.info("batch", extra={"records": 2, "request_id": "r", "unsettled": [], **batch})
    return stream.getvalue()


def test_the_tries_of_a_record_are_those_of_the_batches_that_held_it(tmp_path: Path) -> None:
    held = {"shard": SHARD, "first": "5", "last": "9"}
    text = _logged(
        {**held, "checkpoint": "7", "unsettled": ["SQS is throttled"]},
        {**held, "shard": "shardId-000000000001", "checkpoint": None},
        {**held, "first": "8", "checkpoint": None},
        {**held, "checkpoint": None},
        {**held, "checkpoint": None},
    )
    (tmp_path / "FanOutFunction1.log").write_text(f"[ERROR] of another line\n{text}")
    (tmp_path / "ArchiverFunction1.log").write_text(text)
    log = LocalBatchLog(tmp_path)
    first, second = log.tries(SHARD, 7, 0.0)
    assert (first.settled, first.why) == (False, ("SQS is throttled",))
    assert (second.settled, second.why) == (True, ())
    assert [one.settled for one in log.tries(SHARD, 6, 0.0)] == [True]
    assert log.tries(SHARD, 10, 0.0) == ()

    class Logs:
        def get_paginator(self, _: str, /) -> Logs:
            return self

        def paginate(self, **request: Any) -> Iterator[dict[str, Any]]:
            assert request["logGroupName"] == "/aws/lambda/fan"
            assert request["filterPattern"] == f'{{ $.message = "batch" && $.shard = "{SHARD}" }}'
            yield {"events": [{"message": one} for one in text.splitlines()]}

    lacking: list[str] = []
    assert StackBatchLog(Logs(), "fan", lacking.append).tries(SHARD, 7, 0.0) == (first, second)
