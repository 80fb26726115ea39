"""A job leaves nothing out, wherever it is stopped."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import Any

import orjson
import pytest

from pipeline.archive.keys import ArchiveKind
from pipeline.archive.objects import ArchiveReadError
from pipeline.aws.limits import RECORD_BYTES
from pipeline.event.envelope import Envelope, encode_envelope, partition_key
from pipeline.replay import engine, memory
from pipeline.replay.event_types import EventTypes, TypeRule
from pipeline.replay.filters import Filter
from pipeline.replay.job import DONE, FAILED, INTERRUPTED, JobError
from tests.support.bench import aggregate, generic, github, record
from tests.support.fakes import client_error, out_of_reach
from tests.support.replay import ARRIVED, HOUR, JOB, Bench, Killed, line
from toolbox.replaying.dry_run import DryRun

RAW = f"raw/source=github/{HOUR}/shardId-000000000000-"
REJECTED = f"rejected/source=github/{HOUR}/shardId-000000000000-"


def filled(objects: int = 4, lines: int = 5) -> Bench:
    bench = Bench()
    numbers = itertools.count()
    for one in range(objects):
        bench.s3.add(f"{RAW}{one}.jsonl.gz", [line(next(numbers)) for _ in range(lines)])
    return bench


def test_events_are_marked_and_go_to_the_shard_of_their_key() -> None:
    bench = filled(objects=10, lines=60)
    replayer = bench.replayer()
    assert replayer.run(bench.refs())
    replayer.finish()
    assert bench.store.load(JOB).status == DONE
    assert bench.job.counts == {"read": 600, "matched": 600, "sent": 600}
    envelopes = bench.kinesis.envelopes()
    assert len({one.id for one in envelopes}) == 600
    assert {(one.replay, one.replays, one.force) for one in envelopes} == {(JOB, 1, False)}
    assert bench.kinesis.aggregates
    for shard, entries in bench.kinesis.records.items():
        alone = Bench()
        alone.kinesis.records = {shard: entries}
        for one in alone.kinesis.envelopes():
            assert bench.kinesis.shard_of(partition_key(one)) == shard


def test_force_marks_each_event() -> None:
    bench = Bench(force=True)
    bench.s3.add(f"{RAW}0.jsonl.gz", [line(1)])
    assert bench.run()
    assert [one.force for one in bench.kinesis.envelopes()] == [True]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("every", [0.0, 2.0])
def test_killed_at_any_put_and_resumed(when: str, every: float) -> None:
    for call in range(1, 60):
        bench = filled()
        bench.clock.step = every  # Seconds pass at each look: a checkpoint every few events.
        bench.pace.events = 8.0  # Two events a call.
        bench.kinesis.kill_at = call if when == "before" else None
        bench.kinesis.kill_after = call if when == "after" else None
        bench.store.save(bench.job)
        try:
            ended = bench.run()
        except Killed:
            ended = False
        kills = not ended
        if kills:
            bench.kinesis.kill_at = bench.kinesis.kill_after = None
            bench.resume()
            sent_before = bench.job.counts.get("sent", 0)
            assert bench.run()
            assert bench.job.counts["sent"] == 20 >= sent_before
        ids = Counter(bench.kinesis.ids())
        assert set(ids) == {f"request-{n}" for n in range(20)}
        assert max(ids.values()) <= 2
        if not kills:
            assert call > 10
            return
    raise AssertionError("never came to its end")


def test_killed_without_a_last_word_at_any_state_and_resumed() -> None:
    """As by SIGKILL: what counts is what was written before."""
    for number in range(1, 40):
        bench = filled()
        bench.clock.step = 1.5
        bench.pace.events = 8.0
        bench.store.save(bench.job)
        writes = itertools.count(1)

        def save(
            job: Any, bench: Bench = bench, number: int = number, writes: Any = writes
        ) -> None:
            if next(writes) >= number:
                raise Killed
            bench.store.save(job)

        try:
            ended = bench.run(save=save)
        except Killed:
            ended = False
        if not ended:
            bench.resume()
            assert bench.run()
        assert set(bench.kinesis.ids()) == {f"request-{n}" for n in range(20)}
        assert bench.job.counts["read"] == 20
        if ended:
            assert number > 4
            return
    raise AssertionError("never came to its end")


def test_ctrl_c_at_any_event_and_resumed_sends_nothing_twice() -> None:
    for stop_after in range(1, 21):
        bench = filled()
        looks = itertools.count(1)
        ended = bench.run(stop=lambda looks=looks, end=stop_after: next(looks) >= end)
        assert not ended
        assert bench.job.status == INTERRUPTED
        bench.resume()
        assert bench.run()
        assert bench.kinesis.ids() == sorted(f"request-{n}" for n in range(20))
        assert bench.job.counts == {"read": 20, "matched": 20, "sent": 20}


def test_a_stream_out_of_reach_stops_the_job_where_it_was() -> None:
    bench = filled()
    bench.kinesis.faults = [out_of_reach()] * 500
    with pytest.raises(Exception, match="could not be put"):
        bench.run()
    state = bench.store.load(JOB)
    assert (state.status, state.counts) == (FAILED, {})
    assert "could not be put" in state.error
    bench.kinesis.faults = []
    bench.resume()
    assert bench.run()
    assert len(bench.kinesis.ids()) == 20


def test_an_archive_out_of_reach_stops_the_job_and_a_lost_state_too() -> None:
    bench = filled()
    bench.s3.broken = client_error("AccessDenied", "GetObject", 403)
    with pytest.raises(ArchiveReadError):
        bench.run()
    bench = filled()
    refs = list(bench.refs())
    replayer = bench.replayer(save=lambda _: (_ for _ in ()).throw(JobError("no")))
    with pytest.raises(JobError):
        replayer.run(refs)


def test_the_limit_ends_loops() -> None:
    bench = Bench(limit=3)
    bench.s3.add(f"{RAW}0.jsonl.gz", [line(n, replays=n) for n in range(6)])
    assert bench.run()
    assert sorted(one.replays for one in bench.kinesis.envelopes()) == [1, 2, 3]
    assert bench.job.counts["limit"] == 3
    assert bench.job.problems[0]["explanation"] == "was replayed 3 times"


def test_a_job_does_not_eat_what_it_wrote() -> None:
    bench = Bench()
    bench.s3.add(f"{RAW}0.jsonl.gz", [line(1, name=f"request-1@{JOB}", replay=JOB, replays=1)])
    assert bench.run()
    assert bench.job.counts == {"read": 1}


def test_the_parts_of_one_request_are_one_event() -> None:
    bench = Bench()
    same = {"key": "d", "body": "[1,2,3]", "envelope_id": "request"}
    bench.s3.add(
        f"{REJECTED}0.jsonl.gz",
        [line(n, name=f"request#{n}", reason="schema_violation", **same) for n in range(3)],
    )
    bench.s3.add(f"{RAW}0.jsonl.gz", [line(9, name="request", **same)])
    assert bench.run()
    assert bench.kinesis.ids() == ["request"]
    assert bench.job.counts == {"read": 4, "matched": 4, "sent": 1, "repeated": 3}


def test_two_requests_that_claim_one_id_are_both_sent() -> None:
    bench = Bench()
    bench.s3.add(f"{RAW}0.jsonl.gz", [line(1, name="same"), line(2, name="same")])
    assert bench.run()
    assert bench.kinesis.ids() == ["same", "same"]


def test_what_is_remembered_is_bounded() -> None:
    recent = memory.Recent(100)
    for number in range(1000):
        recent.add(number)
    assert 999 in recent
    assert 950 in recent
    assert 0 not in recent


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("short", [*range(4), 30, 57, 60, 61])
def test_what_was_accepted_can_be_replayed_up_to_the_last_byte(short: int, force: bool) -> None:
    """At the limit of a record, as Kinesis counts it: what fitted when it came fits again."""
    bench = Bench(force=force)
    accepted = Envelope(
        "request-1", 1_795_464_503_123, "github", "192.0.2.1", b"", "delivery-1",
        line(1)["headers"],
    )  # fmt: skip
    overhead = len(encode_envelope(accepted)) + len(partition_key(accepted))
    size = RECORD_BYTES - overhead - short
    assert len(encode_envelope(accepted._replace(body=b"x" * size))) <= RECORD_BYTES
    bench.s3.add(f"{RAW}0.jsonl.gz", [line(1, body="x" * size, replays=2)])
    assert bench.run()
    assert bench.job.counts == {"read": 1, "matched": 1, "sent": 1}
    (sent,) = bench.kinesis.envelopes()
    assert (len(sent.body), sent.replay, sent.replays, sent.force) == (size, JOB, 3, force)


def test_what_cannot_be_sent_is_said() -> None:
    bench = Bench()
    bench.s3.add(
        f"{RAW}0.jsonl.gz",
        [
            line(1, body="x" * 1_048_576),
            b"{",
            {**{k: v for k, v in line(2).items() if k != "body"}, "record_base64": "AAAA"},
            line(3, headers={"h": "\u00fc" * 20_000}),
            line(4),
        ],
    )
    bench.s3.objects[f"{RAW}1.jsonl.gz"] = b"no gzip"
    assert bench.run()
    assert bench.job.counts == {
        "read": 6,
        "matched": 4,
        "sent": 1,
        "too_large": 1,
        "unreadable": 3,
        "unreplayable": 1,
    }
    places = [(one["what"], one["line"]) for one in bench.job.problems]
    assert places == [
        ("too_large", 1),
        ("unreadable", 2),
        ("unreplayable", 3),
        ("unreadable", 4),
        ("unreadable", 1),
    ]


def test_problems_and_groups_are_bounded() -> None:
    bench = Bench()
    engine_groups = engine.MOST_GROUPS
    bench.s3.add(f"{RAW}0.jsonl.gz", [b"{"] * 500)
    bench.s3.add(
        f"{REJECTED}0.jsonl.gz",
        [line(n, name=f"x{n}", reason=f"reason-{n}") for n in range(engine_groups + 500)],
    )
    assert bench.run()
    assert len(bench.job.problems) == 100
    assert len(bench.job.by) <= engine_groups + 1
    assert sum(bench.job.by.values()) == engine_groups + 500


def test_each_kind_is_replayed() -> None:
    bench = Bench()
    bench.s3.add(f"{RAW}0.jsonl.gz", [line(1)])
    bench.s3.add(f"{REJECTED}0.jsonl.gz", [line(2, reason="schema_violation")])
    quarantine = f"quarantine/source=github/{HOUR}/s-0.jsonl.gz"
    bench.s3.add(quarantine, [line(3, reason="bad_signature")])
    payload = {"Records": [record(aggregate(generic({}, request="a"), github({}, request="b")))]}
    bench.s3.objects["aws/lambda/1/s/2026/11/23/x"] = orjson.dumps({"payload": payload})
    bench.s3.objects["ledger/x"] = b"not read"
    assert bench.run()
    assert bench.kinesis.ids() == ["a", "b", "request-1", "request-2", "request-3"]
    assert bench.job.by == {
        "failed/generic/failed": 1,
        "failed/github/failed": 1,
        "quarantine/github/bad_signature": 1,
        "raw/github/-": 1,
        "rejected/github/schema_violation": 1,
    }


@pytest.mark.parametrize(
    ("wanted", "numbers"),
    [
        ({"sources": {"github"}}, [1, 2]),
        ({"sources": {"generic"}}, [3]),
        ({"sources": {"later"}}, [4]),
        ({"sources": {"_unknown"}}, [4]),
        ({"reasons": {"invalid_json"}}, [2, 3]),
        ({"event_types": {"fork"}}, [2]),
        ({"event_types": {"push"}}, [1]),
        ({"ids": {"request-1", "delivery-3"}}, [1, 3]),
        ({"ids": {"request-2#0"}}, []),
        ({"start": 1_795_464_503.0, "end": 1_795_464_503.123}, []),
        ({"start": 1_795_464_503.123, "end": 1_795_464_503.124}, [1, 2, 3, 4]),
        ({"start": 1_795_468_000.0}, []),
        ({"end": 1_795_460_000.0}, []),
    ],
)
def test_filters(wanted: dict[str, Any], numbers: list[int]) -> None:
    sets: dict[str, Any] = {
        name: frozenset(value) if isinstance(value, set) else value
        for name, value in wanted.items()
    }
    bench = Bench(Filter(frozenset({ArchiveKind.REJECTED}), **sets))
    bench.types = EventTypes({"github": TypeRule("x-github-event", None, None, None)})
    github_lines = [
        line(1, reason="schema_violation"),
        line(2, name="request-2#1", event_type="fork", reason="invalid_json"),
    ]
    bench.s3.add(f"{REJECTED}0.jsonl.gz", github_lines)
    other = {"source": "generic", "envelope_source": "generic", "reason": "invalid_json"}
    bench.s3.add(f"rejected/source=generic/{HOUR}/s-0.jsonl.gz", [line(3, **other)])
    unknown = {"source": "_unknown", "envelope_source": "later", "reason": "unknown_source"}
    bench.s3.add(f"rejected/source=_unknown/{HOUR}/s-0.jsonl.gz", [line(4, **unknown)])
    assert bench.run()
    assert bench.kinesis.ids() == [f"request-{n}" for n in numbers]


def test_event_types_from_the_body() -> None:
    rules = {"github": TypeRule(None, ("type",), "payload", ("events",))}
    bench = Bench(Filter(frozenset({ArchiveKind.RAW}), event_types=frozenset({"b"})))
    bench.types = EventTypes(rules)
    bodies = [
        '{"events":[{"type":"a"},{"type":"b"}]}',
        '{"events":[{"type":"a"}]}',
        "payload=%7B%22events%22%3A%5B%7B%22type%22%3A%22b%22%7D%5D%7D",
        "payload=1&payload=2",
        "{",
        "[]",
        '{"events":3}',
    ]
    bench.s3.add(f"{RAW}0.jsonl.gz", [line(n, body=body) for n, body in enumerate(bodies)])
    assert bench.run()
    assert bench.kinesis.ids() == ["request-0", "request-2"]


def test_a_dry_run_sends_nothing() -> None:
    bench = filled(objects=3, lines=10)
    sink = DryRun()
    assert bench.run(sink=sink, save=lambda _: None)
    assert bench.kinesis.calls == 0
    assert dict(sink.groups) == {("raw", "github", "-", ARRIVED[:13]): 30}
    assert len(sink.sample) == 5
    assert not any(key.startswith("jobs/") for key in bench.s3.objects)


def test_the_state_says_that_the_job_is_alive_while_it_waits() -> None:
    bench = filled()
    bench.pace.events = 0.05
    replayer = bench.replayer()
    bench.pace.tick = replayer.tick
    saved = len(bench.s3.objects)
    assert saved == 4
    before = bench.s3.calls
    assert replayer.run(bench.refs())
    assert bench.s3.calls - before > 60


@pytest.mark.parametrize(
    "change",
    [
        {"position": 1},
        {"counts": []},
        {"counts": {"a": "b"}},
        {"id": "../x"},
        {"status": None},
        {"filter": []},
        {"problems": ["x"]},
    ],
)
def test_a_broken_state_is_one_clear_line(change: dict[str, Any]) -> None:
    bench = Bench()
    document = {**bench.job.to_json(), **change}
    if change == {"status": None}:
        del document["status"]
    bench.store.write(f"jobs/replay/{JOB}.json", document)
    with pytest.raises(JobError):
        bench.store.load(JOB)


def test_ids_are_kept_with_the_job() -> None:
    bench = Bench()
    key = bench.store.save_ids(JOB, {"a", "ü\n"})
    assert bench.store.load_ids(key) == {"a", "ü\n"}
    with pytest.raises(JobError):
        bench.store.load_ids("jobs/replay/none")
    with pytest.raises(JobError):
        bench.store.load_ids("raw/x")
    bench.s3.objects[key] = b"no gzip"
    with pytest.raises(JobError):
        bench.store.load_ids(key)
    with pytest.raises(JobError):
        bench.store.load("../../etc")
