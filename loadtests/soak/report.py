"""Says what a soak run came to: tables for people, a file for programs."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from loadtests.soak.oracle import DELIVERED, DUPLICATE, FAILED, LOST, REJECTED
from pipeline.cli.output import console, print_table
from pipeline.local.files import write_atomically

if TYPE_CHECKING:
    from pathlib import Path

    from loadtests.soak.oracle import Verdict
    from loadtests.soak.senders import Journal

_MOST_PRINTED = 20


@dataclass(frozen=True)
class Run:
    """A finished run."""

    seed: int
    seconds: float
    journal: Journal
    verdict: Verdict
    faults: Counter[str]
    drained_in_seconds: float | None

    @property
    def holds(self) -> bool:
        """Whether the promise was kept."""
        return self.drained_in_seconds is not None and not self.verdict.violations

    def figures(self) -> dict[str, Any]:
        """Give the figures, as the file has them."""
        outcomes, figures = self.verdict.outcomes, self.verdict.figures
        kinds = Counter(str(sent.kind) for sent in self.journal.accepted.values())
        return {
            "seed": self.seed,
            "seconds": self.seconds,
            "sent": self.journal.sent,
            "accepted": len(self.journal.accepted),
            "delivered": outcomes[DELIVERED],
            "duplicate": outcomes[DUPLICATE],
            "rejected": outcomes[REJECTED],
            "failed": outcomes[FAILED],
            "lost": outcomes[LOST],
            "unknown": figures["unknown"],
            "delivered_twice": figures["delivered_twice"],
            "twice_after_cut_call": figures["twice_after_cut_call"],
            "twice_after_lost_answer": figures["twice_after_lost_answer"],
            "failed_and_sent": figures["failed_and_sent"],
            "failed_and_settled": figures["failed_and_settled"],
            "put_twice": figures["put_twice"],
            "denied": len(self.journal.denied),
            "unanswered": len(self.journal.unanswered),
            "unanswered_arrived": figures["unanswered_arrived"],
            "rejected_by_reason": _by_reason(outcomes),
            "accepted_by_kind": dict(sorted(kinds.items())),
            "answers": dict(sorted(self.journal.answers.items())),
            "faults": dict(sorted(self.faults.items())),
            "drained_in_seconds": self.drained_in_seconds,
            "violations": self.verdict.violations,
        }


def _by_reason(outcomes: Counter[str]) -> dict[str, int]:
    found = {name.partition(":")[2]: count for name, count in outcomes.items() if ":" in name}
    return dict(sorted(found.items()))


def write_run(run: Run, file: Path) -> None:
    """Write the figures."""
    write_atomically(file, orjson.dumps(run.figures(), option=orjson.OPT_INDENT_2).decode() + "\n")


def print_run(run: Run) -> None:
    """Print what was sent, what struck, and what became of it."""
    figures = run.figures()
    kinds = figures["accepted_by_kind"].items()
    print_table("Accepted", ("events", "what"), [(count, kind) for kind, count in kinds])
    print_table("Faults", ("times", "what"), [(n, name) for name, n in figures["faults"].items()])
    print_table(
        "Account",
        ("events", "", "meaning"),
        [
            (figures["accepted"], "accepted", "answered with 2xx"),
            (figures["delivered"], "= delivered", "on the queue, once at least"),
            (figures["duplicate"], "+ duplicate", "the same was delivered before"),
            (figures["rejected"], "+ rejected", "in rejected/ or quarantine/, body as it was"),
            (figures["failed"], "+ failed", "in a failure record, to be replayed"),
            (figures["lost"], "+ lost", "must be none"),
            (figures["unknown"], "unknown", "never sent; must be none"),
            (figures["delivered_twice"], "delivered twice", "of these:"),
            (figures["twice_after_cut_call"], "  cut calls", "sent, then cut off or not noted"),
            (figures["twice_after_lost_answer"], "  lost answers", "SQS took it, nobody was told"),
            (figures["failed_and_sent"], "failed and sent", "cut off at each try, after sending"),
            (
                figures["put_twice"],
                "put twice",
                "the stream's answer was lost, so it was put again",
            ),
            (figures["unanswered"], "unanswered", "refused, or the connection broke"),
            (figures["unanswered_arrived"], "  arrived", "on the stream all the same"),
        ],
    )
    for line in run.verdict.violations[:_MOST_PRINTED]:
        console.print(f"does not hold: {line}", style="red", markup=False)
    left = len(run.verdict.violations) - _MOST_PRINTED
    if left > 0:
        console.print(f"and {left} more", style="red")
