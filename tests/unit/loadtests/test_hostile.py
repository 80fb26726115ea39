"""What the hostile run throws is what it says, and a row that is too dear ends it with 1."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import orjson
import pytest

from loadtests.hostile.aggregates import hostile_records
from loadtests.hostile.bodies import hostile_bodies
from loadtests.hostile.run import Cost, write_costs
from pipeline.stream.records import read_records
from tests.support.bench import record

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("size", [40_000, 1_000_000])
def test_bodies_have_the_size_that_they_are_made_for(size: int) -> None:
    for one in hostile_bodies(size):
        bomb = one.name == "a gzip bomb"
        fewer = bomb or one.name == "events that are delivered"
        assert fewer or size * 0.7 < len(one.body) <= size, one.name
        assert not bomb or len(zlib.decompress(one.body, 31)) == 100 * size


def test_names_tell_inputs_apart() -> None:
    names = [one.name for one in hostile_bodies(5_000)]
    names += [one.name for one in hostile_records(5_000)]
    assert len(set(names)) == len(names)


def test_each_record_is_faulty_but_for_the_smallest_envelopes() -> None:
    faults = {}
    for one in hostile_records(20_000):
        found = list(read_records([record(one.data)]))
        faults[one.name] = {each.fault for each in found}
    assert {name for name, fault in faults.items() if fault == {""}} == {
        "noise",
        "an aggregate of empty records",
        "an aggregate of the smallest envelopes",
    }


@pytest.mark.parametrize(
    ("delay", "lost", "holds"), [(5.0, 0, True), (5.01, 0, False), (0.1, 1, False)]
)
def test_a_cost_holds_where_nobody_waits_long_and_nothing_is_lost(
    tmp_path: Path, delay: float, lost: int, holds: bool
) -> None:
    cost = Cost("x", 1, 60.0, 1.0, delay, lost)
    assert cost.holds is holds
    write_costs([cost], tmp_path / "build" / "hostile.json")
    written = orjson.loads((tmp_path / "build" / "hostile.json").read_bytes())
    assert written["costs"][0]["delay_seconds"] == delay
