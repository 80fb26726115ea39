"""How often a shard is read, on a clock of its own."""

from __future__ import annotations

import pytest

from local.mapping.pace import POLL_SECONDS, PUSH_SECONDS, REST_SECONDS, ReadPace


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def calls_within(pace: ReadPace, clock: Clock, seconds: float) -> int:
    """Read a shard on which nothing comes: each call is held to its end."""
    calls, end = 0, clock.now + seconds
    while clock.now < end:
        clock.now += pace.begin()
        clock.now += pace.end(found=False)
        calls += 1
    return calls


def test_a_shard_at_rest_is_read_once_a_second() -> None:
    clock = Clock()
    pace = ReadPace(clock)
    assert calls_within(pace, clock, 10) <= 51  # it has just begun: somebody may wait for it
    assert calls_within(pace, clock, 600) <= 601


def test_after_records_came_it_is_read_five_times_a_second_for_a_while() -> None:
    clock = Clock()
    pace = ReadPace(clock)
    calls_within(pace, clock, 60)
    assert pace.begin() == REST_SECONDS
    assert pace.end(found=True) == pytest.approx(POLL_SECONDS)
    assert pace.begin() == POLL_SECONDS
    assert 40 <= calls_within(pace, clock, 10) <= 51
    assert pace.begin() == REST_SECONDS


def test_no_shard_is_read_more_than_five_times_a_second() -> None:
    clock = Clock()
    pace = ReadPace(clock)
    for took in (0.0, 0.05, 0.2, 0.7):
        pace.begin()
        clock.now += took
        assert pace.end(found=True) == pytest.approx(max(0.0, POLL_SECONDS - took))


def test_subscription_is_read_as_often_as_records_are_pushed() -> None:
    pace = ReadPace(Clock(), pushed=True)
    pace.begin()
    assert pace.end(found=True) == pytest.approx(PUSH_SECONDS)
