"""A poll from end to end, with an API played on this machine."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.event.compiled_poll import WindowSettings
from pipeline.polling.errors import PollError
from pipeline.runtime.deadline import Deadline
from tests.support.api_players import OktaPlayer, Reply, reply
from tests.support.fakes import client_error, out_of_reach
from tests.support.polling import START, PollBench, feed_of, okta_event

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.event.compiled_source import Catalog

OKTA = "okta-system-log"


@pytest.fixture
def okta() -> Iterator[OktaPlayer]:
    with OktaPlayer([okta_event(number) for number in range(10)], page=4) as player:
        yield player


@pytest.fixture
def bench(catalog: Catalog, okta: OktaPlayer) -> PollBench:
    return PollBench(catalog, OKTA, okta)


def row(bench: PollBench) -> dict[str, Any]:
    return bench.table.rows[f"{OKTA}#logs"]


def position(bench: PollBench) -> dict[str, Any]:
    return dict(json.loads(row(bench)["position"]["S"]))


def test_a_feed_is_drained_and_the_next_poll_goes_on_from_there(
    bench: PollBench, okta: OktaPlayer
) -> None:
    report = bench.good("logs")
    assert (report.outcome, report.pages, report.events) == ("drained", 4, 10)
    assert report.lag_seconds == 0
    assert "since" in okta.seen[0].query
    assert okta.seen[0].query["since"] == "2026-11-22T20:08:20Z"
    okta.events.append(okta_event(10))
    okta.events.append(okta_event(3, uuid="late", published="2026-11-23T19:00:00.000Z"))
    bench.now += 60
    assert bench.good("logs").events == 2
    expected = [*(f"event-{number:05d}" for number in range(11)), "late"]
    assert bench.delivered("uuid") == expected
    assert len(bench.bodies()) == 12, "nothing was fetched twice"
    assert set(row(bench)) == {"position", "state", "updated"}, "the lock was given back"


def test_each_event_is_an_envelope_of_its_own_with_its_very_bytes(
    bench: PollBench, okta: OktaPlayer
) -> None:
    texts = [
        b'{"uuid":"a", "n": 12345678901234567890123, "f":1.500, "e": 1E+2}',
        b'{ "uuid" : "b" ,\n\t"s":"\\u00e9\\ud83d\\ude00 \xc3\xa9" }',
        b'{"uuid":"c","bad":"\xff\xfe"}',
        b'{"uuid":"d","n":NaN}',
        b'{"uuid":"e","control":"\x01"}',
        b'{"uuid":"f","huge":' + b"9" * 6000 + b"}",
        b"[]",
        b'"text"',
        b"null",
    ]
    okta.faults.append(Reply(200, b" [ " + b" ,\r\n".join(texts) + b" ] "))
    bench.good("logs")
    envelopes = bench.kinesis.envelopes()
    assert sorted(envelope.body for envelope in envelopes) == sorted(texts)
    by_body = {envelope.body: envelope for envelope in envelopes}
    first = by_body[texts[0]]
    assert (first.source, first.ip, first.key) == (OKTA, "", "a")
    assert first.headers == {"x-poll-feed": "logs"}
    assert first.arrived_ms == int(START * 1000)
    fetch, _, number = first.id.rpartition("-")
    assert fetch.startswith("poll-")
    assert number == "0"
    assert len({envelope.id for envelope in envelopes}) == len(texts)
    assert by_body[b"null"].key.startswith("sha256:")


def test_a_long_id_still_gives_two_copies_one_partition_key(
    bench: PollBench, okta: OktaPlayer
) -> None:
    long = okta_event(1, uuid="é" * 3000)
    okta.faults += [reply([long, long])]
    bench.good("logs")
    keys = {
        entry["PartitionKey"] for entries in bench.kinesis.records.values() for entry in entries
    }
    assert len(keys) == 1
    assert len({envelope.key for envelope in bench.kinesis.envelopes()}) == 1


def test_an_event_too_large_for_a_record_goes_to_the_archive(
    bench: PollBench, okta: OktaPlayer, capsys: pytest.CaptureFixture[str]
) -> None:
    okta.events[5]["displayMessage"] = "x" * 1_100_000
    report = bench.good("logs")
    assert (report.events, report.too_large) == (10, 1)
    assert len(bench.bodies()) == 9
    (line,) = bench.s3.lines("rejected/")
    assert line["reason"] == "too_large"
    assert json.loads(line["body"]) == okta.events[5]
    assert line["key"] == "event-00005"
    assert '"reason":"too_large"' in capsys.readouterr().out.replace(" ", "")
    (key,) = bench.s3.objects
    assert f"source={OKTA}/" in key


def test_an_event_has_the_size_that_the_stage_allows_in_a_record(
    bench: PollBench, okta: OktaPlayer
) -> None:
    bench.largest_record = bench.kinesis.largest_record = 4_096 * 1024
    bench.new_process()
    okta.events[5]["displayMessage"] = "x" * 1_500_000
    report = bench.good("logs")
    assert (report.events, report.too_large) == (10, 0)
    assert max(len(envelope.body) for envelope in bench.kinesis.envelopes()) > 1_500_000


def test_a_too_large_event_that_cannot_be_archived_holds_the_position(
    bench: PollBench, okta: OktaPlayer
) -> None:
    okta.events[1]["displayMessage"] = "x" * 1_100_000
    bench.s3.broken = out_of_reach()
    report = bench.poll("logs")
    assert report.outcome == "failed"
    assert position(bench)["next"] is None
    bench.s3.broken = None
    bench.now += 200
    bench.good("logs")
    assert len(bench.s3.objects) == 1
    assert len(set(bench.bodies())) == 9


def test_a_poll_stops_before_its_time_runs_out(bench: PollBench, okta: OktaPlayer) -> None:
    def slow(_: Any) -> None:
        bench.now += 20

    okta.on_request = slow
    report = bench.good("logs", seconds=50)
    assert (report.outcome, report.pages) == ("out of time", 1)
    assert report.lag_seconds is not None
    assert report.lag_seconds > 0
    bench.now += 60
    assert bench.good("logs", seconds=100).outcome == "drained"
    assert len(bench.bodies()) == 10


def test_an_invocation_without_time_for_a_page_is_an_error(bench: PollBench) -> None:
    assert bench.poll("logs", seconds=10).outcome == "failed"


def test_a_position_of_another_description_is_an_error_that_says_what_to_do(
    catalog: Catalog, bench: PollBench, okta: OktaPlayer
) -> None:
    bench.good("logs")
    rows = bench.table.rows
    changed = PollBench(
        catalog,
        OKTA,
        okta,
        poll=lambda poll: feed_of(
            poll, "logs", window=WindowSettings(overlap_seconds=10, settle_seconds=0)
        ),
    )
    changed.table.rows = rows
    report = changed.poll("logs")
    assert f"checkpoint {OKTA}#logs" in str(report.error)
    assert "remove the attribute 'position'" in str(report.error)
    del rows[f"{OKTA}#logs"]["position"]
    assert not changed.poll("logs").error


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        "null",
        '{"v":2,"kind":"link","since":0,"until":null,"next":null,"complete":0}',
        '{"v":1,"kind":"link","since":"0","until":null,"next":null,"complete":0}',
        '{"v":1,"kind":"link","since":-1,"until":null,"next":null,"complete":0}',
        '{"v":1,"kind":"link","since":0,"until":null,"next":7,"complete":0}',
        '{"v":1,"kind":"link","since":0,"until":null,"next":null,"complete":0,"more":1}',
        '{"v":1,"kind":"link","since":0,"until":null,"next":null,"complete":0,"pages":-1}',
        '{"v":1,"kind":"link","since":0,"until":null,"next":null,"complete":0,"marks":[7]}',
        '{"v":1,"kind":"link","since":0,"until":null,"next":null,"complete":0,"marks":7}',
    ],
)
def test_a_broken_position_is_never_taken_for_a_start(bench: PollBench, text: str) -> None:
    bench.good("logs")
    row(bench)["position"]["S"] = text
    assert "cannot be read" in str(bench.poll("logs").error)
    assert row(bench)["position"]["S"] == text


def test_the_start_is_kept_while_polls_fail(bench: PollBench, okta: OktaPlayer) -> None:
    okta.faults += [Reply(400)]
    bench.poll("logs")
    bench.now += 7200
    bench.good("logs")
    assert okta.seen[1].query["since"] == okta.seen[0].query["since"]


def test_a_deployment_can_begin_elsewhere(catalog: Catalog, okta: OktaPlayer) -> None:
    bench = PollBench(catalog, OKTA, okta, start_hours_ago=0)
    bench.good("logs")
    assert okta.seen[0].query["since"] == "2026-11-23T20:08:20Z"


@pytest.mark.parametrize(("source", "feed"), [("nowhere", "logs"), (OKTA, "x"), ("github", "x")])
def test_an_unknown_feed_is_an_error(bench: PollBench, source: str, feed: str) -> None:
    with pytest.raises(PollError, match="has no feed"):
        bench.poller.poll(source, feed, Deadline(lambda: 60))


def test_the_stream_is_out_of_reach(bench: PollBench, okta: OktaPlayer) -> None:
    bench.kinesis.faults = [client_error("ResourceNotFoundException")]
    report = bench.poll("logs")
    assert report.outcome == "failed"
    assert position(bench)["next"] is None
    assert bench.good("logs").events == 10


def test_the_table_of_checkpoints_is_out_of_reach(bench: PollBench, okta: OktaPlayer) -> None:
    bench.table.broken = out_of_reach()
    report = bench.poll("logs")
    assert (report.outcome, report.counts["PollErrors"]) == ("failed", 1)
    assert f"checkpoint {OKTA}#logs: cannot be written" in str(report.error)
    assert not okta.seen
