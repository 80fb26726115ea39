"""Times as text: as the standard library writes them."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from pipeline.event.times import hour_folder, iso_milliseconds

#: Kinesis and API Gateway give milliseconds.
MILLISECONDS = st.integers(0, 253_402_300_799_999).map(lambda number: number / 1000)


@given(MILLISECONDS)
def test_times_are_those_of_the_standard_library(seconds: float) -> None:
    when = datetime.fromtimestamp(seconds, UTC)
    assert iso_milliseconds(seconds) == when.isoformat(timespec="milliseconds")
    assert hour_folder(seconds) == f"{when:dt=%Y-%m-%d/hr=%H}"


@given(st.floats(0, 4_000_000_000))
def test_the_folder_is_that_of_the_time(seconds: float) -> None:
    day, _, hour = iso_milliseconds(seconds).partition("T")
    assert hour_folder(seconds) == f"dt={day}/hr={hour[:2]}"
