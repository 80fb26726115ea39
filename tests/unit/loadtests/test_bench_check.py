"""The guard: which ratios there are, and what is called slower."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest

from loadtests.bench import check as guard
from loadtests.bench.check import (
    BaselineError,
    MeasurementError,
    check,
    measure_ratios,
    read_baseline,
)
from loadtests.bench.ratios import Ratio, part_of, ratios
from loadtests.bench.steps import STEPS
from loadtests.bench.verdict import Change, Run, judge, read_run
from tests.support.figures import bench_figures

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

STEP = "fan_out.github_10kb.step_deliver/floor"
OTHER = "growth.16_sources/1_source"
PARTS = ("fan_out", "growth")


def run_of(**values: float) -> dict[str, Ratio]:
    names = {"step": STEP, "other": OTHER}
    return {names[short]: Ratio(names[short], value) for short, value in values.items()}


BASELINE = {STEP: 0.5, OTHER: 1.0}


def scaled(factor: float, document: Any) -> Any:
    """The figures of a machine that is slower by a factor in everything."""
    if isinstance(document, dict):
        return {key: scaled(factor, value) for key, value in document.items()}
    return document * factor if isinstance(document, float) else document


def test_there_is_a_ratio_for_each_step_and_each_part() -> None:
    found = ratios(bench_figures())
    for kind in ("github_10kb", "small_1kb"):
        assert {f"fan_out.{kind}.step_{step}/floor" for step in STEPS} <= set(found)
        assert {f"archive.{part}.{kind}/floor" for part in ("archiver", "replay", "audit")} <= set(
            found
        )
    assert {part_of(name) for name in found} == set(guard.CHECKED)
    assert found["fan_out.github_10kb.whole/floor"].value == pytest.approx(110 / 50)


def test_a_machine_that_is_slower_in_everything_changes_no_ratio() -> None:
    before, now = ratios(bench_figures()), ratios(scaled(3.0, bench_figures()))
    assert {name: one.value for name, one in now.items()} == pytest.approx(
        {name: one.value for name, one in before.items()}
    )


def test_parts_that_were_not_run_have_no_ratios() -> None:
    assert {part_of(name) for name in ratios({"growth": bench_figures()["growth"]})} == {"growth"}


def test_equal_passes() -> None:
    verdict = judge(BASELINE, run_of(step=0.5, other=1.0), PARTS)
    assert verdict.holds
    assert not verdict.faster


def test_a_slower_step_is_named_with_how_much() -> None:
    verdict = judge(BASELINE, run_of(step=0.75, other=1.0), PARTS)
    assert not verdict.holds
    (change,) = verdict.slower
    assert str(change) == f"{STEP}: 0.75, was 0.50 (+50 %)"


@pytest.mark.parametrize(("now", "slower"), [(1.24, False), (1.26, True)])
def test_the_tolerance(now: float, slower: bool) -> None:
    assert bool(judge(BASELINE, run_of(step=0.5, other=now), PARTS, 0.25).slower) is slower


def test_what_is_faster_passes_and_is_told() -> None:
    verdict = judge(BASELINE, run_of(step=0.3, other=1.0), PARTS)
    assert verdict.holds
    assert verdict.faster == [Change(STEP, 0.5, 0.3)]


def test_a_small_step_must_grow_by_a_share_of_the_whole() -> None:
    small = {STEP: 0.02}
    ratio = Ratio(STEP, 0.06, least=0.05)
    assert judge(small, {STEP: ratio}, PARTS).holds
    assert judge(small, {STEP: Ratio(STEP, 0.08, least=0.05)}, PARTS).slower


def test_what_is_missing_on_either_side_does_not_pass_and_is_explained(
    capsys: pytest.CaptureFixture[str],
) -> None:
    verdict = judge({STEP: 0.5}, run_of(other=1.0), PARTS)
    assert (verdict.gone, verdict.new) == ([STEP], [OTHER])
    assert not verdict.holds
    guard.show(verdict, 1)
    shown = capsys.readouterr().out
    assert f"gone: {STEP}" in shown
    assert f"new: {OTHER}" in shown
    assert "UPDATE=1" in shown


def test_nothing_is_missing_of_a_part_that_was_not_run() -> None:
    assert judge(BASELINE, run_of(other=1.0), ("growth",)).holds


class Runs:
    """Gives one run after the other, and keeps what was asked for."""

    def __init__(self, *runs: dict[str, Ratio], failed: Mapping[str, str] | None = None) -> None:
        self.runs = list(runs)
        self.failed = failed or {}
        self.asked: list[tuple[set[str], int]] = []

    def __call__(self, parts: Collection[str], number: int) -> Run:
        self.asked.append((set(parts), number))
        run = self.runs.pop(0)
        ratios_of = {name: one for name, one in run.items() if part_of(name) in parts}
        return Run(ratios_of, self.failed)


def test_a_part_that_failed_does_not_hold_and_the_others_are_compared(
    capsys: pytest.CaptureFixture[str],
) -> None:
    verdict = check(BASELINE, PARTS, 5, Runs({OTHER: Ratio(OTHER, 1.0)}, failed={"fan_out": "why"}))
    assert not verdict.holds
    assert (verdict.gone, verdict.slower) == ([], [])
    guard.show(verdict, 1)
    assert capsys.readouterr().out == "not measured: fan_out: why\n"
    slow = {OTHER: Ratio(OTHER, 2.0)}
    both = check(BASELINE, PARTS, 5, Runs(slow, slow, failed={"fan_out": "why"}))
    assert both.slower == [Change(OTHER, 1.0, 2.0)]


def test_a_file_that_lacks_a_part_is_told_with_the_reason_if_it_has_one() -> None:
    figures = {"growth": bench_figures()["growth"], "failed": {"fan_out": "WorkError: no"}}
    run = read_run(figures, ("growth", "fan_out", "gateway"))
    assert {part_of(name) for name in run.ratios} == {"growth"}
    assert run.failed == {"fan_out": "WorkError: no", "gateway": "the figures do not have it"}


def test_a_part_that_failed_keeps_its_baseline(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "baseline.json"
    file.write_bytes(orjson.dumps({"ratios": BASELINE}))
    monkeypatch.setattr(guard, "BASELINE", file)
    monkeypatch.setattr(
        guard, "measure_ratios", Runs({OTHER: Ratio(OTHER, 1.5)}, failed={"fan_out": "why"})
    )
    with pytest.raises(SystemExit) as ended:
        guard.main(["--only", "fan_out,growth", "--update"])
    assert ended.value.code == 1
    assert read_baseline(file) == {STEP: 0.5, OTHER: 1.5}
    assert "not measured: fan_out: why" in capsys.readouterr().out


def test_what_looks_slower_once_is_noise() -> None:
    runs = Runs(run_of(step=0.9, other=1.0), run_of(step=0.5, other=1.0))
    assert check(BASELINE, PARTS, 5, runs).holds
    # Only the part of what looked slower, with twice the rounds.
    assert runs.asked == [({"fan_out", "growth"}, 5), ({"fan_out"}, 10)]


def test_what_looks_slower_twice_is_slower() -> None:
    runs = Runs(run_of(step=0.9, other=1.0), run_of(step=0.8, other=1.0))
    assert check(BASELINE, PARTS, 5, runs).slower == [Change(STEP, 0.5, 0.8)]


def test_what_only_looks_slower_the_second_time_is_noise_too() -> None:
    baseline = {STEP: 0.5, "fan_out.github_10kb.whole/floor": 2.0}
    other = "fan_out.github_10kb.whole/floor"
    runs = Runs(
        {STEP: Ratio(STEP, 0.9), other: Ratio(other, 2.0)},
        {STEP: Ratio(STEP, 0.5), other: Ratio(other, 3.0)},
    )
    assert check(baseline, ("fan_out",), 5, runs).holds


def test_nothing_is_measured_again_where_all_is_well() -> None:
    runs = Runs(run_of(step=0.5, other=1.0))
    assert check(BASELINE, PARTS, 5, runs).holds
    assert len(runs.asked) == 1


def test_a_baseline_is_read_as_it_was_written(tmp_path: Path) -> None:
    file = tmp_path / "baseline.json"
    guard.write_baseline(run_of(step=0.12345, other=1.0), 10, PARTS, file)
    assert read_baseline(file) == {STEP: 0.123, OTHER: 1.0}
    # Only what was measured is written anew.
    guard.write_baseline(run_of(other=1.5), 10, ("growth",), file)
    assert read_baseline(file) == {STEP: 0.123, OTHER: 1.5}


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"ratios": {"a": "x"}}'])
def test_a_broken_baseline_is_an_error_that_says_what_to_do(text: str, tmp_path: Path) -> None:
    file = tmp_path / "baseline.json"
    file.write_text(text)
    with pytest.raises(BaselineError, match="UPDATE=1"):
        read_baseline(file)
    with pytest.raises(BaselineError, match="not there"):
        read_baseline(tmp_path / "none.json")


@pytest.mark.parametrize(("factor", "status"), [(1.0, 0), (2.0, 1)])
def test_the_exit_status_and_the_words(
    factor: float,
    status: int,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "baseline.json"
    file.write_bytes(orjson.dumps({"ratios": BASELINE}))
    monkeypatch.setattr(guard, "BASELINE", file)
    monkeypatch.setattr(guard, "read_baseline", lambda: read_baseline(file))
    runs = Runs(*[run_of(step=0.5 * factor, other=1.0)] * 2)
    monkeypatch.setattr(guard, "measure_ratios", runs)
    try:
        guard.main(["--only", "fan_out,growth"])
        ended = 0
    except SystemExit as error:
        ended = int(str(error.code))
    assert ended == status
    shown = capsys.readouterr().out
    assert ("none is slower" in shown) is (status == 0)
    assert (f"slower: {STEP}: 1.00, was 0.50 (+100 %)" in shown) is (status == 1)


def test_the_committed_baseline_has_exactly_the_ratios_of_a_run() -> None:
    assert set(read_baseline()) == set(ratios(bench_figures()))


def test_a_real_measurement_has_the_ratios_of_the_committed_baseline() -> None:
    """Each is made in a process of its own: what is measured again is made as the first was."""
    found = measure_ratios(("front_door",), 1)
    assert set(found.ratios) == {one for one in read_baseline() if part_of(one) == "front_door"}
    assert found.failed == {}


def test_a_measurement_that_fails_is_an_error() -> None:
    with pytest.raises(MeasurementError, match="nothing: measuring failed"):
        measure_ratios(("nothing",), 1)
