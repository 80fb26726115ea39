"""Says which part of the pipeline became slower: `make bench-check`.

The ratios of a run are compared with those of `loadtests/baseline.json`. Absolute times are never
compared: the machine may be another one, or busy. What looks slower is measured again, with twice
the rounds, and only what looks slower both times is called so.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from loadtests.bench import parts, report
from loadtests.bench.__main__ import chosen, rounds
from loadtests.bench.ratios import Ratio, part_of, ratios
from pipeline.cli.output import DOES_NOT_HOLD, WRONG_USAGE, console, errors
from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

ROOT = Path(__file__).parents[2]
BASELINE = Path(__file__).parents[1] / "baseline.json"
#: Two runs on a quiet machine differ by some 5 %, steps and cold starts by some 15 %. A regression
#: that matters is larger: one more pass over the body costs a tenth of the floor and more.
TOLERANCE = 0.25
#: These have ratios.
CHECKED = tuple(part for part in parts.PARTS if part not in {"replay_memory", "end_to_end"})


class BaselineError(PipelineError):
    """There is no baseline, or it is not in the form that is known here."""


class MeasurementError(PipelineError):
    """The benchmarks did not come to their end."""


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
class Verdict:
    """What a comparison found.

    Parameters
    ----------
    slower, faster : list[Change]
        Ratios beyond the tolerance.
    gone, new : list[str]
        Ratios that only the baseline has, or only this run.
    """

    slower: list[Change] = field(default_factory=list)
    faster: list[Change] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    new: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Whether nothing is slower, and everything could be compared."""
        return not (self.slower or self.gone or self.new)


def judge(
    baseline: Mapping[str, float],
    found: Mapping[str, Ratio],
    measured: Collection[str],
    tolerance: float = TOLERANCE,
) -> Verdict:
    """Compare a run with the baseline.

    Parameters
    ----------
    baseline : Mapping[str, float]
        Name to ratio.
    found : Mapping[str, Ratio]
        Those of the run, by name.
    measured : Collection[str]
        The parts that were run; nothing is missing of the others.
    tolerance : float
        The share by which a ratio may grow.
    """
    verdict = Verdict()
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


def check(
    baseline: Mapping[str, float],
    measured: Collection[str],
    number: int,
    measure: Callable[[Collection[str], int], Mapping[str, Ratio]],
) -> Verdict:
    """Measure, compare, and measure again what looks slower.

    Parameters
    ----------
    baseline : Mapping[str, float]
        Name to ratio.
    measured : Collection[str]
        The parts to run.
    number : int
        Rounds; the second time there are twice as many.
    measure : Callable[[Collection[str], int], Mapping[str, Ratio]]
        Runs parts, and gives their ratios.
    """
    verdict = judge(baseline, measure(measured, number), measured)
    if not verdict.slower:
        return verdict
    suspected = {change.name for change in verdict.slower}
    again = {part_of(name) for name in suspected}
    second = judge(baseline, measure(again, 2 * number), again)
    verdict.slower = [change for change in second.slower if change.name in suspected]
    return verdict


def read_baseline(file: Path = BASELINE) -> dict[str, float]:
    """Read the committed ratios.

    Raises
    ------
    BaselineError
        When there are none.
    """
    try:
        found: Any = orjson.loads(file.read_bytes())
        return {str(name): float(value) for name, value in found["ratios"].items()}
    except FileNotFoundError:
        raise BaselineError(f"{file}: not there; 'make bench-check UPDATE=1' writes it") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BaselineError(
            f"{file}: broken ({error!r}); 'make bench-check UPDATE=1' writes it anew"
        ) from None


def write_baseline(
    found: Mapping[str, Ratio], number: int, measured: Collection[str], file: Path = BASELINE
) -> None:
    """Write the ratios of the parts that were run; those of other parts stay."""
    kept = read_baseline(file) if file.exists() else {}
    values = {name: value for name, value in kept.items() if part_of(name) not in measured}
    values |= {name: round(one.value, 3) for name, one in found.items()}
    document = {"machine": report.machine(), "rounds": number, "ratios": values}
    options = orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE
    file.write_bytes(orjson.dumps(document, option=options))


def show(verdict: Verdict, compared: int) -> None:
    """Say what was found."""
    for change in verdict.slower:
        console.print(f"slower: {change}", style="red", markup=False)
    for change in verdict.faster:
        console.print(f"faster: {change}", style="green", markup=False)
    for name in verdict.gone:
        console.print(
            f"gone: {name} is in the baseline and was not measured", style="red", markup=False
        )
    for name in verdict.new:
        console.print(f"new: {name} is not in the baseline", style="red", markup=False)
    if verdict.gone or verdict.new:
        console.print("Where that is meant: make bench-check UPDATE=1, and commit the baseline.")
    elif verdict.faster and not verdict.slower:
        console.print("To hold on to what is faster: make bench-check UPDATE=1.")
    if verdict.holds:
        console.print(f"{compared} ratios: none is slower by more than {TOLERANCE:.0%}.")


def measure_ratios(measured: Collection[str], number: int) -> dict[str, Ratio]:
    """Run parts in an interpreter of their own, and give their ratios.

    The handlers keep their clients for as long as a process lives, as on Lambda: a second
    measurement in the same one would call services that are gone.

    Raises
    ------
    MeasurementError
        When they cannot be measured.
    """
    with tempfile.TemporaryDirectory(prefix="mozdef-ef-bench-check-") as folder:
        file = Path(folder) / "bench.json"
        options = ["--rounds", str(number), "--only", ",".join(measured), "--output", str(file)]
        # What it does is on standard error, for who waits; the tables are not wanted here.
        done = subprocess.run(
            [sys.executable, "-m", "loadtests.bench", *options],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            check=False,
        )
        if done.returncode:
            raise MeasurementError(f"{', '.join(measured)}: measuring failed, as said above")
        return ratios(orjson.loads(file.read_bytes()))


def main(arguments: Sequence[str] | None = None) -> None:
    """Compare with the baseline, or write it.

    Exit status: 0 nothing is slower, 1 something is or cannot be compared, 2 wrong usage.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=rounds, default=5, help="how often each is measured")
    parser.add_argument("--only", type=chosen, default=CHECKED, help=", ".join(CHECKED))
    parser.add_argument("--update", action="store_true", help="write the baseline anew")
    given = parser.parse_args(arguments)
    try:
        if given.update:
            number = 2 * given.rounds
            found = measure_ratios(given.only, number)
            write_baseline(found, number, given.only)
            console.print(f"{BASELINE}: {len(found)} ratios")
            return
        baseline = read_baseline()
        verdict = check(baseline, given.only, given.rounds, measure_ratios)
    except PipelineError as error:
        errors.print(str(error), style="red", markup=False)
        sys.exit(WRONG_USAGE)
    if os.getloadavg()[0] > 2 * (os.cpu_count() or 1):
        console.print("The machine does other things, too: what is called slower may be noise.")
    show(verdict, sum(part_of(name) in given.only for name in baseline))
    if not verdict.holds:
        sys.exit(DOES_NOT_HOLD)


if __name__ == "__main__":
    main()
