"""What the archive writes can be read, at the extremes of what an invocation holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.archive import limits
from pipeline.archive.keys import name_of
from pipeline.archive.lines import ArchivedEvent
from pipeline.archive.packing import pack
from pipeline.archive.reading import read_object
from pipeline.archive.unpacking import LARGEST_RATIO, split_lines, unpack
from pipeline.archive.writer import ArchiveWriter
from pipeline.event.envelope import Envelope, decode_envelope, encode_envelope
from pipeline.event.events import Record, rejected
from pipeline.event.outcomes import Reason
from pipeline.event.ranges import are_ranges, read_ranges, write_ranges
from pipeline.runtime.deadline import Deadline
from tests.support.bench import NOW_MS, Bench, record
from tests.support.fakes import FakeS3

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pipeline.event.compiled_source import Catalog

#: An invocation's payload has 6 MB, and base64 makes of three bytes four.
LARGEST_BATCH = 6 * 1024 * 1024 * 3 // 4
FILLINGS = [b" ", b"a", b"\x00", b"\x01", b'"', b"\\", b"\xff", "\U0010ffff".encode(), b"\n"]


def written(items: Iterable[Record], *, rejections: bool) -> FakeS3:
    s3 = FakeS3()
    writer, deadline = ArchiveWriter(s3, "archive"), Deadline(lambda: 60.0)
    if rejections:
        outcomes = [rejected(one, Reason.MALFORMED_ENVELOPE, "\0" * 4_000) for one in items]
        assert writer.write_rejected(outcomes, deadline) == []
    else:
        assert writer.write_raw(list(items), deadline)
    return s3


def read_all(s3: FakeS3) -> list[ArchivedEvent]:
    found: list[Any] = [
        item for key in sorted(s3.objects) for _, item in read_object(key, [s3.objects[key]])
    ]
    assert [one for one in found if not isinstance(one, ArchivedEvent)] == []
    return found


@pytest.mark.parametrize("filling", FILLINGS)
@pytest.mark.parametrize("count", [1, 5])
def test_the_most_repetitive_of_batches_is_read_again(filling: bytes, count: int) -> None:
    body = filling * (LARGEST_BATCH // count // len(filling) - 200)
    data = encode_envelope(Envelope("r", NOW_MS, "generic", "192.0.2.1", body))
    for envelope in (None, decode_envelope(data)):
        items = [
            Record(str(number), "shardId-0", 1.0, data, "", str(number), envelope)
            for number in range(count)
        ]
        for rejections in (False, True):
            found = read_all(written(items, rejections=rejections))
            assert [one.envelope and one.envelope.body == body for one in found] == [True] * count


def test_a_batch_of_the_most_and_smallest_rejections_is_read_again(catalog: Catalog) -> None:
    """It packs far better than the ratio at which a reader becomes suspicious."""
    bench = Bench(catalog)
    body = b'{"data":{"events":[' + b",".join([b"{}"] * 5_000) + b"]}}"
    bench.run(record(encode_envelope(Envelope("r", NOW_MS, "okta", "", body))))
    rejections = {key: one for key, one in bench.s3.objects.items() if key.startswith("rejected/")}
    assert sum(len(list(read_object(key, [one]))) for key, one in rejections.items()) == 5_000


def test_a_reader_trusts_what_a_writer_may_write_and_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "LARGEST_OBJECT", 10_000)
    items = [b"x" * 99] * 250
    objects = [(len(one.items), one.size) for one in pack(items, lambda item, *, begins: [item])]
    assert objects == [(100, 10_000), (100, 10_000), (50, 5_000)]


def test_each_object_of_one_record_has_a_name_and_is_understood_by_itself(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "LARGEST_OBJECT", 3_000)
    body = b'{"data":{"events":[' + b",".join([b"{}"] * 20) + b"]}}"
    bench.run(record(encode_envelope(Envelope("r", NOW_MS, "okta", "", body))))
    keys = [key for key in sorted(bench.s3.objects) if key.startswith("rejected/")]
    assert len(keys) > 1
    assert [key.rpartition(".part")[2][:1] for key in keys[1:]] == [
        str(number) for number in range(2, len(keys) + 1)
    ]
    assert len({name_of(key) for key in keys}) == 1
    found = [item for key in keys for _, item in read_object(key, [bench.s3.objects[key]])]
    assert [one.id for one in found if isinstance(one, ArchivedEvent)] == [
        f"r#{number}" for number in range(20)
    ]
    # A job goes on in the middle of an object.
    rest = list(read_object(keys[0], [bench.s3.objects[keys[0]]], skip=3))
    assert next(number for number, _ in rest) == 4
    assert all(isinstance(item, ArchivedEvent) for _, item in rest)


@given(st.sets(st.integers(0, 300)), st.integers(1, 300))
def test_ranges_read_back(numbers: set[int], end: int) -> None:
    text = write_ranges(numbers)
    assert are_ranges(text) or not numbers
    if numbers:
        assert read_ranges(text, end) == sorted(number for number in numbers if number < end)


@pytest.mark.parametrize("text", ["", ",", "1,", "-1", "1-", "a", "01", "1-2-3", "1 2", "9" * 10])
def test_what_is_no_list_of_ranges(text: str) -> None:
    assert not are_ranges(text)


def test_the_ratio_is_met_by_the_writers_own_objects() -> None:
    """So the guard has to begin where the writer ends."""
    (one,) = pack([b"0" * 1_000_000], lambda item, *, begins: [item])
    content = one.content()
    assert one.size / len(content) > LARGEST_RATIO
    assert [len(line or b"") for _, line in split_lines(unpack([content]))] == [1_000_000]
