"""Times as text: as the standard library writes them."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from pipeline.event.times import hours_since_epoch, iso_milliseconds

#: Kinesis and API Gateway give milliseconds.
MILLISECONDS = st.integers(0, 253_402_300_799_999).map(lambda number: number / 1000)


@given(MILLISECONDS)
def test_times_are_those_of_the_standard_library(seconds: float) -> None:
    when = datetime.fromtimestamp(seconds, UTC)
    assert iso_milliseconds(seconds) == when.isoformat(timespec="milliseconds")
    assert hours_since_epoch(seconds) == int(when.timestamp() // 3_600)
