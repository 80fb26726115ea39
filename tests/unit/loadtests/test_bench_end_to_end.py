"""The benchmark of the whole way: what a machine can do, and what it is asked for then."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from loadtests.bench import end_to_end
from loadtests.bench.capacity import capacity
from loadtests.bench.end_to_end import LoadFiguresError, pick
from loadtests.load.journal import Accepted, Journal
from loadtests.load.messages import END, Message
from loadtests.load.proof import LoadProof
from loadtests.load.results import Result
from loadtests.load.sending import Folder, SendingWatched

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from loadtests.load.sending import LoadPlan

START = 1_795_464_503.25


def accepted(at: Iterable[float]) -> list[Accepted]:
    return [Accepted("i", "zoom-direct", "event", "t", 1, START + second) for second in at]


def messages(at: Iterable[float]) -> list[Message]:
    return [Message(f"{number}", START + second, ()) for number, second in enumerate(at)]


def evenly(rates: Iterable[int], late: float = 0.0) -> list[float]:
    """Moments of requests, so many in each second."""
    return [
        second + late + number / rate for second, rate in enumerate(rates) for number in range(rate)
    ]


RAMP = [20, 40, 60, 80, 100, 120, 140, 160, 180, 200]


def test_a_machine_that_keeps_up_sustains_the_end_of_the_ramp() -> None:
    at = evenly([*RAMP, 0])
    assert capacity(accepted(at), messages(at)) == sum(RAMP[-5:-1] + RAMP[-6:-5]) / 5


@pytest.mark.parametrize("most", [7, 90, 140])
def test_what_a_machine_sustains_is_where_its_answers_stay_behind(most: int) -> None:
    at = evenly([min(rate, most) for rate in [*RAMP, *[500] * 10]])
    assert capacity(accepted(at), messages(at)) == most


def test_what_is_accepted_and_not_processed_is_not_sustained() -> None:
    taken = evenly([100] * 20)
    assert capacity(accepted(taken), messages(evenly([60] * 33 + [20]))) == pytest.approx(60)


def test_what_is_processed_out_of_a_backlog_is_not_sustained() -> None:
    taken = evenly([50] * 20)
    burst = evenly([10] * 10 + [90] * 10)
    assert capacity(accepted(taken), messages(burst)) == pytest.approx(50)


def test_copies_and_forged_requests_have_no_messages_and_count() -> None:
    taken = evenly([100] * 20)
    sent = [second for place, second in enumerate(taken) if place % 10]
    assert capacity(accepted(taken), messages(sent)) == pytest.approx(100)


def test_nothing_and_little_is_no_capacity() -> None:
    few = evenly([10] * 3)
    assert capacity([], []) == capacity(accepted(few), []) == 0
    assert capacity(accepted(few), messages(few)) == 0


class Machine:
    """A machine that sustains a rate; keeps what it was asked to do.

    Parameters
    ----------
    most : int
        Requests a second.
    p99_ms : float
        Of its answers.
    faults : dict[str, list[str]]
        What does not add up, by the shape of the load.
    """

    def __init__(
        self, most: int, *, p99_ms: float = 50.0, faults: dict[str, list[str]] | None = None
    ) -> None:
        self.most, self.p99_ms, self.faults = most, p99_ms, faults or {}
        self.plans: list[LoadPlan] = []

    def __call__(self, plan: LoadPlan, folder: Path) -> Result:
        self.plans.append(plan)
        at = evenly([self.most] * 10)
        results = Folder(folder / "results")
        with Journal(results.journals) as journal:
            for one in accepted(at):
                journal.write(one)
        lines = [f"{one.id} {one.sent * 1000:.0f}\n" for one in messages(at)]
        results.messages.write_text("".join(lines) + END)
        return Result(
            target="a machine",
            plan=plan,
            watched=SendingWatched(START),
            answers={"p50_ms": plan.rate, "p99_ms": self.p99_ms},
            rates={"events_per_second": plan.rate - 1},
            delivery={"delivery_p50_ms": 700, "delivery_p99_ms": 1_200},
            drained_seconds=1.0,
            proof=LoadProof(len(at), len(at), {}, 0, 0, len(at), self.faults.get(plan.shape, [])),
            exceeded=[],
        )


def test_a_machine_is_measured_at_shares_of_what_it_can_do(tmp_path: Path) -> None:
    machine = Machine(100)
    found = end_to_end.run(tmp_path, machine)["end_to_end"]
    assert [(plan.shape, plan.rate) for plan in machine.plans] == [
        ("ramp", end_to_end.RAMP_RATE),
        ("constant", 30),
        ("constant", 70),
    ]
    assert found["capacity_per_second"] == 100
    assert (found["events_per_second"], found["p50_ms"], found["p99_ms"]) == (69, 30, 50.0)
    assert list(found["at_rate"]) == ["30", "70"]
    assert found["at_rate"]["70"]["events_per_second"] == 69


@pytest.mark.parametrize("most", [1, 2, 5_000])
def test_any_machine_has_figures(most: int, tmp_path: Path) -> None:
    found = end_to_end.run(tmp_path, Machine(most, p99_ms=60_000))["end_to_end"]
    assert found["p99_ms"] == 60_000
    assert found["capacity_per_second"] == most


def test_no_threshold_is_set_that_a_slow_machine_exceeds(tmp_path: Path) -> None:
    machine = Machine(3)
    end_to_end.run(tmp_path, machine)
    for plan in machine.plans:
        options = dict(zip(plan.options()[::2], plan.options()[1::2], strict=True))
        assert float(options["--p99-ms"]) == float(options["--p95-ms"]) == float("inf")
        assert float(options["--max-error-rate"]) == 1
        assert plan.max_backlog > 10**12


@pytest.mark.parametrize("shape", ["ramp", "constant"])
def test_a_lost_event_fails_the_benchmark_at_any_rate(shape: str, tmp_path: Path) -> None:
    lossy = Machine(100, faults={shape: ["1 times: has no outcome: 7"]})
    with pytest.raises(LoadFiguresError, match=f"{shape} of .*has no outcome: 7.*make load RATE="):
        end_to_end.run(tmp_path, lossy)


def test_what_stood_still_fails_the_benchmark(tmp_path: Path) -> None:
    machine = Machine(100)

    def stalled(plan: LoadPlan, folder: Path) -> Result:
        return replace(machine(plan, folder), exceeded=["backlog: stood still for 120 seconds"])

    with pytest.raises(LoadFiguresError, match="stood still"):
        end_to_end.run(tmp_path, stalled)


def test_a_ramp_that_delivers_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(LoadFiguresError, match="the ramp delivered nothing"):
        end_to_end.run(tmp_path, Machine(0))


LOAD: dict[str, Any] = dict.fromkeys(end_to_end.NEEDED, 1)


def test_the_load_tests_figures_are_taken_over() -> None:
    assert pick({**LOAD, "of another kind": {}}) == LOAD


@pytest.mark.parametrize(
    ("figures", "said"),
    [
        ({}, "events_per_second is missing"),
        ({**LOAD, "p99_ms": None}, "p99_ms is missing"),
        ({**LOAD, "lost": False}, "lost is missing or no number"),
    ],
)
def test_figures_of_a_load_test_that_are_none_are_an_error(
    figures: dict[str, Any], said: str
) -> None:
    with pytest.raises(LoadFiguresError, match=said):
        pick(figures)
