"""Work, memory and archive grow with a request, and not with its square: measured, not timed."""

from __future__ import annotations

import ctypes
import gc
import gzip
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from loadtests.hostile.bodies import SPLIT, HostileBody, hostile_bodies, hostile_body, hostile_names
from pipeline.archive.keys import ArchiveKind
from pipeline.archive.reading import read_object
from pipeline.event import splitting
from pipeline.event.compiled_source import Catalog
from pipeline.event.envelope import Envelope, decode_envelope, encode_envelope
from pipeline.event.outcomes import OutcomeKind
from pipeline.stream import kpl
from tests.support.bench import NOW_MS, Bench, aggregate, record, tally

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.archive.lines import ArchivedEvent

SIZES = (100_000, 1_000_000)
#: What a record has at most (`max_record_kib`) that Lambda can hand over; of the worst kinds.
LARGEST = 4 * 1024 * 1024 - 8_192
LARGEST_OF = {
    *("empty objects (R5)", "objects of one member", "empty lists", "one long text"),
    *("control characters, which are no JSON", "elements nested 800 deep (R2)"),
}
#: Bytes of memory and of archive for each byte of a request, and for each event that is made of it.
#: orjson asks for the twelvefold of a text while it reads it, and an object of one member in five
#: bytes takes 232.
MEMORY_PER_BYTE, MEMORY_PER_EVENT = 62, 4_000
ARCHIVE_PER_BYTE, ARCHIVE_PER_EVENT = 6, 700
MOST_EVENTS = 5_000
#: A quarter of the function's memory in the defaults.
MEMORY = 256 * 1024 * 1024


def envelope(one: HostileBody, name: str = "r") -> bytes:
    return encode_envelope(Envelope(name, NOW_MS, one.source, "192.0.2.1", one.body))


def elements(count: int, element: bytes = b'{"uuid":7}') -> bytes:
    body = b'{"data":{"events":[' + b",".join([element] * count) + b"]}}"
    return envelope(HostileBody("", SPLIT, body))


