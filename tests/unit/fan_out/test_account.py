"""The account of a batch weighs what was read against what came out, and not a number with itself.

A step that loses an event, or makes two of one, must not be acknowledged, whichever step it is.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from aws_kinesis_agg.aggregator import RecordAggregator
from hypothesis import given
from hypothesis import strategies as st

import pipeline.event.parsing
import pipeline.event.splitting
import pipeline.event.steps
import pipeline.fan_out.copies
import stream_processors.archiver
import stream_processors.fan_out
from pipeline.archive.writer import ArchiveWriter
from pipeline.event.envelope import Envelope, encode_envelope
from pipeline.event.events import Event, Outcomes, Record, rejected
from pipeline.event.mozdef_event import write_message
from pipeline.event.outcomes import Reason
from pipeline.fan_out.settlement import Settlement
from pipeline.runtime.deadline import Deadline
from pipeline.stream.accounting import BatchAccount, UnaccountedError, count_user_records
from pipeline.stream.kpl import Aggregate
from pipeline.stream.records import read_records
from stream_processors.archiver import Archiver
from tests.support.bench import NOW_MS, Bench, aggregate, generic, github, record, tally
from tests.support.fakes import FakeS3

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pipeline.event.compiled_source import Catalog
    from pipeline.fan_out.copies import Sorted

TEN = 10


def ten() -> list[dict[str, Any]]:
    return [record(github({"n": n}, event="x", delivery=f"d-{n}")) for n in range(TEN)]


def losing(function: Callable[..., Any]) -> Callable[..., Any]:
    """Have a step that gives a list of events lose the fourth."""

    def step(*given: Any, **named: Any) -> Any:
        found = list(function(*given, **named))
        return found[:3] + found[4:]

    return step


def losing_from_each(wanted: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the step with this work lose an event that it would have let pass."""
    each = Outcomes.each

    def lossy(self: Outcomes, events: Iterable[Event], work: Any) -> list[Event]:
        going_on = each(self, events, work)
        is_it = wanted in {work, getattr(work, "func", None)}
        return going_on[:3] + going_on[4:] if is_it else going_on

    monkeypatch.setattr(Outcomes, "each", lossy)


def refuses(bench: Bench, batch: list[dict[str, Any]]) -> None:
    with pytest.raises(UnaccountedError, match="10 events were read, and there are 9 outcomes"):
        bench.run(*batch)
    assert not [key for key in bench.s3.objects if key.startswith("ledger/")]


