"""A record that a process dies of is found by a child, and is set aside alone."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.event import steps
from pipeline.event.validation import validate
from pipeline.fan_out.trial import LATE_SECONDS, Trial
from pipeline.runtime.deadline import Deadline
from pipeline.stream.records import read_records
from tests.support.bench import aggregate, generic, github, record, tally

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.event.events import Event, Outcome
    from tests.support.bench import Bench

MEMORY_MB = 1_024


def _exits() -> None:
    os._exit(9)


def _leaves() -> None:
    raise SystemExit(3)


def _is_killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _takes_memory() -> None:
    bytearray(MEMORY_MB * 1_048_576)


def _runs_out_of_time() -> None:
    os.kill(os.getpid(), signal.SIGALRM)


DEADLY = {
    "exits": (_exits, "status 9"),
    "leaves": (_leaves, "status 1"),
    "is killed": (_is_killed, "signal 9"),
    "takes memory": (_takes_memory, "more than 512 MB"),
    "runs out of time": (_runs_out_of_time, "more than 10 s"),
}


@pytest.fixture
def parent() -> int:
    return os.getpid()


@pytest.fixture
def die(
    bench: Bench, parent: int, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Callable[[], None]], None]:
    """Have the event `{"n":"deadly"}` do something to whoever validates it."""
    bench.fan_out.trial = Trial(bench.catalog, MEMORY_MB, lambda: bench.now)

    def set_up(deed: Callable[[], None]) -> None:
        def deadly(event: Event) -> Outcome | None:
            if event.body.get("n") == "deadly":
                assert os.getpid() != parent, "the process itself met it"
                deed()
            return validate(event)

        monkeypatch.setattr(steps, "validate", deadly)

    return set_up


def late(bench: Bench) -> None:
    bench.now += LATE_SECONDS


@pytest.mark.parametrize("name", sorted(DEADLY))
def test_what_a_process_dies_of_is_set_aside_and_its_neighbours_are_delivered(
    bench: Bench, die: Callable[[Callable[[], None]], None], name: str
) -> None:
    deed, said = DEADLY[name]
    die(deed)
    late(bench)
    bodies: list[Any] = [0, "deadly", 2, 3, "deadly", 5]
    settlement = bench.run(*(record(generic({"n": n})) for n in bodies))
    assert tally(settlement.outcomes) == {"delivered": 4, "processing_error": 2}
    assert settlement.checkpoint is None
    lines = bench.s3.lines("rejected/")
    assert [line["body"] for line in lines] == ['{"n":"deadly"}'] * 2
    assert all(said in line["explanation"] for line in lines)


def test_of_an_aggregate_it_is_the_one_user_record(
    bench: Bench, die: Callable[[Callable[[], None]], None]
) -> None:
    die(_exits)
    late(bench)
    inside = [generic({"n": n}) for n in ("a", "deadly", "c")]
    settlement = bench.run(record(aggregate(*inside)), record(generic({"n": "d"})))
    assert tally(settlement.outcomes) == {"delivered": 3, "processing_error": 1}


def test_a_forged_event_that_would_be_deadly_makes_no_ticket(
    bench: Bench, die: Callable[[Callable[[], None]], None]
) -> None:
    die(_exits)
    late(bench)
    forged = record(github({"n": "deadly"}, secret="forged", event="x"))
    assert tally(bench.run(forged).outcomes) == {"bad_signature": 1}
    assert not bench.s3.lines("rejected/")


def test_a_batch_that_is_not_late_is_not_tried(bench: Bench) -> None:
    bench.fan_out.trial = Trial(bench.catalog, MEMORY_MB, lambda: bench.now)
    one = record(generic({"n": 1}))
    assert not bench.fan_out.trial.is_due([one])
    bench.now += LATE_SECONDS
    assert bench.fan_out.trial.is_due([one])
    assert not bench.fan_out.trial.is_due([])


def test_a_child_that_hangs_is_ended_by_the_system(
    bench: Bench, die: Callable[[Callable[[], None]], None]
) -> None:
    def hang() -> None:
        while True:
            time.sleep(60)

    die(hang)
    bench.fan_out.trial = Trial(bench.catalog, MEMORY_MB, lambda: bench.now, longest_patience=1.0)
    late(bench)
    settlement = bench.run(record(generic({"n": "deadly"})))
    assert tally(settlement.outcomes) == {"processing_error": 1}
    assert "more than 1 s" in bench.s3.lines("rejected/")[0]["explanation"]


def test_what_there_is_no_time_to_try_is_left_to_the_next_invocation(
    bench: Bench, die: Callable[[Callable[[], None]], None]
) -> None:
    def costs_time() -> None:
        os._exit(1)

    die(costs_time)
    late(bench)
    batch = [record(generic({"n": n})) for n in ("a", "deadly", "c", "d")]
    times = iter([60.0, 60.0, 39.0])
    trial = bench.fan_out.trial
    assert trial is not None
    found = trial.of(list(read_records(batch)), Deadline(lambda: next(times)))
    numbers = [one["kinesis"]["sequenceNumber"] for one in batch]
    assert set(found.deadly) == {numbers[1]}
    assert found.untried == set(numbers[2:])

    trial.of = lambda *_: found  # type: ignore[method-assign]
    settlement = bench.run(*batch)
    assert settlement.checkpoint == numbers[2]
    assert tally(settlement.settled) == {"delivered": 1, "processing_error": 1}


def test_a_trial_that_cannot_be_held_rejects_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.fan_out.trial = Trial(bench.catalog, MEMORY_MB, lambda: bench.now)
    late(bench)

    def refuse() -> int:
        raise BlockingIOError

    with monkeypatch.context() as patch:
        patch.setattr(os, "fork", refuse)
        assert tally(bench.run(record(generic({"n": 1}))).outcomes) == {"delivered": 1}
    monkeypatch.setattr(Trial, "_limit_memory", lambda _: 1 / 0)
    assert tally(bench.run(record(generic({"n": 2}))).outcomes) == {"delivered": 1}


def test_a_sound_batch_is_tried_by_one_child_and_leaves_none(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    children: list[int] = []
    fork = os.fork

    def forked() -> int:
        child = fork()
        children.append(child)
        return child

    monkeypatch.setattr(os, "fork", forked)
    bench.fan_out.trial = Trial(bench.catalog, MEMORY_MB, lambda: bench.now)
    late(bench)
    settlement = bench.run(*(record(generic({"n": n})) for n in range(500)))
    assert tally(settlement.outcomes) == {"delivered": 500}
    (child,) = children
    with pytest.raises(ChildProcessError):
        os.waitpid(child, os.WNOHANG)
    assert bench.ssm.calls == 0, "a child uses no service"


@pytest.mark.parametrize(("seconds", "patience"), [(60.0, 10), (900.0, 10), (20.0, 5), (4.0, 1)])
def test_a_short_time_is_shared_out(
    bench: Bench,
    die: Callable[[Callable[[], None]], None],
    seconds: float,
    patience: int,
) -> None:
    """However little there is, a trial comes to an end, and half is left for the batch."""
    die(_runs_out_of_time)
    late(bench)
    bench.time_left = seconds
    settlement = bench.run(record(generic({"n": "deadly"})), record(generic({"n": 1})))
    assert tally(settlement.outcomes) == {"delivered": 1, "processing_error": 1}
    said = bench.s3.lines("rejected/")[0]["explanation"]
    assert said == f"it took more than {patience} s"


def test_a_batch_that_is_slow_as_a_whole_is_settled_bit_by_bit(
    bench: Bench, die: Callable[[Callable[[], None]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """None of its records is deadly, so none is set aside; what was tried in time goes on."""
    die(lambda: None)
    late(bench)
    bodies = ["deadly", 1, 2, "deadly", 4]
    batch = [record(generic({"n": n})) for n in bodies]
    passing = iter(range(0, 1_000, 11))
    monkeypatch.setattr(time, "monotonic", lambda: float(next(passing)))
    trial = bench.fan_out.trial
    assert trial is not None
    times = iter([60.0, 60.0, 27.0])
    found = trial.of(list(read_records(batch)), Deadline(lambda: next(times)))
    assert found.deadly == {}
    assert found.untried == {one["kinesis"]["sequenceNumber"] for one in batch[2:]}
