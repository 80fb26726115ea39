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
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from loadtests.bench import parts, report
from loadtests.bench.__main__ import chosen, rounds
from loadtests.bench.ratios import part_of
from loadtests.bench.verdict import TOLERANCE, judge_run, read_run
from pipeline.errors import PipelineError
from toolbox.terminal.output import DOES_NOT_HOLD, DONE, WRONG_USAGE, console, say_error

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from loadtests.bench.ratios import Ratio
    from loadtests.bench.verdict import RatioVerdict, Run

ROOT = Path(__file__).parents[2]
BASELINE = Path(__file__).parents[1] / "baseline.json"
_UNCHECKED = {"bodies", "body_rules", "console", "proofs", "replay_memory", "end_to_end"}
#: These have ratios.
CHECKED = tuple(part for part in parts.PARTS if part not in _UNCHECKED)


class BaselineError(PipelineError):
    """There is no baseline, or it is not in the form that is known here."""


class MeasurementError(PipelineError):
    """The benchmarks did not come to their end."""


def check(
    baseline: Mapping[str, float],
    measured: Collection[str],
    number: int,
    measure: Callable[[Collection[str], int], Run],
) -> RatioVerdict:
    """Measure, compare, and measure again what looks slower.

    Parameters
    ----------
    number : int
        Rounds; the second time there are twice as many.
    """
    verdict = judge_run(baseline, measure(measured, number), measured)
    if not verdict.slower:
        return verdict
    suspected = {change.name for change in verdict.slower}
    again = {part_of(name) for name in suspected}
    second = judge_run(baseline, measure(again, 2 * number), again)
    verdict.slower = [change for change in second.slower if change.name in suspected]
    verdict.failed |= second.failed
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


def show_failed(failed: Mapping[str, str]) -> None:
    """Name the parts that could not be measured."""
    for part, reason in failed.items():
        console.print(f"not measured: {part}: {reason}", style="red")


def show(verdict: RatioVerdict, compared: int) -> None:
    """Say what was found."""
    for change in verdict.slower:
        console.print(f"slower: {change}", style="red")
    for change in verdict.faster:
        console.print(f"faster: {change}", style="green")
    show_failed(verdict.failed)
    for name in verdict.gone:
        console.print(f"gone: {name} is in the baseline and was not measured", style="red")
    for name in verdict.new:
        console.print(f"new: {name} is not in the baseline", style="red")
    if verdict.gone or verdict.new:
        console.print("Where that is meant: make bench-check UPDATE=1, and commit the baseline.")
    elif verdict.faster and not verdict.slower:
        console.print("To hold on to what is faster: make bench-check UPDATE=1.")
    if verdict.holds:
        console.print(f"{compared} ratios: none is slower by more than {TOLERANCE:.0%}.")


def measure_ratios(measured: Collection[str], number: int) -> Run:
    """Run parts in an interpreter of their own, and give their ratios.

    The handlers keep their clients for as long as a process lives, as on Lambda: a second
    measurement in the same one would call services that are gone.

    Raises
    ------
    MeasurementError
        When there are no figures at all.
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
        if done.returncode not in {DONE, DOES_NOT_HOLD} or not file.exists():
            raise MeasurementError(f"{', '.join(measured)}: measuring failed, as said above")
        return read_run(orjson.loads(file.read_bytes()), measured)


def update(measured: Collection[str], number: int) -> int:
    """Write the baseline anew; a part that failed keeps its old ratios, and makes the status 1."""
    run = measure_ratios(measured, number)
    write_baseline(run.ratios, number, set(measured) - set(run.failed), BASELINE)
    console.print(f"{BASELINE}: {len(run.ratios)} ratios")
    show_failed(run.failed)
    return DOES_NOT_HOLD if run.failed else DONE


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
            sys.exit(update(given.only, 2 * given.rounds))
        baseline = read_baseline()
        verdict = check(baseline, given.only, given.rounds, measure_ratios)
    except PipelineError as error:
        say_error(error, "bench")
        sys.exit(WRONG_USAGE)
    if os.getloadavg()[0] > 2 * (os.cpu_count() or 1):
        console.print("The machine does other things, too: what is called slower may be noise.")
    show(verdict, sum(part_of(name) in given.only for name in baseline))
    if not verdict.holds:
        sys.exit(DOES_NOT_HOLD)


if __name__ == "__main__":
    main()
