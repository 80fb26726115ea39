"""A rejected event of a request with many is replayed by itself, in its request."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from pipeline.archive.keys import ArchiveKind
from pipeline.event.envelope import Envelope, encode_envelope
from pipeline.replay.event_types import EventTypes, TypeRule
from pipeline.replay.filters import Filter
from tests.support.bench import NOW_MS, Bench, record, tally
from tests.support.replay import Bench as ReplayBench
from tests.unit.replay.test_replay_history import LEDGER, Replayed, entry
from toolbox.replaying.dry_run import DryRun

GOOD = {
    "uuid": "u-0",
    "eventType": "application.lifecycle.update",
    "published": "2026-11-23T20:08:23.123Z",
    "actor": {"id": "a", "type": "User"},
}
BODY = orjson.dumps({"data": {"events": [{"uuid": 7}, GOOD, {"uuid": 8}, "text"]}})
REJECTED = f"rejected/source=github/{LEDGER.partition('/')[2]}1.jsonl.gz"


def request_lines(numbers: list[int]) -> list[dict[str, Any]]:
    """A request and rejected events of it, as the writer writes them."""
    place = {
        "source": "github",
        "event_type": "",
        "shard_id": "shardId-000000000000",
        "sequence_number": "1",
        "arrived": "2026-11-23T20:08:23.123+00:00",
    }
    request = {
        "kind": "request",
        "id": "r",
        **place,
        "envelope_id": "r",
        "envelope_source": "github",
        "envelope_ts": NOW_MS,
        "key": "d",
        "ip": "192.0.2.1",
        "headers": {},
        "replay": "",
        "replays": 0,
        "body": BODY.decode(),
    }
    why = {"reason": "schema_violation", "explanation": "why"}
    parts = [
        {"kind": "element", **why, "id": f"r#{n}", **place, "element": n, "body": f'{{"n":{n}}}'}
        for n in numbers
    ]
    return [request, *parts]


def replayed(lines: list[dict[str, Any]], **options: Any) -> ReplayBench:
    bench = ReplayBench(**options)
    bench.s3.add(REJECTED, lines)
    return bench


def test_what_the_fan_out_rejected_is_sent_once_and_only_that_is_made_again(bench: Bench) -> None:
    bench.run(record(encode_envelope(Envelope("r", NOW_MS, "okta", "", BODY))))
    assert [line["outcome"] for line in bench.s3.lines("ledger/")].count("delivered") == 1
    job = ReplayBench()
    rejected = {key: one for key, one in bench.s3.objects.items() if key.startswith("rejected/")}
    job.s3.objects |= rejected
    assert job.run()
    assert job.job.counts == {"read": 3, "matched": 3, "sent": 3}
    (sent,) = job.kinesis.envelopes()
    assert (sent.id, sent.body, sent.only, sent.replays) == ("r", BODY, "0,2-3", 1)
    # Long after the table has forgotten all of it, nothing is delivered twice.
    bench.now += 400 * 86_400
    settlement = bench.run(record(encode_envelope(sent)))
    assert tally(settlement.settled) == {"schema_violation": 3}
    assert sorted(one.event.id for one in settlement.settled) == [
        f"r@{sent.replay}#{number}" for number in (0, 2, 3)
    ]


def test_numbers_that_do_not_fit_into_the_record_go_in_several() -> None:
    lines = request_lines(list(range(0, 4_000, 2)))
    lines[0]["body"] = "x" * (1_048_576 - 1_000)
    bench = replayed(lines)
    assert bench.run()
    sent = bench.kinesis.envelopes()
    assert bench.job.counts["sent"] == 2_000
    assert len(sent) > 1
    numbers = [number for one in sent for number in one.only.split(",")]
    assert sorted(map(int, numbers)) == list(range(0, 4_000, 2))


def test_a_filter_chooses_among_the_events_of_a_request() -> None:
    lines = request_lines([0, 2, 5])
    lines[2]["reason"] = "too_deep"
    bench = replayed(lines, wanted=Filter(frozenset(ArchiveKind), reasons=frozenset({"too_deep"})))
    assert bench.run()
    assert [one.only for one in bench.kinesis.envelopes()] == ["2"]


def test_types_are_those_of_the_event_and_not_of_its_request() -> None:
    from pipeline.archive.lines import ArchivedEvent
    from pipeline.archive.reading import read_object

    bench = replayed(request_lines([3]))
    ((_, event),) = read_object(REJECTED, [bench.s3.objects[REJECTED]])
    assert isinstance(event, ArchivedEvent)
    assert event.body == b'{"n":3}'
    rule = TypeRule(None, ("n",), None, ("data", "events"))
    assert EventTypes({"github": rule}).of(event) == {"3"}


@pytest.mark.parametrize("skip", [0, 1])
def test_an_element_without_its_request_is_unreadable(skip: int) -> None:
    lines = request_lines([1, 2])[1 - skip :]
    if skip:
        lines[0]["id"] = "another"
    bench = replayed(lines)
    assert bench.run()
    assert bench.job.counts == {"read": 2, "unreadable": 2}


def test_a_dry_run_counts_each_event() -> None:
    bench, sink = replayed(request_lines([1, 2, 3])), DryRun()
    assert bench.run(sink=sink)
    assert list(sink.groups.values()) == [3]


def elements(*delivered: int, job: str = "", partial: bool = False) -> list[dict[str, Any]]:
    return [
        {
            **entry(f"r{job}#{n}", "delivered" if n in delivered else "rejected"),
            "elements": 4,
            **({"partial": True} if partial else {}),
        }
        for n in (delivered if partial else range(4))
    ]


def test_an_event_of_a_request_that_was_partly_delivered_is_sent_at_any_age() -> None:
    replay = Replayed(age=300 * 86_400.0)
    replay.bench.s3.add(REJECTED, request_lines([0, 2]))
    replay.ledger(*elements(1, 3))
    assert replay.run() == {"sent": 2, "sent_late": 2}
    assert [one.only for one in replay.bench.kinesis.envelopes()] == ["0,2"]


def test_an_event_that_an_earlier_replay_delivered_is_left_out_and_the_others_are_not() -> None:
    replay = Replayed(age=300 * 86_400.0)
    replay.bench.s3.add(REJECTED, request_lines([0, 2]))
    replay.ledger(*elements(1, 3))
    replay.earlier(finished="2026-11-23T20:31:00+00:00")
    job = "@replay-20261123T203000-aaaa"
    replay.ledger(*elements(0, job=job, partial=True), name=f"{LEDGER}2")
    assert replay.run() == {"sent": 1, "sent_late": 1, "delivered": 1}
    assert [one.only for one in replay.bench.kinesis.envelopes()] == ["2"]
