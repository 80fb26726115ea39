"""The retry policy: attempts, backoff and jitter."""

from __future__ import annotations

import itertools

import pytest

from pipeline.aws.retries import RetryPolicy
from pipeline.runtime.deadline import Deadline


def test_the_first_attempt_has_no_backoff_and_every_other_has_one() -> None:
    for attempts in (1, 2, 5):
        assert len(list(RetryPolicy(attempts).backoffs())) == attempts - 1


def test_backoff_doubles_up_to_the_longest() -> None:
    policy = RetryPolicy(first_backoff=0.1, longest_backoff=0.5, jitter=0.0)
    assert list(itertools.islice(policy.backoffs(), 5)) == [0.1, 0.2, 0.4, 0.5, 0.5]


@pytest.mark.parametrize("jitter", [1.0, 0.5])
def test_jitter_spreads_attempts_over_its_share_of_the_backoff(jitter: float) -> None:
    policy = RetryPolicy(2, first_backoff=8.0, longest_backoff=8.0, jitter=jitter)
    drawn = [backoff for _ in range(500) for backoff in policy.backoffs()]
    lowest = 8.0 * (1 - jitter)
    assert all(lowest <= backoff <= 8.0 for backoff in drawn)
    # 500 draws miss a quarter of the range once in 10**62 runs.
    assert min(drawn) < lowest + 2.0 * jitter
    assert max(drawn) > 8.0 - 2.0 * jitter


def test_attempts_end_when_the_next_backoff_would_reach_into_the_reserve() -> None:
    now, slept = 0.0, list[float]()

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds
        slept.append(seconds)

    deadline = Deadline(lambda: 10.0 - now, reserve=5.0, sleep=sleep)
    policy = RetryPolicy(first_backoff=2.0, longest_backoff=4.0, jitter=0.0)
    assert list(deadline.attempts(policy)) == [0, 1]
    assert slept == [2.0], "2 s and 4 s would leave 4 s, and 5 are the reserve"


def test_there_is_an_attempt_when_no_time_is_left() -> None:
    assert list(Deadline(lambda: 0.0).attempts()) == [0]


def test_a_deadline_makes_no_more_attempts_than_the_policy() -> None:
    deadline = Deadline(lambda: 60.0, sleep=lambda _: None)
    assert list(deadline.attempts(RetryPolicy(3))) == [0, 1, 2]
