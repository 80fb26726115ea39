"""How long a shard stands for one record that kills the fan-out, or lets it hang.

The laptop's event source mapping decides, with the defaults of a stage and the back-off of Lambda;
the clock is simulated. docs/performance.md has the figures.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest

from local.mapping.decision import Failure, Pending, decide
from local.mapping.lane import Backoff
from pipeline.fan_out.trial import LATE_SECONDS, PATIENCE_SECONDS
from settings.deployment import FanOutSettings
from tests.unit.local.mapping_support import DONE, ERROR, Policy, records_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.invocation import Invocation
    from local.mapping.records import StreamRecord

DEFAULTS = FanOutSettings()
POLICY = Policy(retries=DEFAULTS.retry_attempts, bisect=True)
#: Recorded on AWS: eight invocations within a minute, so it doubles beyond ten seconds. A quarter
#: of a second at first fits that better; half a second is the slower of what may be.
BACKOFF_OF_LAMBDA = Backoff(first=0.5, longest=60.0)
#: Seconds of a batch that goes well, on a slow day; of one whose process dies, and begins anew.
WELL, DEATH = 0.5, 2.0
MOST = 120.0


@dataclass
class Stand:
    """One shard with one deadly record, until all of a batch is settled.

    Parameters
    ----------
    takes : float
        Seconds that an invocation takes which meets it.
    tries : bool
        Whether the function tries late batches.
    """

    takes: float
    tries: bool
    size: int = DEFAULTS.batch_size

    def run(self, place: int) -> tuple[float, list[Failure]]:
        """Return for how many seconds the shard stands, and what is given up."""
        records = tuple(replace(one, arrival=0.0) for one in records_of(self.size))
        deadly = records[place]
        now, failures = float(DEFAULTS.batching_window_seconds), list[Failure]()
        todo = deque([Pending(records)])
        settled: list[StreamRecord] = []
        while todo:
            pending = todo.popleft()
            seconds, answer = self._invoke(deadly in pending.records, now)
            now += seconds
            decision = decide(POLICY, pending, answer)
            now += BACKOFF_OF_LAMBDA.seconds(decision.wait)
            settled += decision.settled
            failures += [decision.failure] if decision.failure else []
            todo.extendleft(reversed(decision.todo))
        assert settled == list(records)
        return now, failures

    def _invoke(self, deadly: bool, now: float) -> tuple[float, Invocation]:
        late = self.tries and now >= LATE_SECONDS
        if not deadly:
            return WELL * (1 + late), DONE
        # The child dies as the function would, or is ended.
        return (WELL * 2 + min(self.takes, PATIENCE_SECONDS), DONE) if late else (self.takes, ERROR)

    def worst(self) -> tuple[float, list[Failure]]:
        return max((self.run(place) for place in range(self.size)), key=lambda found: found[0])


def kills(*, tries: bool) -> Stand:
    return Stand(DEATH, tries)


def hangs(*, tries: bool) -> Stand:
    return Stand(DEFAULTS.timeout_seconds, tries)


@pytest.mark.parametrize(("make", "seconds"), [(kills, 19), (hangs, 73)])
def test_a_shard_stands_for_less_than_two_minutes_and_gives_nobody_up(
    make: Callable[..., Stand], seconds: int
) -> None:
    stood, given_up = make(tries=True).worst()
    assert given_up == [], "the record is set aside by the function, and alone"
    assert stood < MOST
    assert round(stood) == seconds, "docs/performance.md says so"


@pytest.mark.parametrize(("make", "seconds"), [(kills, 289), (hangs, 1449)])
def test_without_a_trial_it_would_stand_for_minutes(
    make: Callable[..., Stand], seconds: int
) -> None:
    stood, (failure,) = make(tries=False).worst()
    assert len(failure.records) == 1
    assert stood > MOST
    assert round(stood) == seconds, "docs/performance.md says so"


def test_a_record_alone_in_its_batch_is_found_at_the_second_try() -> None:
    for make in (kills, hangs):
        alone = replace(make(tries=True), size=1)
        stood, given_up = alone.worst()
        assert (given_up, stood < MOST) == ([], True)
