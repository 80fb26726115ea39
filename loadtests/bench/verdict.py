"""What a comparison of a run with the baseline says: slower, faster, gone, new, not measured."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from loadtests.bench.ratios import Ratio, part_of, ratios

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

#: Two runs on a quiet machine differ by some 5 %, steps and cold starts by some 15 %. A regression
#: that matters is larger: one more pass over the body costs a tenth of the floor and more.
TOLERANCE = 0.25


@dataclass(frozen=True)
class Run:
    """What a run of the benchmarks found.

    Parameters
    ----------
    ratios : Mapping[str, Ratio]
        By name.
    failed : Mapping[str, str]
        Parts that were to be run and have no ratios, with the reason.
    """

    ratios: Mapping[str, Ratio]
    failed: Mapping[str, str] = field(default_factory=dict)


def read_run(figures: Mapping[str, Any], measured: Collection[str]) -> Run:
    """Return the ratios of a run, and which parts it lacks.

    Parameters
    ----------
    figures : Mapping[str, Any]
        As in `build/bench.json`.
    """
    found = ratios(figures)
    there = {part_of(name) for name in found}
    said = figures.get("failed", {})
    lacking = {
        part: str(said.get(part, "the figures do not have it"))
        for part in measured
        if part not in there
    }
    return Run(found, lacking)


@dataclass(frozen=True)
class Change:
    """A ratio that is not what it was."""

    name: str
    before: float
    now: float

    @property
    def percent(self) -> float:
        """By how much it grew, in percent."""
        return (self.now / self.before - 1) * 100

    def __str__(self) -> str:
        """Say it for people."""
        return f"{self.name}: {self.now:.2f}, was {self.before:.2f} ({self.percent:+.0f} %)"


@dataclass
class RatioVerdict:
    """What a comparison found.

    Parameters
    ----------
    gone, new : list[str]
        Ratios that only the baseline has, or only this run.
    failed : dict[str, str]
        Parts that could not be measured, with the reason.
    """

    slower: list[Change] = field(default_factory=list)
    faster: list[Change] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    new: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        """Whether nothing is slower, and everything could be compared."""
        return not (self.slower or self.gone or self.new or self.failed)


def judge(
    baseline: Mapping[str, float],
    found: Mapping[str, Ratio],
    measured: Collection[str],
    tolerance: float = TOLERANCE,
) -> RatioVerdict:
    """Compare a run with the baseline.

    Parameters
    ----------
    found : Mapping[str, Ratio]
        Those of the run, by name.
    measured : Collection[str]
        The parts that were run; nothing is missing of the others.
    tolerance : float
        The share by which a ratio may grow.
    """
    verdict = RatioVerdict()
    for name, before in baseline.items():
        if part_of(name) not in measured:
            continue
        ratio = found.get(name)
        if ratio is None:
            verdict.gone.append(name)
            continue
        change = Change(name, before, ratio.value)
        if abs(ratio.value - before) < ratio.least:
            continue
        if ratio.value > before * (1 + tolerance):
            verdict.slower.append(change)
        elif ratio.value < before / (1 + tolerance):
            verdict.faster.append(change)
    verdict.new = sorted(set(found) - set(baseline))
    return verdict


def judge_run(baseline: Mapping[str, float], run: Run, measured: Collection[str]) -> RatioVerdict:
    """Compare a run with the baseline, as far as its parts were measured."""
    verdict = judge(baseline, run.ratios, set(measured) - set(run.failed))
    verdict.failed = dict(run.failed)
    return verdict