@pytest.mark.parametrize("step", ["verify", "parse_body", "identify", "validate"])
def test_a_step_of_the_examination_that_loses_an_event_is_not_acknowledged(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    losing_from_each(getattr(pipeline.event.steps, step), monkeypatch)
    refuses(bench, ten())


def test_a_reader_that_loses_a_record_is_not_acknowledged(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_processors.fan_out, "read_records", losing(read_records))
    refuses(bench, ten())


def test_an_opening_that_loses_a_record_is_not_acknowledged(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Outcomes, "open", losing(Outcomes.open))
    refuses(bench, ten())


def test_a_split_that_loses_an_event_is_not_acknowledged(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline.event.steps, "split", losing(pipeline.event.splitting.split))
    refuses(bench, ten())


def test_an_element_that_is_lost_is_not_acknowledged(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    elements = [{"uuid": f"u-{n}", "eventType": "x"} for n in range(TEN)]
    source = bench.catalog.sources["okta"]
    assert source.split == ("data", "events")
    body = orjson.dumps({"data": {"events": elements}})
    headers = {"content-type": "application/json"}
    data = encode_envelope(Envelope("r-1", NOW_MS, "okta", "192.0.2.1", body, "", headers))
    losing_from_each(pipeline.event.parsing.read_event, monkeypatch)
    refuses(bench, [record(data)])


def test_a_sorting_that_loses_an_event_is_not_acknowledged(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    sort_out = pipeline.fan_out.copies.sort_out

    def lossy(*given: Any) -> Sorted:
        found = sort_out(*given)
        del found.new[3]
        return found

    monkeypatch.setattr(stream_processors.fan_out, "sort_out", lossy)
    refuses(bench, ten())


def test_a_message_that_is_lost_is_not_acknowledged(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    losing_from_each(write_message, monkeypatch)
    refuses(bench, ten())


def test_a_delivery_that_forgets_an_event_is_not_acknowledged(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliver = bench.fan_out.delivery.deliver

    def lossy(*given: Any) -> Any:
        taken, outcomes = deliver(*given)
        return taken[1:], outcomes

    monkeypatch.setattr(bench.fan_out.delivery, "deliver", lossy)
    refuses(bench, ten())


def test_a_copy_without_a_fate_is_not_acknowledged(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_processors.fan_out, "share_fate", lambda *_: [])
    batch = ten()
    batch[9] = record(github({"n": 0}, event="x", delivery="d-0"))
    refuses(bench, batch)


@pytest.mark.parametrize("step", ["archived", "recorded"])
def test_a_settlement_that_loses_an_outcome_is_not_acknowledged(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    whole = getattr(Settlement, step)

    def lossy(self: Settlement, *given: Any) -> Settlement:
        return Settlement.of(whole(self, *given).outcomes[1:])

    monkeypatch.setattr(Settlement, step, lossy)
    with pytest.raises(UnaccountedError, match="10 events were read, and there are 9 outcomes"):
        bench.run(*ten())


def test_one_lost_and_one_counted_twice_do_not_make_up_for_each_other(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def swap(*given: Any) -> Any:
        records = list(read_records(*given))
        records[4] = records[5]
        return records

    monkeypatch.setattr(stream_processors.fan_out, "read_records", swap)
    with pytest.raises(UnaccountedError) as caught:
        bench.run(*(batch := ten()))
    numbers = [one["kinesis"]["sequenceNumber"] for one in batch]
    assert f"none for {numbers[4]}" in str(caught.value)
    assert f"two for {numbers[5]}" in str(caught.value)


def test_a_refused_batch_is_an_unsettled_one_and_nothing_is_received(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(stream_processors.fan_out, "fan_out", lambda: bench.fan_out)
    monkeypatch.setattr(stream_processors.fan_out, "read_records", losing(read_records))
    for name, value in {"STAGE": "dev", "POWERTOOLS_METRICS_NAMESPACE": "n"}.items():
        monkeypatch.setenv(name, value)

    class Context:
        aws_request_id = "r"

        def get_remaining_time_in_millis(self) -> int:
            return 60_000

    with pytest.raises(UnaccountedError):
        stream_processors.fan_out.handler({"Records": ten()}, Context())  # type: ignore[arg-type]
    written = [orjson.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["UnsettledBatches"] for line in written if "UnsettledBatches" in line] == [[1.0]]
    assert not [line for line in written if "Received" in line]


def test_the_archiver_does_not_acknowledge_what_it_does_not_write(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    archiver = Archiver(catalog, ArchiveWriter(FakeS3(), "archive"))
    batch = [*ten(), record(aggregate(generic({}), generic({}))), record(b"no envelope")]
    assert archiver.process(batch, Deadline(lambda: 60.0))
    monkeypatch.setattr(stream_processors.archiver, "read_records", losing(read_records))
    with pytest.raises(UnaccountedError, match="13 events were read, and there are 12"):
        archiver.process(batch, Deadline(lambda: 60.0))


@given(st.data())
def test_any_loss_is_noticed(data: st.DataObject) -> None:
    """Whatever is lost, made twice or put in from elsewhere: the account is out of balance."""
    sizes = data.draw(st.lists(st.integers(0, 4), min_size=1, max_size=6))
    batch = [
        record(aggregate(*[b"x"] * size) if size else b"x", sequence=place)
        for place, size in enumerate(sizes)
    ]
    account = BatchAccount(batch)
    sound = list(read_records(batch))
    account.check([rejected(one, Reason.PROCESSING_ERROR, "") for one in sound], {})
    kept = data.draw(st.lists(st.sampled_from(sound), max_size=len(sound) + 1))
    if sorted(one.place for one in kept) != sorted(one.place for one in sound):
        with pytest.raises(UnaccountedError):
            account.check_places(kept)


def test_each_element_of_a_request_needs_an_outcome_of_its_own() -> None:
    batch = [record(b"x", sequence=0)]
    (one,) = read_records(batch)
    parts = [Record(one.sequence_number, "s", 0.0, b"", place=f"{one.place}#{n}") for n in range(3)]
    account = BatchAccount(batch)
    account.check_places(parts, {one.place: 3})
    for wrong in (parts[:2], [*parts, one], [parts[0], parts[0], parts[2]], [one]):
        with pytest.raises(UnaccountedError):
            account.check_places(wrong, {one.place: 3})


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=40))
def test_an_aggregates_records_are_counted_as_the_vendors_library_packs_them(
    content: list[bytes],
) -> None:
    theirs = RecordAggregator()
    ours = Aggregate()
    for number, one in enumerate(content):
        theirs.add_user_record(f"key {number}", one)
        ours.add(f"key {number % 3}", one, 10**6)
    _, _, data = theirs.clear_and_get().get_contents()
    assert count_user_records(bytes(data)) == len(content)
    assert count_user_records(ours.to_bytes()) == len(content)


@given(st.binary(max_size=200))
def test_what_is_no_aggregate_is_one_record(content: bytes) -> None:
    data = b"\xf3\x89\x9a\xc2" + content
    batch = [record(data)]
    account = BatchAccount(batch)
    account.check_places(list(read_records(batch)))


@pytest.mark.parametrize("at", [4, -1, 9])
def test_a_broken_aggregate_is_one_record_that_is_kept_whole(bench: Bench, at: int) -> None:
    broken = bytearray(aggregate(generic({"n": 1}), generic({"n": 2})))
    broken[at] ^= 0xFF
    assert tally(bench.run(record(bytes(broken))).outcomes) == {"malformed_envelope": 1}


def test_of_a_broken_aggregate_no_part_may_be_missing() -> None:
    broken = bytearray(aggregate(generic({"n": 1}), generic({"n": 2})))
    broken[-1] ^= 0xFF
    batch = [record(bytes(broken))]
    (whole,) = read_records(batch)
    account = BatchAccount(batch)
    account.check_places([whole])
    whole.data = whole.data[:-1]
    with pytest.raises(UnaccountedError):
        account.check_places([whole])


def test_data_that_is_no_base64_is_one_record(bench: Bench) -> None:
    one = record(b"")
    one["kinesis"]["data"] = base64.b64encode(aggregate(b"x", b"y")).decode()[:8] + "*"
    assert tally(bench.run(one).outcomes) == {"malformed_envelope": 1}
