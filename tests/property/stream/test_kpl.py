"""Aggregates: their size is known before they are made, and what is written is read back."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.stream.kpl import Aggregate, deaggregate

KEYS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
#: Lengths about those at which a varint grows by a byte: 2**7, 2**14, and a mebibyte's 2**20.
DATA = st.binary(max_size=60) | st.sampled_from(
    [b"x" * (edge + more) for edge in (1 << 7, 1 << 14) for more in range(-12, 3)]
)
RECORDS = st.lists(st.tuples(KEYS, DATA), min_size=1, max_size=20)


def aggregate(records: list[tuple[str, bytes]]) -> Aggregate:
    made = Aggregate()
    for key, data in records:
        assert made.add(key, data, 1 << 30)
    return made


@given(records=RECORDS)
@example(records=[(f"key {number}", b"") for number in range(300)])
@example(records=[("k" * 200, b"x" * (1 << 21))])
def test_the_size_of_an_aggregate_is_exact(records: list[tuple[str, bytes]]) -> None:
    made = aggregate(records)
    assert made.size == len(made.to_bytes()) + len(records[0][0].encode())


@given(records=RECORDS)
def test_an_aggregate_holds_a_record_up_to_its_very_limit(records: list[tuple[str, bytes]]) -> None:
    full = aggregate(records).size
    for limit, fits in ((full, True), (full - 1, False)):
        made = aggregate(records[:-1])
        size = made.size
        assert made.add(*records[-1], limit) == fits
        assert made.size == (full if fits else size), "what does not fit leaves nothing behind"
        assert len(made) == len(records) - (not fits)


@given(records=RECORDS)
def test_what_is_written_is_read_back_in_order(records: list[tuple[str, bytes]]) -> None:
    made = aggregate(records)
    assert list(deaggregate(made.to_bytes())) == [(data, "") for _, data in records]
    assert (made.first_key, made.first_data) == records[0]
