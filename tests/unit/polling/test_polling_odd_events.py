"""Odd events in a page, and pages of which the list is what is odd."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from pipeline.archive.keys import ArchiveKind
from pipeline.archive.lines import read_line
from pipeline.event.envelope import encode_envelope
from pipeline.polling.pages import read_page
from tests.support.api_players import OktaPlayer, Reply
from tests.support.bench import Bench as FanOutBench
from tests.support.bench import record
from tests.support.polling import PollBench, okta_event

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.event.compiled_source import Catalog

OKTA = "okta-system-log"
GOOD = b'{"uuid":"good-%d","eventType":"user.session.start","published":"2026-11-23T20:00:00Z"}'
#: What MozDef can read is delivered; the rest is rejected by itself, behind the stream.
DELIVERED = {
    "half a surrogate": b'{"uuid":"\\ud83d","eventType":"x","published":"2026-11-23T20:00:00Z"}',
    "NaN": b'{"uuid":"nan","eventType":"x","published":"2026-11-23T20:00:00Z","n":NaN}',
    "Infinity": b'{"uuid":"inf","eventType":"x","published":"2026-11-23T20:00:00Z","n":-Infinity}',
    "1e400": b'{"uuid":"1e400","eventType":"x","published":"2026-11-23T20:00:00Z","n":1e400}',
    "6,000 digits": b'{"uuid":"digits","eventType":"x","published":"2026-11-23T20:00:00Z","n":'
    + b"9" * 6_000
    + b"}",
    "the same key twice": b'{"uuid":"a","uuid":"b","published":"2026-11-23","eventType":"x"}',
    "800 levels": b'{"uuid":"deep","eventType":"x","published":"2026-11-23T20:00:00Z","n":'
    + b"[" * 800
    + b"]" * 800
    + b"}",
}
REJECTED = {
    "1,100 levels of lists": b'{"uuid":"d1","n":' + b"[" * 1_100 + b"]" * 1_100 + b"}",
    "1,100 levels of objects": b'{"n":' * 1_100 + b"0" + b"}" * 1_100,
    "100,000 levels": b"[" * 100_000 + b"]" * 100_000,
    "no UTF-8": b'{"uuid":"\xff\xfe","eventType":"x"}',
    "a control character": b'{"uuid":"c","eventType":"\x01"}',
    "no JSON": b'{"uuid" "x"}',
    "brackets that do not match": b'{"uuid":[}}',
    "a word": b"undefined",
    "a list": b"[1]",
    "a text": b'"text"',
    "a number": b"7",
    "null": b"null",
}


@pytest.fixture
def okta() -> Iterator[OktaPlayer]:
    with OktaPlayer([okta_event(0)]) as player:
        yield player


@pytest.mark.parametrize("odd", [*DELIVERED, *REJECTED])
def test_an_odd_event_is_one_outcome_and_the_feed_goes_on(
    catalog: Catalog, okta: OktaPlayer, odd: str
) -> None:
    bench = PollBench(catalog, OKTA, okta)
    event = {**DELIVERED, **REJECTED}[odd]
    link = (
        "Link",
        f'<{okta.base_url}/api/v1/logs?sortOrder=ASCENDING&limit=9&after=0>; rel="next"',
    )
    okta.faults.append(Reply(200, b"[%s,%s,%s]" % (GOOD % 1, event, GOOD % 2), [link]))
    report = bench.good("logs")
    assert (report.outcome, report.events) == ("drained", 4)
    assert sorted(bench.bodies())[:4].count(event) == 1 or event in bench.bodies()
    fan_out = FanOutBench(bench.catalog)
    batch = [record(encode_envelope(envelope)) for envelope in bench.kinesis.envelopes()]
    kinds = [outcome.kind for outcome in fan_out.run_until_settled(*batch)]
    assert kinds.count("delivered") == (4 if odd in DELIVERED else 3)
    assert kinds.count("rejected") == (0 if odd in DELIVERED else 1)


def test_two_fetches_of_an_odd_event_meet_in_one_shard(catalog: Catalog, okta: OktaPlayer) -> None:
    bench = PollBench(catalog, OKTA, okta)
    odd = b"[" + b",".join([*DELIVERED.values(), *REJECTED.values()]) + b"]"
    okta.faults += [Reply(200, odd), Reply(200, odd)]
    assert bench.good("logs").events == len(DELIVERED) + len(REJECTED)
    bench.good("logs")
    keys = {(one.body, one.key) for one in bench.kinesis.envelopes()}
    assert len(keys) == len(DELIVERED) + len(REJECTED)


def test_an_unreadable_event_with_a_time_does_not_move_the_lag(
    catalog: Catalog, okta: OktaPlayer
) -> None:
    okta.page = 1
    okta.events = [okta_event(0, published=1_795_464_440_123_456), okta_event(1)]
    bench = PollBench(catalog, OKTA, okta)
    okta.faults += [okta.answer, Reply(400)]
    report = bench.poll("logs")
    assert report.lag_seconds == pytest.approx(59.877), "microseconds are a time as well"
    okta.events = [okta_event(0, published=7), okta_event(1)]
    bench = PollBench(catalog, OKTA, okta)
    okta.faults += [okta.answer, Reply(400)]
    assert bench.poll("logs").lag_seconds == 86_400, "a number that is no time of this era is none"


@pytest.mark.parametrize("element", ["{}", "[]", "0", "null", "{ }"])
def test_a_page_of_nothing_but_the_same_is_one_event_and_the_feed_goes_on(
    catalog: Catalog, okta: OktaPlayer, element: str
) -> None:
    bench = PollBench(catalog, OKTA, okta)
    body = "[" + ",".join([element] * 100_000) + "]"
    link = (
        "Link",
        f'<{okta.base_url}/api/v1/logs?sortOrder=ASCENDING&limit=9&after=0>; rel="next"',
    )
    okta.faults.append(Reply(200, body.encode(), [link]))
    report = bench.good("logs")
    assert (report.outcome, report.events, report.copies) == ("drained", 2, 99_999)
    assert len(bench.bodies()) == 2


def test_what_is_beyond_the_most_events_is_set_aside_in_pieces(
    catalog: Catalog,
    okta: OktaPlayer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("pipeline.polling.pages.MOST_EVENTS", 100)
    monkeypatch.setattr("pipeline.polling.pages.PIECE_BYTES", 2_000)
    bench = PollBench(catalog, OKTA, okta)
    numbers = list(range(1_000))
    okta.faults.append(Reply(200, json.dumps(numbers).encode()))
    report = bench.good("logs")
    assert (report.outcome, report.events, report.too_many) == ("drained", 100, 2)
    assert report.summary["too_many"] == 2
    assert sorted(int(body) for body in bench.bodies()) == numbers[:100]
    lines = list(bench.s3.lines("rejected/"))
    assert {line["reason"] for line in lines} == {"too_many_events"}
    kept = sorted(number for line in lines for number in json.loads(line["body"]))
    assert kept == numbers[100:]
    assert "too_many_events" in capsys.readouterr().out


def test_a_replay_delivers_each_event_of_what_was_set_aside_as_a_list(
    catalog: Catalog, okta: OktaPlayer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.polling.pages.MOST_EVENTS", 2)
    monkeypatch.setattr("pipeline.polling.pages.PIECE_EVENTS", 3)
    poll = PollBench(catalog, OKTA, okta)
    events = [okta_event(number) for number in range(9)]
    okta.faults.append(Reply(200, json.dumps(events).encode()))
    assert poll.good("logs").too_many == 3
    fan_out = FanOutBench(catalog)
    for line in poll.s3.lines("rejected/"):
        kept = read_line(ArchiveKind.REJECTED, json.dumps(line).encode())
        assert kept.envelope is not None
        again = kept.envelope._replace(replay="job", replays=1)
        fan_out.run(record(encode_envelope(again)))
    delivered = [one["details"]["okta-system-log"]["uuid"] for one in fan_out.sqs.bodies()]
    assert sorted(delivered) == sorted(event["uuid"] for event in events[2:])
    assert len(fan_out.dynamodb.items) == 7, "each is known by its own id"


MEASURE = """
import resource, sys
from pipeline.polling.pages import read_page
element, size = sys.argv[1].encode(), int(sys.argv[2])
body = b'{"items":[' + (element + b",") * (size // (len(element) + 1)) + element + b"]}"
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
page = read_page(body, ("items",))
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(len(page.events), page.copies, (after - before) // 1024)
"""


@pytest.mark.parametrize(
    ("element", "size"), [("{}", 6_000_000), ("[]", 5_000_000), ("0", 5_000_000)]
)
def test_a_page_of_millions_of_elements_takes_no_memory_for_each(element: str, size: int) -> None:
    command = [sys.executable, "-c", MEASURE, element, str(size)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    events, copies, mebibytes = map(int, done.stdout.split())
    assert (events, copies) == (1, size // (len(element) + 1))
    assert mebibytes < 64


def test_the_frame_is_found_behind_the_list_as_well() -> None:
    page = read_page(b'{"a":1,"items":[{},{"b":2}] ,\n"next":12345678901234567890123}', ("items",))
    assert page.events == [b"{}", b'{"b":2}']
    assert page.document == {"a": "1", "items": [], "next": "12345678901234567890123"}
