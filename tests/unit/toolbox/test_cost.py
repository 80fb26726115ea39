"""The arithmetic of `mozdef-ef cost`, by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from toolbox.costs.capacity import concurrency, needs
from toolbox.costs.designs import all_bills, function_per_webhook, old_framework, this_design
from toolbox.costs.document import document
from toolbox.costs.prices import FILE, PriceError, PriceList, load_prices
from toolbox.costs.workload import Workload, invocations, queue_requests, shards

PRICES = load_prices()
PAGE = Path(__file__).parents[3] / "docs" / "cost.md"
THOUSAND = Workload(1_000, 1_024, duplicates=0.0)


def dollars(workload: Workload, part: str, mode: str = "on_demand") -> float:
    (line,) = (line for line in this_design(workload, PRICES, mode).lines if line.part == part)
    return line.dollars


def test_a_month_of_events() -> None:
    assert THOUSAND.events == 1_000 * 730 * 3_600 == 2_628_000_000


def test_the_front_door_is_billed_by_tiers() -> None:
    # 333 million at 3.50, 667 million at 2.80, the other 1,628 million at 2.38.
    by_hand = 333 * 3.50 + 667 * 2.80 + 1_628 * 2.38
    assert dollars(THOUSAND, "API Gateway") == pytest.approx(by_hand)
    assert PRICES.api_gateway(1_000_000) == pytest.approx(3.50)
    assert PRICES.api_gateway(0) == 0
    last = PRICES.api_gateway(30_000_000_000) - PRICES.api_gateway(29_999_000_000)
    assert last == pytest.approx(1.51)


def test_a_record_is_rounded_up_to_whole_kilobytes() -> None:
    # 1,024 bytes and 600 of envelope are 2 KB of the stream.
    gb = 2_628_000_000 * 2 / 1_024**2
    assert dollars(THOUSAND, "stream: in") == pytest.approx(gb * 0.08)
    assert dollars(THOUSAND, "stream: hours") == pytest.approx(730 * 0.04)


def test_provisioned_shards() -> None:
    # 1,660 bytes a record with its key: 1.66 MB/s need two shards, with half as many again three.
    assert shards(THOUSAND, PRICES) == 2
    assert shards(THOUSAND, PRICES, headroom=1.5) == 3
    assert dollars(THOUSAND, "stream: shards", "provisioned") == pytest.approx(3 * 730 * 0.015)
    assert dollars(THOUSAND, "stream: in", "provisioned") == pytest.approx(2_628 * 0.014)
    # Small records: a thousand a second is a shard, whatever their size.
    assert shards(Workload(3_500, 10), PRICES) == 4


def test_the_table_reads_half_units_and_writes_whole_ones() -> None:
    assert dollars(THOUSAND, "table: reads") == pytest.approx(1_314 * 0.125)
    assert dollars(THOUSAND, "table: writes") == pytest.approx(2_628 * 0.625)
    half = replace(THOUSAND, duplicates=0.5)
    assert dollars(half, "table: writes") == pytest.approx(1_314 * 0.625)


def test_a_batch_ends_by_number_by_bytes_or_by_time() -> None:
    by_time = invocations(Workload(400, 100), PRICES, "fan_out", 4)
    assert (by_time.per_second, by_time.events_in_each) == (4.0, 100.0)
    by_number = invocations(Workload(40_000, 100), PRICES, "fan_out", 4)
    assert (by_number.per_second, by_number.events_in_each) == (80.0, 500.0)
    by_bytes = invocations(Workload(40_000, 43_400), PRICES, "fan_out", 4)
    assert by_bytes.events_in_each == pytest.approx(100.0)
    alone = invocations(Workload(0.1, 100), PRICES, "fan_out", 4)
    assert (alone.per_second, alone.events_in_each) == (0.1, 1.0)


def test_queue_requests() -> None:
    # Ten events of 1,474 bytes are 15 KB: one request.
    assert queue_requests(THOUSAND, PRICES, 500) == pytest.approx(262_800_000)
    # Ten of 10,690 bytes are 107 KB: two requests of 64 KB.
    assert queue_requests(replace(THOUSAND, size=10_240), PRICES, 500) == pytest.approx(525_600_000)
    assert queue_requests(THOUSAND, PRICES, 1) == pytest.approx(2_628_000_000)
    # Two of 400,450 bytes fill a call, and are 13 chunks.
    big = replace(THOUSAND, size=400_000)
    assert queue_requests(big, PRICES, 10) == pytest.approx(1_314_000_000 * 13)


def test_an_hour_of_events_is_compared_once() -> None:
    # 3.6 million events of 13 us are 46.8 s, 730 times; an object a second of each of four shards
    # in the ledger, and one of each of five sources a minute or each 4.4 MB in raw/.
    function = 46.8 * 1.769 * 730 * 0.0000133334 + 730 * 0.2e-6
    batch = 4_400_000 / 1_624
    objects = 1_000 / 250 + 1_000 / batch * 5
    gets = objects * 730 * 3_600 / 1_000 * 0.0004
    assert dollars(THOUSAND, "reconciler") == pytest.approx(function + gets + 5 * 0.30)
    # At a hundred times the rate the time-out ends it; what is left out is an alarm.
    (need,) = (
        need
        for need in needs(replace(THOUSAND, events_per_second=100_000), PRICES)
        if need.what.startswith("reconciler")
    )
    assert need.amount == pytest.approx(4_680)
    assert need.bites


def test_the_other_designs() -> None:
    old = {line.part: line for line in old_framework(THOUSAND, PRICES).lines}
    assert old["function: calls"].dollars == pytest.approx(2_628 * 0.20)
    gb_seconds = 2_628_000_000 * 0.045 * 0.125
    assert old["function: time"].dollars == pytest.approx(gb_seconds * 0.0000133334)
    assert old["queue: sending"].dollars == pytest.approx(2_628 * 0.40)
    assert not any(part.startswith(("archive", "table")) for part in old)
    each = {line.part: line for line in function_per_webhook(THOUSAND, PRICES).lines}
    assert each["archive: writes"].dollars == pytest.approx(2_628_000 * 0.005)


@given(
    st.floats(0.001, 1_000_000),
    st.integers(1, 1_000_000),
    st.floats(0, 0.99),
)
def test_bills_add_up_and_grow_with_the_rate(rate: float, size: int, duplicates: float) -> None:
    workload = Workload(rate, size, duplicates)
    for bill, more in zip(
        all_bills(workload, PRICES),
        all_bills(replace(workload, events_per_second=rate * 2), PRICES),
        strict=True,
    ):
        assert bill.dollars == pytest.approx(sum(line.dollars for line in bill.lines))
        assert all(line.dollars >= 0 and line.amount >= 0 for line in bill.lines)
        assert more.dollars > bill.dollars
        assert bill.per_million(workload) * workload.events / 1e6 == pytest.approx(bill.dollars)


def test_limits_bite_where_they_must() -> None:
    found = {need.what: need for need in needs(Workload(100_000, 1_024), PRICES)}
    assert found["API Gateway: requests a second"].bites
    assert found["table: writes a second"].bites
    assert not any(need.bites for need in needs(Workload(1_000, 1_024), PRICES))


def test_no_more_invocations_than_shards_and_consumers() -> None:
    busy = Workload(1_000, 1_024)
    slow = PriceList(
        PRICES.date,
        PRICES.region,
        PRICES.sources,
        PRICES.tiers,
        PRICES.prices,
        {**PRICES.assumptions, "fan_out_us_per_event": 1e6, "archiver_us_per_event": 1e6},
    )
    assert concurrency(busy, slow, 3) == 6


def test_the_page_is_what_the_arithmetic_gives() -> None:
    """Run `mozdef-ef cost --document > docs/cost.md` after a change."""
    assert PAGE.read_text(encoding="utf-8") == document(PRICES)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"date": "soon"}, "date"),
        ({"prices": {"api_gateway_tiers": [[333, 3.5]]}}, "api_gateway_tiers"),
        ({"extra": 1}, "extra"),
    ],
)
def test_a_wrong_file_is_said(tmp_path: Path, change: dict[str, object], message: str) -> None:
    file = tmp_path / "prices.yaml"
    file.write_text(yaml.safe_dump(yaml.safe_load(FILE.read_text()) | change))
    with pytest.raises(PriceError, match=message):
        load_prices(file)
