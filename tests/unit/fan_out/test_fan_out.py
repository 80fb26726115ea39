"""The way of an event: outcomes, conservation, retries."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import orjson

from pipeline.event.outcomes import OutcomeKind
from tests.support.bench import PREVIOUS, aggregate, generic, github, record, tally
from tests.support.fakes import client_error, out_of_reach

if TYPE_CHECKING:
    import pytest

    from tests.support.bench import Bench

FORK: dict[str, Any] = {
    "forkee": {"full_name": "b/r", "id": 2, "name": "r", "html_url": "https://example.com/b/r"},
    "repository": {"full_name": "a/r", "id": 1, "name": "r", "html_url": "https://example.com/a/r"},
    "sender": {"login": "mona", "id": 1},
}


def test_a_good_event_is_delivered_and_remembered(bench: Bench) -> None:
    settlement = bench.run(record(github({"zen": "x"}, event="anything")))
    assert tally(settlement.outcomes) == {"delivered": 1}
    assert settlement.response() == {"batchItemFailures": []}
    (message,) = bench.sqs.bodies()
    assert message["details"]["github"] == {"zen": "x"}
    (by_id, by_body) = bench.dynamodb.items
    assert by_id == "github#d-1"
    assert by_body.startswith("github!body:")


def test_the_senders_json_is_spliced_as_it_is(bench: Bench) -> None:
    raw = b'{ "big": 12345678901234567890123, "e":1.10, "u":"\\u00e9\xc3\xa9" }'
    bench.run(record(generic(raw)))
    (text,) = next(iter(bench.sqs.messages.values()))
    assert raw.decode() in text


def test_characters_that_sqs_refuses_are_escaped(bench: Bench) -> None:
    bench.run(record(generic({"text": "\ufffe\uffff"})))
    assert bench.sqs.bodies()[0]["details"] == {"text": "\ufffe\uffff"}


def test_form_encoded_delivery(bench: Bench) -> None:
    raw = urlencode({"payload": json.dumps({"zen": "ü"})}).encode()
    form = "application/x-www-form-urlencoded; charset=utf-8"
    settlement = bench.run(record(github(raw, event="x", content_type=form)))
    assert tally(settlement.outcomes) == {"delivered": 1}
    assert bench.sqs.bodies()[0]["details"]["github"] == {"zen": "ü"}


def test_rejections_are_archived_with_reason_explanation_and_bytes(bench: Bench) -> None:
    settlement = bench.run(
        record(b"no envelope"),
        record(github({"a": 1}, secret="forged", delivery="d-2")),
        record(github(b'{"cut', delivery="d-3", event="x")),
        record(github(b'\xff"', delivery="d-4", event="x")),
        record(github(FORK | {"forkee": 7}, delivery="d-5", event="fork")),
        record(generic([1])),
    )
    assert tally(settlement.outcomes) == {
        "malformed_envelope": 1,
        "bad_signature": 1,
        "invalid_json": 2,
        "schema_violation": 2,
    }
    assert settlement.response() == {"batchItemFailures": []}
    lines = bench.s3.lines("rejected/")
    assert {line["reason"] for line in lines} == {
        "malformed_envelope",
        "invalid_json",
        "schema_violation",
    }
    (fork,) = [line for line in lines if line.get("key") == "d-5"]
    assert fork["explanation"] == "body.forkee must be object (rule 'type')"
    (binary,) = [line for line in lines if "body_base64" in line]
    assert binary["body_base64"] == "/yI="
    (quarantined,) = bench.s3.lines("quarantine/")
    assert quarantined["reason"] == "bad_signature"
    assert orjson.loads(quarantined["body"]) == {"a": 1}
    assert not bench.sqs.messages


def test_archive_keys_follow_from_the_records(bench: Bench) -> None:
    batch = [record(b"x", sequence=5), record(b"y", sequence=7)]
    bench.run(*batch)
    first = dict(bench.s3.objects)
    bench.run(*batch)
    assert bench.s3.objects == first
    name = f"shardId-000000000000-{batch[0]['kinesis']['sequenceNumber']}.jsonl.gz"
    assert sorted(first) == [
        f"ledger/dt=2026-11-23/hr=20/{name}",
        f"rejected/source=_unknown/dt=2026-11-23/hr=20/{name}",
    ]


def test_unknown_source(bench: Bench) -> None:
    data = generic({}).replace(b"source=generic", b"source=.%2F..")
    assert tally(bench.run(record(data)).outcomes) == {"unknown_source": 1}
    key = max(bench.s3.objects)
    assert "source=_unknown/" in key, "a sender must not choose a key of the archive"


def test_a_record_of_an_unknown_source_keeps_its_envelope_and_its_own_id(bench: Bench) -> None:
    data = generic({"a": 1}, request="r-1").replace(b"source=generic", b"source=no-such")
    bench.run(record(data))
    (rejection,), (entry,) = bench.s3.lines("rejected/"), bench.s3.lines("ledger/")
    assert (rejection["id"], entry["id"]) == ("r-1", "r-1")
    assert (rejection["envelope_source"], rejection["body"]) == ("no-such", '{"a":1}')
    assert rejection["source"] == entry["source"] == "_unknown"


def test_the_previous_secret_serves_while_a_rotation_lasts(bench: Bench) -> None:
    assert tally(bench.run(record(github({}, event="x", secret=PREVIOUS))).outcomes) == {
        "delivered": 1
    }


def test_a_new_secret_is_found_before_the_cache_expires(bench: Bench) -> None:
    bench.run(record(github({}, event="x")))
    bench.ssm.parameters["/P/github/dev/signing_secret"] = "rotated"
    bench.now += 60
    settlement = bench.run(record(github({}, event="x", delivery="d-2", secret="rotated")))
    assert tally(settlement.outcomes) == {"delivered": 1}


def test_forged_requests_do_not_make_the_processor_hammer_ssm(bench: Bench) -> None:
    bench.run(*(record(github({}, delivery=f"d-{n}", secret="forged")) for n in range(50)))
    assert bench.ssm.calls == 1


def test_duplicates_in_the_batch_in_an_aggregate_and_over_invocations(bench: Bench) -> None:
    one = github({}, event="x", delivery="d-1")
    other = github({"n": 2}, event="x", delivery="d-2")
    settlement = bench.run(record(one), record(aggregate(other, one)), record(other))
    assert tally(settlement.outcomes) == {"delivered": 2, "duplicate": 2}
    again = bench.run(record(github({}, event="x", delivery="d-1")))
    assert tally(again.outcomes) == {"duplicate": 1}
    assert len(bench.sqs.bodies()) == 2


def test_an_expired_item_is_no_duplicate(bench: Bench) -> None:
    bench.run(record(github({}, event="x")))
    bench.now += 168 * 3600 + 1
    assert tally(bench.run(record(github({}, event="x"))).outcomes) == {"delivered": 1}


def test_a_copy_of_a_rejected_event_is_rejected_too(bench: Bench) -> None:
    big = b'{"a":["' + b'","'.join([b"x" * 20_158] * 52) + b'"]}'
    settlement = bench.run(record(generic(big)), record(generic(big)))
    assert tally(settlement.outcomes) == {"too_large": 2}
    assert len(bench.s3.lines("rejected/")) == 2


def test_a_replay_of_what_was_delivered_is_a_duplicate_unless_forced(bench: Bench) -> None:
    bench.run(record(github({}, event="x", request="r-1")))
    replayed = record(github({}, event="x", request="r-1", replay="job"))
    assert tally(bench.run(replayed).outcomes) == {"duplicate": 1}
    forced = record(github({}, event="x", request="r-1", replay="job", force=True))
    assert tally(bench.run(forced).outcomes) == {"delivered": 1}
    assert len(bench.sqs.bodies()) == 2


def test_sqs_out_of_reach_reports_the_lowest_outer_sequence_number(bench: Bench) -> None:
    bench.sqs.broken = out_of_reach()
    batch = [
        record(b"malformed"),
        record(aggregate(github({}, event="x"), github({}, event="x", delivery="d-2"))),
        record(b"malformed too"),
    ]
    settlement = bench.run(*batch)
    sequence_number = batch[1]["kinesis"]["sequenceNumber"]
    assert settlement.response() == {"batchItemFailures": [{"itemIdentifier": sequence_number}]}
    assert tally(settlement.settled) == {"malformed_envelope": 1}, "only what is before it counts"
    assert len(bench.s3.lines("rejected/")) == 1
    assert [line["outcome"] for line in bench.s3.lines("ledger/")] == ["rejected"]


def test_each_event_counts_once_when_a_batch_is_tried_again(bench: Bench) -> None:
    """SQS takes every second message only, for a while; counters must still add up."""
    batch = [record(github({"n": n}, event="x", delivery=f"d-{n}")) for n in range(30)]
    batch.insert(12, record(github({"n": 3}, event="x", delivery="d-3")))
    batch.insert(20, record(b"malformed"))
    seen: list[str] = []

    def every_second(body: str) -> tuple[str, bool] | None:
        seen.append(body)
        return ("InternalError", False) if len(seen) < 70 and len(seen) % 2 else None

    bench.sqs.fail_entry = every_second
    bench.time_left = 5.01
    settled = bench.run(*batch)
    rest = [r for r in batch if int(r["kinesis"]["sequenceNumber"]) >= int(settled.checkpoint or 0)]
    assert settled.checkpoint is not None
    assert len(rest) < len(batch) + 1
    everything = [*settled.settled, *bench.run_until_settled(*rest)]
    assert tally(everything) == {"delivered": 30, "duplicate": 1, "malformed_envelope": 1}
    assert len(bench.sqs.bodies()) == 30, "nothing is sent twice"


def test_failed_entries_of_the_sender_are_rejected_others_tried_again(bench: Bench) -> None:
    first_try: set[str] = set()

    def fail(body: str) -> tuple[str, bool] | None:
        if '"n":1' in body:
            return "InvalidParameterValue: Message must be shorter than 1000 bytes", True
        if '"n":2' in body and body not in first_try:
            first_try.add(body)
            return "ServiceUnavailable", False
        return None

    bench.sqs.fail_entry = fail
    batch = [record(github({"n": n}, event="x", delivery=f"d-{n}")) for n in range(4)]
    assert tally(bench.run(*batch).outcomes) == {"delivered": 3, "too_large": 1}


def test_a_message_at_fault_does_not_take_its_batch_along(bench: Bench) -> None:
    refused = "poison"
    original = bench.sqs.send_message_batch

    def send(*, QueueUrl: str, Entries: list[dict[str, str]]) -> dict[str, Any]:
        if any(refused in entry["MessageBody"] for entry in Entries):
            raise client_error("InvalidMessageContents", "SendMessageBatch")
        return original(QueueUrl=QueueUrl, Entries=Entries)

    bench.sqs.send_message_batch = send  # type: ignore[method-assign]
    batch = [record(generic({"n": n})) for n in range(8)] + [record(generic({"n": refused}))]
    assert tally(bench.run(*batch).outcomes) == {"delivered": 8, "processing_error": 1}


def test_batches_keep_to_ten_messages_and_one_mebibyte(bench: Bench) -> None:
    large = [record(generic({"n": n, "texts": ["x" * 30_000] * 10})) for n in range(8)]
    small = [record(github({"n": n}, event="x", delivery=f"d-{n}")) for n in range(25)]
    assert tally(bench.run(*large, *small).outcomes) == {"delivered": 33}
    assert sorted(bench.sqs.batch_sizes) == [2, 3, 3, 5, 10, 10]


def test_dynamodb_limits_and_unprocessed_items(bench: Bench) -> None:
    bench.dynamodb.leave_unprocessed = 7
    batch = [record(github({"n": n}, event="x", delivery=f"d-{n}")) for n in range(260)]
    assert tally(bench.run(*batch).outcomes) == {"delivered": 260}
    assert max(bench.dynamodb.read_sizes) == 100
    assert max(bench.dynamodb.write_sizes) == 25
    assert len(bench.dynamodb.items) == 2 * 260


def test_dynamodb_that_cannot_be_read_sends_nothing(bench: Bench) -> None:
    bench.dynamodb.broken = out_of_reach()
    settlement = bench.run(record(github({}, event="x")))
    assert tally(settlement.outcomes) == {"unsettled": 1}
    assert settlement.checkpoint is not None
    assert not bench.sqs.messages


def test_what_was_sent_but_not_remembered_is_not_sent_again_by_this_process(bench: Bench) -> None:
    batch = [record(github({"n": n}, event="x", delivery=f"d-{n}")) for n in range(3)]
    bench.dynamodb.writes_broken = True
    assert bench.run(*batch).checkpoint == batch[0]["kinesis"]["sequenceNumber"]
    bench.dynamodb.writes_broken = False
    assert tally(bench.run_until_settled(*batch)) == {"delivered": 3}
    assert len(bench.sqs.bodies()) == 3


def test_an_archive_that_cannot_be_written_holds_the_checkpoint(bench: Bench) -> None:
    batch = [record(github({}, event="x")), record(b"malformed"), record(generic({}))]
    original = bench.s3.put_object

    def put(*, Key: str, **rest: Any) -> dict[str, Any]:
        if Key.startswith("rejected/"):
            raise client_error("SlowDown", status=503)
        return original(Key=Key, **rest)

    bench.s3.put_object = put  # type: ignore[method-assign]
    settlement = bench.run(*batch)
    assert settlement.checkpoint == batch[1]["kinesis"]["sequenceNumber"]
    assert tally(settlement.settled) == {"delivered": 1}
    assert [line["outcome"] for line in bench.s3.lines("ledger/")] == ["delivered"]


def test_without_its_ledger_no_outcome_stands_and_nothing_is_sent_again(bench: Bench) -> None:
    batch = [record(github({}, event="x")), record(generic({}))]
    bench.s3.broken = client_error("SlowDown", status=503)
    settlement = bench.run(*batch)
    assert settlement.checkpoint == batch[0]["kinesis"]["sequenceNumber"]
    assert not settlement.settled
    bench.s3.broken = None
    bench.new_process()
    assert tally(bench.run_until_settled(*batch)) == {"delivered": 2}
    assert len(bench.sqs.bodies()) == 2
    assert len(bench.s3.lines("ledger/")) == 2


def test_a_secret_that_cannot_be_read_is_no_rejection(bench: Bench) -> None:
    bench.ssm.broken = client_error("ThrottlingException")
    settlement = bench.run(record(github({}, event="x")), record(generic({})))
    assert tally(settlement.outcomes) == {"unsettled": 1, "delivered": 1}


def test_an_empty_secret_is_no_secret(bench: Bench) -> None:
    bench.ssm.parameters["/P/github/dev/signing_secret"] = "\n \n"
    settlement = bench.run(record(github({}, event="x", secret="")))
    assert tally(settlement.outcomes) == {"secret_unavailable": 1}


def test_a_bug_meets_one_event_only(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    from pipeline.event import steps

    def buggy(event: Any) -> None:
        if event.body == {"n": 1}:
            raise RuntimeError("a bug")

    monkeypatch.setattr(steps, "validate", buggy)
    batch = [record(generic({"n": n})) for n in range(3)]
    assert tally(bench.run(*batch).outcomes) == {"delivered": 2, "processing_error": 1}
    (line,) = bench.s3.lines("rejected/")
    assert "RuntimeError: a bug" in line["explanation"]


def test_retries_stop_before_the_time_is_up(bench: Bench) -> None:
    bench.sqs.broken = out_of_reach()
    settlement = bench.run(record(generic({})))
    assert [outcome.kind for outcome in settlement.outcomes] == [OutcomeKind.UNSETTLED]
    assert 5.0 <= bench.time_left < 8.0
