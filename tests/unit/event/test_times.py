"""Times in the spellings that senders use, and what is no time of this era."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.event.times import read_time
from tests.support.bench import NOW_MS, generic, record

if TYPE_CHECKING:
    from tests.support.bench import Bench

MOMENT = datetime(2026, 11, 23, 20, 8, 23, tzinfo=UTC)
EPOCH = 1_795_464_503


@pytest.mark.parametrize(
    "value",
    [
        "2026-11-23T20:08:23Z",
        "2026-11-23T20:08:23z",
        "2026-11-23t20:08:23Z",
        "2026-11-23T20:08:23+00:00",
        "2026-11-23T21:08:23+01:00",
        "2026-11-23T20:08:23+0000",
        "2026-11-23T20:08:23 +0000",
        "2026-11-23 20:08:23 -00:00",
        "2026-11-23 20:08:23",
        "2026-11-23 20:08:23 UTC",
        "2026-11-23T20:08:23 GMT",
        "2026-11-23T20:08:23,000Z",
        "2026-11-23T20:08:23.000000000Z",
        "20261123T200823Z",
        " 2026-11-23T20:08:23Z ",
        "Mon, 23 Nov 2026 20:08:23 GMT",
        "Mon, 23 Nov 2026 21:08:23 +0100",
        "Mon, 23 Nov 2026 20:08:23 -0000",
        EPOCH,
        float(EPOCH),
        EPOCH * 1_000,
        EPOCH * 1_000_000,
        EPOCH * 1_000_000_000,
        str(EPOCH),
        f"{EPOCH}.000000",
        str(EPOCH * 1_000),
        str(EPOCH * 1_000_000),
        str(EPOCH * 1_000_000_000),
    ],
)
def test_times_of_senders(value: Any) -> None:
    assert read_time(value) == MOMENT


@pytest.mark.parametrize("fraction", ["5", "50", "500", "500000"])
@pytest.mark.parametrize("offset", ["+00:00", "+0000", " +00:00", "  -0000", "Z", " UTC"])
@pytest.mark.parametrize("mark", [".", ","])
def test_a_fraction_of_any_length_stands_before_an_offset_of_any_spelling(
    fraction: str, offset: str, mark: str
) -> None:
    moment = MOMENT + timedelta(seconds=0.5)
    assert read_time(f"2026-11-23 20:08:23{mark}{fraction}{offset}") == moment


@pytest.mark.parametrize(
    ("padding", "is_time"), [(" " * 44, True), (" " * 45, False), ("\u2003", False)]
)
def test_what_is_longer_than_a_time_or_has_more_than_ascii_is_none(
    padding: str, is_time: bool
) -> None:
    assert read_time("2026-11-23T20:08:23Z" + padding) == (MOMENT if is_time else None)


def test_fractions_are_kept() -> None:
    assert read_time("1795176000.123456") == datetime.fromtimestamp(1_795_176_000.123456, UTC)
    assert read_time(EPOCH * 1_000_000 + 250_000) == MOMENT + timedelta(milliseconds=250)
    assert read_time("2026-11-23T20:08:23.123456789Z") == MOMENT + timedelta(microseconds=123_456)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "yesterday",
        None,
        True,
        [],
        {},
        0,
        1,
        7,
        -EPOCH,
        20_261_123,
        99_999_999,
        10**10,
        10**13 * 5,
        1e300,
        -1e300,
        float("nan"),
        float("inf"),
        "9" * 40,
        "1970-01-01T00:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "2026-13-01T00:00:00Z",
        "Mon, 99 Nov 2026 20:08:23 GMT",
        "a, b",
        "x" * 10_000,
        "\uff12\uff10\uff12\uff16-11-23T20:08:23Z",
    ],
)
def test_what_is_no_time_of_this_era_is_none(value: Any) -> None:
    assert read_time(value) is None


@given(st.text(max_size=80) | st.integers() | st.floats())
def test_anything_is_read_or_refused(value: Any) -> None:
    when = read_time(value)
    assert when is None or 1999 < when.year < 2101


@given(st.integers(946_771_200_000_000, 4_102_300_800_000_000))
def test_a_number_is_told_by_its_size(micro: int) -> None:
    when = datetime.fromtimestamp(micro / 1_000_000, UTC)
    for value in (micro / 1_000_000, micro // 1_000, micro, micro * 1_000, str(micro)):
        found = read_time(value)
        assert found is not None
        assert abs(found - when) < timedelta(milliseconds=2)


def with_time(bench: Bench, zone: str = "UTC") -> None:
    source = bench.catalog.sources["generic"]
    settings = replace(source.mozdef, timestamps=(("ts",), ("at",)), timezone=zone)
    sources = {**bench.catalog.sources, "generic": replace(source, mozdef=settings)}
    bench.catalog = replace(bench.catalog, sources=sources)
    bench.new_process()


@pytest.mark.parametrize(
    ("local", "utc"),
    [
        ("2026-11-23 21:08:23", "2026-11-23T20:08:23.000+00:00"),
        ("2026-07-01T12:00:00", "2026-07-01T10:00:00.000+00:00"),
        ("2026-07-01T12:00:00Z", "2026-07-01T12:00:00.000+00:00"),
    ],
)
def test_a_source_can_say_in_which_zone_its_times_are(bench: Bench, local: str, utc: str) -> None:
    with_time(bench, "Europe/Berlin")
    bench.run(record(generic({"ts": local})))
    (message,) = bench.sqs.bodies()
    assert message["utctimestamp"] == utc
    assert datetime.fromisoformat(message["timestamp"]) == datetime.fromisoformat(utc)


def test_a_zone_is_that_of_the_time_and_not_of_today() -> None:
    zone = ZoneInfo("America/New_York")
    assert read_time("2026-03-08T01:59:59", zone) == datetime(2026, 3, 8, 6, 59, 59, tzinfo=UTC)
    assert read_time("2026-03-08T03:00:00", zone) == datetime(2026, 3, 8, 7, tzinfo=UTC)


@pytest.mark.parametrize(
    ("body", "not_understood"),
    [
        ({"ts": "soon"}, 1),
        ({"ts": 7}, 1),
        ({"ts": "soon", "at": "2026-11-23T20:08:23Z"}, 0),
        ({"ts": None, "at": ""}, 0),
        ({}, 0),
    ],
)
def test_what_is_not_understood_is_counted_and_the_arrival_taken(
    bench: Bench, body: dict[str, Any], not_understood: int
) -> None:
    with_time(bench)
    settlement = bench.run(record(generic(body)))
    assert sum(one.event.time_not_understood for one in settlement.settled) == not_understood
    if not_understood:
        (message,) = bench.sqs.bodies()
        arrived = datetime.fromtimestamp(NOW_MS / 1000, UTC).isoformat(timespec="milliseconds")
        assert message["utctimestamp"] == arrived


def test_the_count_is_a_metric_of_the_source(
    bench: Bench, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.runtime import metrics

    monkeypatch.setenv("STAGE", "dev")
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "n")
    with_time(bench)
    settlement = bench.run(record(generic({"ts": "soon"})), record(generic({"ts": EPOCH})))
    metrics.emit(metrics.count(settlement.settled), {"generic": 2})
    lines = [orjson.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["TimeNotUnderstood"] for line in lines] == [[1.0]]
