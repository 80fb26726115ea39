"""The arithmetic of `mozdef-ef cost`, by hand."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from toolbox.cli.main import app
from toolbox.costs.capacity import concurrency, needs
from toolbox.costs.choices import LEVERS, StageChoices
from toolbox.costs.designs import all_bills, function_per_webhook, old_framework, this_design
from toolbox.costs.document import document
from toolbox.costs.prices import FILE, PriceError, load_prices
from toolbox.costs.workload import CostCase, Workload, invocations, queue_requests, shards

PRICES = load_prices()
PAGE = Path(__file__).parents[3] / "docs" / "cost.md"
THOUSAND = Workload(1_000, 1_024, duplicates=0.0)
PROVISIONED = StageChoices(stream="provisioned", table="provisioned")


def dollars(workload: Workload, part: str, choices: StageChoices | None = None) -> float:
    bill = this_design(CostCase(workload, PRICES, choices or StageChoices()))
    (line,) = (line for line in bill.lines if line.part == part)
    return line.dollars


def test_a_month_of_events() -> None:
    assert THOUSAND.events == 1_000 * 730 * 3_600 == 2_628_000_000


def test_the_front_door_is_billed_by_tiers() -> None:
    # 333 million at 3.50, 667 million at 2.80, the other 1,628 million at 2.38.
    by_hand = 333 * 3.50 + 667 * 2.80 + 1_628 * 2.38
    assert dollars(THOUSAND, "REST API") == pytest.approx(by_hand)
    rest = PRICES.prices["api_gateway_rest"]
    assert rest.of(1) == pytest.approx(3.50)
    assert rest.of(0) == 0
    assert rest.of(30_000) - rest.of(29_999) == pytest.approx(1.51)


def test_an_http_api_is_billed_by_pieces_and_has_the_receiver_behind_it() -> None:
    http = StageChoices(door="http_api")
    assert dollars(THOUSAND, "HTTP API", http) == pytest.approx(300 + 2_328 * 0.90)
    large = replace(THOUSAND, size=600_000)
    assert dollars(large, "HTTP API", http) == pytest.approx(300 + (2 * 2_628 - 300) * 0.90)
    assert dollars(THOUSAND, "receiver: calls", http) == pytest.approx(2_628 * 0.20)
    seconds = 2_628_000_000 * 0.020
    assert dollars(THOUSAND, "receiver: time", http) == pytest.approx(seconds * 0.0000133334)
    # 2,365 GB of log at 0.50; 0.15 of it are kept for 30 days of 30.42.
    kept = 2_365.2 * 0.15 * 30 / (730 / 24) * 0.03
    both = 2_365.2 * 0.50 + kept
    assert dollars(THOUSAND, "receiver: log", http) == pytest.approx(both)
    own = replace(http, system_log=False)
    assert dollars(THOUSAND, "receiver: log", own) == pytest.approx(both * 455 / 900)
    assert not any(
        line.part == "web ACL" for line in this_design(CostCase(THOUSAND, PRICES, http)).lines
    )


def test_a_load_balancer_is_billed_by_the_larger_of_connections_and_bytes() -> None:
    balancer = StageChoices(door="load_balancer")
    fixed = 730 * (0.0225 + 2 * 0.005)
    # 1,000 connections a second are 40 units; 1,824 bytes a request are 6.6 GB an hour, 16.4 units.
    assert dollars(THOUSAND, "load balancer", balancer) == pytest.approx(fixed + 730 * 40 * 0.008)
    large = replace(THOUSAND, size=10_240)
    units = 1_000 * 11_040 * 3_600 / 1e9 / 0.4
    assert dollars(large, "load balancer", balancer) == pytest.approx(fixed + 730 * units * 0.008)


def test_a_record_is_rounded_up_to_whole_kilobytes() -> None:
    # 1,024 bytes and 600 of envelope are 2 KB of the stream.
    gb = 2_628_000_000 * 2 / 1_024**2
    assert dollars(THOUSAND, "stream: in") == pytest.approx(gb * 0.08)
    assert dollars(THOUSAND, "stream: hours") == pytest.approx(730 * 0.04)


def test_provisioned_shards() -> None:
    # 1,660 bytes a record with its key: 1.66 MB/s need two shards, with half as many again three.
    assert shards(THOUSAND, PRICES) == 2
    assert shards(THOUSAND, PRICES, headroom=1.5) == 3
    assert dollars(THOUSAND, "stream: hours", PROVISIONED) == pytest.approx(3 * 730 * 0.015)
    assert dollars(THOUSAND, "stream: in", PROVISIONED) == pytest.approx(2_628 * 0.014)
    # Small records: a thousand a second is a shard, whatever their size.
    assert shards(Workload(3_500, 10), PRICES) == 4


def test_what_is_pushed_has_a_price_of_its_own() -> None:
    gb = 2_628_000_000 * 1_624 / 2**30
    pushed = StageChoices(enhanced_fan_out=True)
    assert dollars(THOUSAND, "stream: out", pushed) == pytest.approx(gb * (0.04 + 0.05))
    pushed = replace(PROVISIONED, enhanced_fan_out=True)
    by_hand = gb * 0.013 + 3 * 730 * 0.015
    assert dollars(THOUSAND, "stream: out", pushed) == pytest.approx(by_hand)
    assert dollars(THOUSAND, "stream: out", PROVISIONED) == 0


def test_each_event_reads_a_whole_unit_and_writes_one() -> None:
    """The fan-out asks for consistent reads, of which an item of 4 KB is a whole unit."""
    assert dollars(THOUSAND, "table: reads") == pytest.approx(2_628 * 0.125)
    assert dollars(THOUSAND, "table: writes") == pytest.approx(2_628 * 0.625)
    half = replace(THOUSAND, duplicates=0.5)
    assert dollars(half, "table: writes") == pytest.approx(1_314 * 0.625)


def test_provisioned_units_are_billed_by_the_hour_and_seven_tenths_used() -> None:
    units = 1_000 / 0.7
    assert dollars(THOUSAND, "table: reads", PROVISIONED) == pytest.approx(units * 730 * 0.00013)
    assert dollars(THOUSAND, "table: writes", PROVISIONED) == pytest.approx(units * 730 * 0.00065)


def test_a_batch_ends_by_number_by_bytes_or_by_time() -> None:
    by_time = invocations(Workload(400, 100), PRICES, "fan_out", 4, 1)
    assert (by_time.per_second, by_time.events_in_each) == (4.0, 100.0)
    by_number = invocations(Workload(40_000, 100), PRICES, "fan_out", 4, 1)
    assert (by_number.per_second, by_number.events_in_each) == (80.0, 500.0)
    by_bytes = invocations(Workload(40_000, 43_400), PRICES, "fan_out", 4, 1)
    assert by_bytes.events_in_each == pytest.approx(100.0)
    alone = invocations(Workload(0.1, 100), PRICES, "fan_out", 4, 1)
    assert (alone.per_second, alone.events_in_each) == (0.1, 1.0)
    # Without a window a shard is still asked once a second; pushed, each 0.13 s.
    at_once = CostCase(Workload(400, 100), PRICES, StageChoices(fan_out_window=0))
    assert at_once.batches("fan_out") == by_time
    pushed = replace(at_once, choices=StageChoices(fan_out_window=0, enhanced_fan_out=True))
    assert pushed.batches("fan_out").events_in_each == pytest.approx(13)
    assert pushed.batches("archiver") == at_once.batches("archiver")


def test_queue_requests() -> None:
    # Ten events of 1,474 bytes are 15 KB: one request.
    assert queue_requests(THOUSAND, PRICES, 500) == pytest.approx(262_800_000)
    # Ten of 10,690 bytes are 107 KB: two requests of 64 KB.
    assert queue_requests(replace(THOUSAND, size=10_240), PRICES, 500) == pytest.approx(525_600_000)
    assert queue_requests(THOUSAND, PRICES, 1) == pytest.approx(2_628_000_000)
    # Two of 400,450 bytes fill a call, and are 13 chunks.
    big = replace(THOUSAND, size=400_000)
    assert queue_requests(big, PRICES, 10) == pytest.approx(1_314_000_000 * 13)


def test_mozdef_deletes_each_message_and_receives_as_often_as_one_comes() -> None:
    # Five workers; 200/s each are twenty receives of ten.
    assert dollars(THOUSAND, "queue: MozDef reading") == pytest.approx(1.1 * 2_628 * 0.40)
    # 2/s each: a receive waits, and has one message.
    quiet = Workload(10, 1_024, duplicates=0.0)
    assert dollars(quiet, "queue: MozDef reading") == pytest.approx(2 * 26.28 * 0.40)
    # On the old framework's queue a receive does not wait: nine a second are billed of a worker.
    old = {line.part: line for line in old_framework(CostCase(quiet, PRICES)).lines}
    requests = 26.28 + 5 * 9 * 2.628
    assert old["queue: MozDef reading"].dollars == pytest.approx(requests * 0.40)


def test_small_objects_stay_where_they_are() -> None:
    # 4.4 MB of records, 406 bytes packed, of five sources: 220 KB an object, above 128 KiB.
    objects = 2_628_000_000 * 1_624 / 4_400_000 * 5
    assert dollars(THOUSAND, "archive: moves") == pytest.approx(objects / 1_000 * 0.02)
    # A minute of a shard at 10/s, of five sources: 12 KB.
    assert dollars(Workload(10, 1_024), "archive: moves") == 0
    a_day = 864_000 * 426 / 1e9  # GB, ledger included
    kept = dollars(Workload(10, 1_024), "archive: kept")
    assert kept == pytest.approx(a_day * 430 * 0.023, rel=1e-3), "none of it in the cold"


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
        for need in needs(CostCase(replace(THOUSAND, events_per_second=100_000), PRICES))
        if need.what.startswith("reconciler")
    )
    assert need.amount == pytest.approx(4_680)
    assert need.bites


def test_the_other_designs() -> None:
    old = {line.part: line for line in old_framework(CostCase(THOUSAND, PRICES)).lines}
    assert old["function: calls"].dollars == pytest.approx(2_628 * 0.20)
    gb_seconds = 2_628_000_000 * 0.045 * 0.125
    assert old["function: time"].dollars == pytest.approx(gb_seconds * 0.0000133334)
    assert old["queue: sending"].dollars == pytest.approx(2_628 * 0.40)
    assert not any(part.startswith(("archive", "table")) for part in old)
    each = {line.part: line for line in function_per_webhook(CostCase(THOUSAND, PRICES)).lines}
    assert each["archive: writes"].dollars == pytest.approx(2_628_000 * 0.005)


def by_hand(stream: float, table: float, ledger_objects: float) -> float:
    """The whole bill at 1,000/s of 1 KB behind a REST API, from the price list, on one sheet.

    Parameters
    ----------
    stream, table : float
        What these two come to: the caller's part of the sheet.
    ledger_objects : float
        Batches of the fan-out a second.
    """
    price = {
        name: entry["dollars"] for name, entry in yaml.safe_load(FILE.read_text())["prices"].items()
    }
    millions, delivered = 2_628.0, 2_628.0 * 0.98
    rest = 333 * 3.50 + (1_000 - 333) * 2.80 + (millions - 1_000) * 2.38
    acl = millions * price["web_acl_million_requests"] + 5 + 7
    answers = millions * 1e6 * 400 / 2**30 * 0.09
    reading = (delivered + delivered / 10) * price["sqs_million_requests"]
    sending = delivered / 10 * price["sqs_million_requests"]
    a_batch = 4_400_000 / 1_624  # what the archiver has in its 6 MB
    raw_objects = 1_000 / a_batch * 5
    puts = (ledger_objects + raw_objects) * 2_628 * price["s3_thousand_puts"]
    moves = raw_objects * 2_628 * price["s3_thousand_transitions"]
    day = 86.4 * 1e6  # events
    raw_gb, ledger_gb = day * 1_624 * 0.25 / 1e9, day * 20 / 1e9
    kept = raw_gb * (90 * 0.023 + 340 * 0.004) + ledger_gb * 430 * 0.023
    in_table = day * 0.98 * 7 * 275 / 1e9 * (0.25 + 0.20)
    of_cpu = 2_628e6 * (215 + 160) / 1e6 / 0.5788  # GB-s of work: 1 GB is 0.58 of a processor
    waiting = 2.628e6 * (ledger_objects * 0.060 + raw_objects / 5 * 0.080)
    functions = (of_cpu + waiting) * price["lambda_gb_second"]
    functions += 2.628 * (ledger_objects + raw_objects / 5) * price["lambda_million_requests"]
    compared = 46.8 * 1.769 * 730 * price["lambda_gb_second"]
    compared += (ledger_objects + raw_objects) * 2_628 * price["s3_thousand_gets"] + 5 * 0.30
    access_gb = millions * 1e6 * 158 / 1e9
    own_gb = (ledger_objects + raw_objects / 5) * 2.628e6 * 1_500 / 1e9 + millions * 1e6 * 30 / 1e9
    logs = (access_gb + own_gb) * (0.50 + 0.15 * 30 / (730 / 24) * 0.03)
    traces = 4 * 2.628 * 5
    fixed = 60 * 0.30 + 35 * 0.10 + 2 * 3 + 2 * 1
    parts = (rest, acl, answers, reading, sending, puts, moves, kept, in_table, functions, compared)
    return sum(parts) + logs + traces + fixed + stream + table


def test_the_whole_bill_is_what_a_sheet_of_paper_gives() -> None:
    workload = Workload(1_000, 1_024)
    record_gb, out_gb = 2_628e6 * 2_048 / 2**30, 2_628e6 * 1_624 / 2**30
    stream = 730 * 0.04 + record_gb * 0.08 + 2 * out_gb * 0.04 + record_gb / (730 / 24) * 6 * 0.10
    usual = by_hand(stream, 2_628 * 0.125 + 2_628 * 0.98 * 0.625, ledger_objects=4)
    found = this_design(CostCase(workload, PRICES)).dollars
    assert found == pytest.approx(usual, rel=1e-3)
    stream = 3 * 730 * (0.015 + 0.02) + 2_628 * 0.014
    table = 1_000 / 0.7 * 730 * (0.00013 + 0.98 * 0.00065)
    cheap = by_hand(stream, table, ledger_objects=2)
    choices = replace(PROVISIONED, fan_out_window=5)
    assert this_design(CostCase(workload, PRICES, choices)).dollars == pytest.approx(
        cheap, rel=1e-3
    )


@given(
    st.floats(0.001, 1_000_000),
    st.integers(1, 1_000_000),
    st.floats(0, 0.99),
)
def test_bills_add_up_and_grow_with_the_rate(rate: float, size: int, duplicates: float) -> None:
    workload = Workload(rate, size, duplicates)
    for bill, more in zip(
        all_bills(CostCase(workload, PRICES)),
        all_bills(CostCase(replace(workload, events_per_second=rate * 2), PRICES)),
        strict=True,
    ):
        assert bill.dollars == pytest.approx(sum(line.dollars for line in bill.lines))
        assert all(line.dollars >= 0 and line.amount >= 0 for line in bill.lines)
        assert more.dollars > bill.dollars * 0.999, "an object may become large enough to move"
        assert bill.per_million(workload) * workload.events / 1e6 == pytest.approx(bill.dollars)


def test_limits_bite_where_they_must() -> None:
    found = {need.what: need for need in needs(CostCase(Workload(100_000, 1_024), PRICES))}
    assert found["API Gateway: requests a second"].bites
    assert found["table: writes a second"].bites
    assert not any(need.bites for need in needs(CostCase(Workload(1_000, 1_024), PRICES)))
    # A thousand requests of 20 ms are twenty at once: more than a new account has.
    received = CostCase(Workload(1_000, 1_024), PRICES, StageChoices(way="receiver"))
    (at_once,) = (need for need in needs(received) if need.what == "Lambda: invocations at once")
    assert at_once.bites
    assert at_once.amount == 21


def test_no_more_invocations_than_shards_and_consumers() -> None:
    slow = {**PRICES.assumptions, "fan_out_us_per_event": 1e6, "archiver_us_per_event": 1e6}
    case = CostCase(Workload(1_000, 1_024), replace(PRICES, assumptions=slow))
    assert concurrency(case, 3) == 6


def test_the_page_is_what_the_arithmetic_gives() -> None:
    """Run `mozdef-ef cost --document > docs/cost.md` after a change."""
    assert PAGE.read_text(encoding="utf-8") == document(PRICES)


def test_each_price_says_where_it_was_found() -> None:
    assert set(PRICES.unseen) == {
        "kinesis_shard_hour",
        "s3_thousand_transitions",
        "metric_month",
        "address_hour",
    }
    used = {price.seen for price in PRICES.prices.values() if price.seen}
    assert used == set(PRICES.references)
    assert {price.page for price in PRICES.prices.values()} == set(PRICES.pages)


def test_each_lever_moves_a_choice_of_its_own_from_its_default() -> None:
    of_a_stage = StageChoices()
    assert {lever.field for lever in LEVERS} <= {field.name for field in fields(StageChoices)}
    for lever in LEVERS:
        assert lever.default == getattr(of_a_stage, lever.field), lever.key
        assert len(set(lever.values)) == len(lever.values) > 1
        assert lever.trade


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"date": "soon"}, "date"),
        ({"extra": 1}, "extra"),
        ({"references": {}}, "no reference is called"),
        ({"pages": {}}, "no page is called"),
    ],
)
def test_a_wrong_file_is_said(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    file = tmp_path / "prices.yaml"
    file.write_text(yaml.safe_dump(yaml.safe_load(FILE.read_text()) | change))
    with pytest.raises(PriceError, match=message):
        load_prices(file)


def test_a_last_tier_with_an_end_is_said(tmp_path: Path) -> None:
    document = yaml.safe_load(FILE.read_text())
    document["prices"]["transfer_gb"]["dollars"] = [[10, 0.09]]
    file = tmp_path / "prices.yaml"
    file.write_text(yaml.safe_dump(document))
    with pytest.raises(PriceError, match="whose last tier has no end"):
        load_prices(file)


def run(*words: str) -> Any:
    done = CliRunner().invoke(app, ["cost", *words, "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of settings, in which commands are called: two stages, of which one is `fast`."""
    stage = "service: ingest\nsources: [github]\n"
    settings = "fan_out: {batching_window_seconds: 0, enhanced_fan_out: true}\nweb_acl: false\n"
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "dev.yaml").write_text(stage)
    (tmp_path / "config" / "fast.yaml").write_text(stage + settings)
    monkeypatch.chdir(tmp_path)
    for name in ("CONFIG", "STAGE"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_the_command_takes_the_settings_of_a_stage(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (usual, fast) = (run(), run("--stage", "fast"))
    assert usual["designs"][0]["design"] == "this design, every default"
    assert fast["designs"][0]["design"] == "this design, as the stage is set"
    monkeypatch.setenv("STAGE", "fast")
    assert run() == run("--config", str(project / "config")) == fast
    assert run("--stage", "dev")["designs"] != fast["designs"]
    parts = {line["part"]: line["dollars"] for line in fast["designs"][0]["lines"]}
    before = {line["part"]: line["dollars"] for line in usual["designs"][0]["lines"]}
    assert parts["fan-out: calls"] > before["fan-out: calls"] * 5
    assert parts["stream: out"] > before["stream: out"]
    assert "web ACL" not in parts
    assert fast["designs"][1:] == usual["designs"][1:]


@pytest.mark.usefixtures("project")
def test_the_command_names_the_stages_that_there_are() -> None:
    done = CliRunner().invoke(app, ["cost", "--stage", "fats"])
    assert str(done.exception) == "fats: no such stage in config; did you mean fast?"


def test_a_stage_of_the_environment_is_nothing_where_no_settings_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CONFIG", raising=False)
    monkeypatch.setenv("STAGE", "fast")
    assert run()["designs"][0]["design"] == "this design, every default"
    done = CliRunner().invoke(app, ["cost", "--stage", "fast"])
    assert str(done.exception) == "fast: no such stage in config; there are none"


def test_the_command_prints_each_design_and_need() -> None:
    found = run("--events-per-second", "10", "--bytes", "2000")
    assert found["events"] == 26_280_000
    assert [one["design"] for one in found["designs"]][-2:] == [
        "old framework",
        "a function for each webhook",
    ]
    assert found["needs"]