def measure(bench: Bench, *records: dict[str, Any]) -> tuple[int, int, int]:
    """Run a batch in a process of its own, whose memory grows by that alone.

    Returns
    -------
    tuple[int, int, int]
        Bytes by which its memory was larger at its peak (`VmHWM`), bytes of the archive when they
        are unpacked, and how many events the ledger has.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.write(writing, orjson.dumps(_measured(bench, records)))
            status = 0
        finally:
            os._exit(status)
    os.close(writing)
    with os.fdopen(reading, "rb") as answer:
        found = answer.read()
    _, status = os.waitpid(child, 0)
    assert status == 0
    peak, written, events = orjson.loads(found)
    return peak, written, events


def _measured(bench: Bench, records: Sequence[dict[str, Any]]) -> tuple[int, int, int]:
    # What earlier tests left free would hide what is taken now.
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    before = _peak()
    bench.run(*records)
    peak = _peak() - before
    unpacked = sum(len(gzip.decompress(one)) for one in bench.s3.objects.values())
    return peak, unpacked, len(bench.s3.lines("ledger/"))


def _peak() -> int:
    (line,) = (
        line for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line
    )
    return int(line.split()[1]) * 1_024


@pytest.mark.parametrize("name", hostile_names())
def test_memory_and_archive_go_with_the_size_of_a_request(catalog: Catalog, name: str) -> None:
    for size in (*SIZES, LARGEST) if name in LARGEST_OF else SIZES:
        one = hostile_body(name, size)
        bench = Bench(catalog)
        peak, written, events = measure(bench, record(envelope(one)))
        assert 1 <= events <= MOST_EVENTS
        assert peak <= min(MEMORY, 1_000_000 + MEMORY_PER_BYTE * size + MEMORY_PER_EVENT * events)
        assert written <= 10_000 + ARCHIVE_PER_BYTE * size + ARCHIVE_PER_EVENT * events


@pytest.mark.parametrize("name", ["empty objects (R5)", "events of another type (R4)"])
def test_a_batch_makes_a_bounded_number_of_events(catalog: Catalog, name: str) -> None:
    """Of the payload of an invocation, filled with requests that are just not too many events."""
    one = hostile_body(name, 14_900)
    batch = [record(envelope(one, f"r-{n}")) for n in range(280)]
    bench = Bench(catalog)
    peak, _, events = measure(bench, *batch)
    assert peak < MEMORY
    assert events < splitting.MOST_AT_ONCE + MOST_EVENTS


def test_events_beyond_the_bound_of_an_invocation_are_delivered_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(splitting, "MOST_AT_ONCE", 4)
    batch = [record(elements(3)) for _ in range(5)]
    first = bench.run(*batch)
    assert tally(first.settled) == {"schema_violation": 6}
    assert first.checkpoint == batch[2]["kinesis"]["sequenceNumber"]
    assert "delivered again" in first.explanations(OutcomeKind.UNSETTLED)[0]
    assert tally(bench.run_until_settled(*batch)) == {"schema_violation": 15}


def test_what_one_record_holds_beyond_the_bound_is_rejected_and_not_tried_for_ever(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(splitting, "MOST_AT_ONCE", 4)
    settled = bench.run_until_settled(record(aggregate(*[elements(3)] * 4)))
    assert tally(settled) == {"schema_violation": 6, "too_many_events": 2}


@pytest.mark.parametrize("element", [b"0", b"{}"])
def test_too_many_events_are_one_rejection_that_can_be_replayed_when_more_are_allowed(
    catalog: Catalog, element: bytes
) -> None:
    source = catalog.sources[SPLIT]
    few = Bench(Catalog({SPLIT: replace(source, split_most=20)}))
    few.run(record(elements(20, element)), record(elements(21, element)))
    ends = tally_lines(few)
    assert ends == {"schema_violation": 20, "too_many_events": 1}
    (kept,) = [one for one in rejections(few) if one.reason == "too_many_events"]
    assert "more than 20 events" in kept.explanation
    assert kept.envelope is not None
    more = Bench(Catalog({SPLIT: replace(source, split_most=21)}))
    more.run(record(encode_envelope(kept.envelope)))
    assert tally_lines(more) == {"schema_violation": 21}


def test_a_request_is_in_the_archive_once_and_each_rejected_event_by_itself(bench: Bench) -> None:
    body = b'{"data":{"events":[{"uuid":7},"\xff",{"uuid":7}]}}'
    bench.run(record(envelope(HostileBody("", SPLIT, body), "one")), record(elements(2)))
    lines = bench.s3.lines("rejected/")
    assert [line.get("kind") for line in lines] == [
        "request", "element", "element", "element", "request", "element", "element",
    ]  # fmt: skip
    found = rejections(bench)
    assert [(one.id, one.body) for one in found[:3]] == [
        ("one#0", b'{"uuid":7}'), ("one#1", b'"\xff"'), ("one#2", b'{"uuid":7}'),
    ]  # fmt: skip
    assert {one.envelope.body for one in found[:3] if one.envelope} == {body}


def test_explanations_of_one_request_share_a_bound(catalog: Catalog) -> None:
    def fail(_: Any) -> None:
        raise ValueError("x" * 5_000)

    source = replace(catalog.sources[SPLIT], default_schema_module="m", _validators={"m": fail})
    for count, longest in ((1, 4_000), (1_000, 400), (5_000, 100)):
        bench = Bench(Catalog({SPLIT: source}))
        bench.run(record(elements(count, b'{"uuid":"u"}')))
        lengths = {len(one.explanation) for one in rejections(bench)}
        assert max(lengths) == longest
        assert all(one.explanation.startswith("ValueError: x") for one in rejections(bench))


def test_a_replay_makes_the_events_that_it_wants_and_no_others(bench: Bench) -> None:
    body = orjson.dumps({"data": {"events": [{"uuid": str(n)} for n in range(5)]}})
    wanted = Envelope("r", NOW_MS, SPLIT, "", body, replay="job", replays=1, only="1,3-9")
    bench.run(record(encode_envelope(wanted)))
    lines = bench.s3.lines("ledger/")
    assert [(line["id"], line["elements"], line["partial"]) for line in lines] == [
        ("r@job#1", 3, True), ("r@job#3", 3, True), ("r@job#4", 3, True),
    ]  # fmt: skip
    nothing = wanted._replace(only="7")
    bench.run(record(encode_envelope(nothing)))
    assert "none of '7'" in rejections(bench)[-1].explanation


def test_an_aggregate_of_too_many_records_is_one_faulty_record(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kpl, "MOST_USER_RECORDS", 3)
    monkeypatch.setattr("pipeline.stream.accounting.MOST_USER_RECORDS", 3)
    for count, ends in ((3, {"schema_violation": 3}), (4, {"malformed_envelope": 1})):
        settlement = bench.run(record(aggregate(*[elements(1)] * count)))
        assert tally(settlement.settled) == ends


def rejections(bench: Bench) -> list[ArchivedEvent]:
    found = [
        item
        for key, content in bench.s3.objects.items()
        if key.startswith(ArchiveKind.REJECTED.prefix)
        for _, item in read_object(key, [content])
    ]
    assert not [item for item in found if not hasattr(item, "envelope")]
    return found  # type: ignore[return-value]


def tally_lines(bench: Bench) -> dict[str, int]:
    counts: dict[str, int] = {}
    for one in rejections(bench):
        counts[one.reason] = counts.get(one.reason, 0) + 1
    return counts


def test_the_largest_are_of_the_corpus() -> None:
    assert {*hostile_names()} >= LARGEST_OF


def test_the_corpus_can_be_sent(catalog: Catalog) -> None:
    for one in hostile_bodies(1_000):
        assert one.source in catalog.sources
        assert decode_envelope(envelope(one)).body == one.body
