"""The comparison of one shard: whatever the objects are, it finds what one side lacks."""

from __future__ import annotations

import tracemalloc
from itertools import pairwise
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from pipeline.reconciliation.comparison import ShardComparison, StreamReader, UserRecord

if TYPE_CHECKING:
    from collections.abc import Iterator

FAN_OUT, ARCHIVER = StreamReader
Objects = list[tuple[StreamReader, list[UserRecord]]]


def compared(objects: Objects, settle_at: int) -> tuple[dict[StreamReader, list[UserRecord]], int]:
    """Feed objects in the order of their first records, as the reconciler does."""
    found: dict[StreamReader, list[UserRecord]] = {FAN_OUT: [], ARCHIVER: []}
    comparison = ShardComparison(lambda reader, record: found[reader].append(record), settle_at)
    in_order = sorted((item for item in objects if item[1]), key=lambda item: item[1][0][0])
    for number, (reader, records) in enumerate(in_order, 1):
        comparison.add(reader, records)
        if number < len(in_order):
            comparison.settle(in_order[number][1][0][0])
    comparison.finish()
    return found, comparison.compared


def cut(records: list[UserRecord], places: set[int], lanes: int) -> Iterator[list[UserRecord]]:
    """Batches of one reader: cut at these places, in lanes that overlap."""
    for lane in range(lanes):
        mine = records[lane::lanes]
        edges = [0, *sorted(place for place in places if place < len(mine)), len(mine)]
        for start, end in pairwise(edges):
            yield mine[start:end]


RECORDS = st.lists(st.tuples(st.integers(0, 30), st.sampled_from("ab")), unique=True, max_size=40)
PLACES = st.sets(st.integers(1, 30))


@given(
    records=RECORDS,
    lost=st.tuples(PLACES, PLACES),
    cuts=st.tuples(PLACES, PLACES, PLACES),
    lanes=st.integers(1, 3),
    settle_at=st.sampled_from([1, 4, 50_000]),
)
def test_it_finds_what_two_sets_differ_in(
    records: list[UserRecord],
    lost: tuple[set[int], set[int]],
    cuts: tuple[set[int], set[int], set[int]],
    lanes: int,
    settle_at: int,
) -> None:
    """Batches are cut elsewhere on each side, overlap, and are written twice in other parts."""
    records = sorted(records)
    read = [
        [record for number, record in enumerate(records) if number not in missing]
        for missing in lost
    ]
    objects: Objects = [(FAN_OUT, batch) for batch in cut(read[0], cuts[0], lanes)]
    objects += [(FAN_OUT, batch) for batch in cut(read[0], cuts[1], 1)]
    objects += [(ARCHIVER, batch) for batch in cut(read[1], cuts[2], 1)]
    found, number = compared(objects, settle_at)
    of_fan_out, of_archiver = map(set, read)
    assert sorted(found[FAN_OUT]) == sorted(of_archiver - of_fan_out)
    assert sorted(found[ARCHIVER]) == sorted(of_fan_out - of_archiver)
    assert number == len(of_fan_out | of_archiver)


def hour(records: int, batch: int) -> Iterator[tuple[int, list[UserRecord]]]:
    for start in range(0, records, batch):
        yield start, [(number, f"request-{number}") for number in range(start, start + batch)]


def test_an_hour_needs_the_memory_of_what_overlaps() -> None:
    many, batch, settle_at = 300_000, 500, 5_000
    unmatched = 0

    def count(_reader: StreamReader, _record: UserRecord) -> None:
        nonlocal unmatched
        unmatched += 1

    comparison = ShardComparison(count, settle_at)
    tracemalloc.start()
    try:
        for start, records in hour(many, batch):
            comparison.add(ARCHIVER, records)
            comparison.settle(start)
            # The fan-out has lost the last record of each batch.
            comparison.add(FAN_OUT, records[:-1])
            comparison.settle(start + batch)
        comparison.finish()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert comparison.compared == many
    assert unmatched == many // batch
    assert peak < 5_000_000, f"{peak:,} bytes; all of it would be some 60 MB"


class Counting(ShardComparison):
    """Counts how often it has looked at all that it holds."""

    looks = 0

    def _compare(self, settled: dict[StreamReader, set[UserRecord]]) -> None:
        self.looks += 1
        super()._compare(settled)


def test_what_overlaps_for_long_is_not_looked_at_for_each_object() -> None:
    """The fan-out stands at the first record, and the archiver goes on."""
    comparison = Counting(lambda _reader, _record: None, settle_at=8)
    for number in range(4_096):
        comparison.add(ARCHIVER, [(number, "")])
        comparison.settle(0)
    assert comparison.held == 4_096
    assert comparison.looks == 10, "at 8, 16, 32 and so on"
    comparison.finish()
    assert (comparison.held, comparison.compared) == (0, 4_096)


def test_a_few_records_are_not_worth_a_look() -> None:
    comparison = Counting(lambda _reader, _record: None, settle_at=8)
    for number in range(8):
        assert comparison.looks == 0
        comparison.add(ARCHIVER, [(number, "")])
        comparison.settle(number + 1)
    assert (comparison.looks, comparison.held) == (1, 0)
