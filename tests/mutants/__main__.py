"""`make mutants`: the named mutants, and a sample of each room; exit status 1 where one is lost."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
from collections import Counter
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from tests.mutants.baseline import measure
from tests.mutants.plan import MutantError, Plan
from tests.mutants.trials import Children, try_mutant

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.mutants.baseline import Baseline
    from tests.mutants.mutations import Mutant
    from tests.mutants.plan import Room
    from tests.mutants.trials import Result

PROJECT = Path(__file__).parents[2]
LOWEST_SCORE = 90.0
"""Percent of a room's sample that its tests must notice."""


@dataclass(frozen=True)
class Verdict:
    """What became of one mutant.

    Parameters
    ----------
    outcome : str
        `killed`, `timed out`, `survived`, `equivalent`, or `not there` for a named mutant whose
        text the code no longer has.
    by : str
        The test that noticed it, or why nothing did.
    """

    room: str
    id: str
    named: bool
    outcome: str
    by: str = ""


@dataclass(frozen=True)
class Run:
    """One run over some rooms.

    Parameters
    ----------
    cpu_seconds : float
        How long a mutant's tests may compute beyond three times what they take without it: judged
        by their own computing, a busy machine ends none of them.
    """

    plan: Plan
    size: int
    seed: int
    jobs: int
    cpu_seconds: float
    console: Console

    def judge(self, room: Room, folder: Path) -> list[Verdict]:
        """Try the mutants of a room."""
        named, lost = self._named(room)
        drawn = self.plan.sample(room, self.size, self.seed) if room.sampled else []
        if not named and not drawn:
            return lost
        if stale := self.plan.stale(room, self.plan.all_of(room)):
            raise MutantError(f"{room.name}: listed as equivalent, and not there: {stale}")
        self.console.print(f"{room.name}: its tests without a mutant")
        baseline = measure(self.plan.project, room, folder)
        mutants = named + drawn
        with _bar(self.console) as progress:
            task = progress.add_task(room.name, total=len(mutants))
            found = list(lost)
            for mutant, outcome, by in self._tried(room, mutants, baseline, folder):
                is_named = any(mutant is one for one in named)
                found.append(Verdict(room.name, mutant.id, is_named, outcome, by))
                progress.advance(task)
        return found

    def _named(self, room: Room) -> tuple[list[Mutant], list[Verdict]]:
        mutants, lost = [], []
        for one in self.plan.named:
            if one.room == room.name:
                try:
                    mutants.append(one.mutant(self.plan.project))
                except MutantError as error:
                    lost.append(Verdict(room.name, one.name, True, "not there", str(error)))
        return mutants, lost

    def _tried(
        self, room: Room, mutants: Sequence[Mutant], baseline: Baseline, folder: Path
    ) -> Iterator[tuple[Mutant, str, str]]:
        covered = []
        for mutant in mutants:
            chosen = baseline.tests_for(mutant)
            if chosen:
                covered.append((mutant, chosen))
            else:
                yield mutant, *self._survivor(mutant, "no test runs it")
        works = [
            partial(
                try_mutant,
                self.plan.project,
                room.tests,
                mutant,
                chosen,
                baseline.cpu_seconds_for(chosen) + self.cpu_seconds,
            )
            for mutant, chosen in covered
        ]
        for number, result in Children(folder, self.jobs).each(works):
            mutant, chosen = covered[number]
            yield mutant, *self._outcome(mutant, result, len(chosen))

    def _outcome(self, mutant: Mutant, result: Result, tests: int) -> tuple[str, str]:
        if result.status == 0:
            return self._survivor(mutant, f"{tests} tests run it")
        if result.status < 0:
            return "timed out", "it did not end"
        if result.status > 4:  # nothing was collected, or the child itself broke
            raise MutantError(f"{mutant.id}: pytest ended with {result.status}:\n{result.log}")
        by = str(result.said.get("failed") or "it cannot be imported")
        if mutant.id in self.plan.equivalent:
            return "killed", f"{by}; it is listed as equivalent, and is not"
        return "killed", by

    def _survivor(self, mutant: Mutant, why: str) -> tuple[str, str]:
        reason = self.plan.equivalent.get(mutant.id)
        return ("survived", why) if reason is None else ("equivalent", reason)


def _bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description:>10}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
    )


def score(verdicts: Sequence[Verdict]) -> float | None:
    """Return the percentage that was noticed; equivalent mutants do not count."""
    counts = Counter(one.outcome for one in verdicts)
    noticed = counts["killed"] + counts["timed out"]
    judged = noticed + counts["survived"] + counts["not there"]
    return 100 * noticed / judged if judged else None


def report(verdicts: Sequence[Verdict], console: Console) -> bool:
    """Print the table; return whether all is as it must be."""
    columns = ("killed", "timed out", "survived", "not there", "equivalent")
    table = Table("room", "mutants", *columns, "score")
    good = True
    for room in dict.fromkeys(one.room for one in verdicts):
        for named, label in ((True, f"{room}, named"), (False, room)):
            some = [one for one in verdicts if one.room == room and one.named is named]
            reached = score(some)
            if not some:
                continue
            counts = Counter(one.outcome for one in some)
            shown = "" if reached is None else f"{reached:.1f} %"
            table.add_row(label, str(len(some)), *(str(counts[name]) for name in columns), shown)
            good &= reached is None or reached >= (100.0 if named else LOWEST_SCORE)
    console.print(table)
    return good


def tell(verdicts: Sequence[Verdict], console: Console) -> None:
    """Print which mutants lived, and which are not what the plan says of them."""
    for one in verdicts:
        if one.outcome in {"survived", "not there"} or "listed as equivalent" in one.by:
            console.print(f"{one.room}: {one.outcome}: {one.id} ({one.by})", markup=False)


def save(verdicts: Sequence[Verdict], seed: int, file: Path) -> None:
    """Write the verdicts as JSON."""
    file.parent.mkdir(exist_ok=True)
    found = {"seed": seed, "mutants": [asdict(one) for one in verdicts]}
    file.write_text(json.dumps(found, indent=1) + "\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the options ask for."""
    parser = argparse.ArgumentParser(prog="make mutants", description=__doc__)
    parser.add_argument("--room", action="append", help="only this room (can be repeated)")
    parser.add_argument("--mutants", type=int, default=60, help="how many are drawn of each room")
    parser.add_argument("--seed", type=int, default=1, help="which ones are drawn")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="how many at a time")
    parser.add_argument("--cpu-seconds", type=float, default=20.0, help="what an endless one gets")
    parser.add_argument("--project", type=Path, default=PROJECT)
    parser.add_argument("--plan", type=Path, default=PROJECT / "tests/mutants/mutants.toml")
    options = parser.parse_args(arguments)
    # As Ctrl-C does: the children are ended on the way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    console = Console(soft_wrap=True)
    console.width = max(console.width, 100)
    verdicts: list[Verdict] = []
    try:
        plan = Plan.read(options.project.resolve(), options.plan)
        run = Run(plan, options.mutants, options.seed, options.jobs, options.cpu_seconds, console)
        wanted = [plan.room(name) for name in options.room or plan.rooms]
        for room in wanted:
            with tempfile.TemporaryDirectory() as folder:
                found = run.judge(room, Path(folder))
            tell(found, console)
            verdicts += found
            save(verdicts, options.seed, plan.project / "build" / "mutants.json")
    except MutantError as error:
        console.print(f"mutants: {error}", markup=False)
        return 2
    return 0 if report(verdicts, console) else 1


if __name__ == "__main__":
    sys.exit(main())
