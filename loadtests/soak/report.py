"""Says what a soak run came to: tables for people, a file for programs."""

from __future__ import annotations

import resource
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import orjson

from loadtests.soak.oracle import DELIVERED, DUPLICATE, FAILED, LOST, REJECTED
from loadtests.soak.three_ways import THREE_WAYS
from local.files import write_atomically
from toolbox.terminal.output import console, print_table

if TYPE_CHECKING:
    from collections import Counter
    from pathlib import Path

    from loadtests.soak.oracle import SoakVerdict
    from loadtests.soak.senders import SendersJournal

_MOST_PRINTED = 20


@dataclass(frozen=True)
class SentCounts:
    """What the senders' journal says, in numbers.

    Parameters
    ----------
    denied, unanswered : int
        How many of each there were.
    """

    requests: int
    accepted: Counter[str]
    denied: int
    unanswered: int
    answers: Counter[str]

    @classmethod
    def of(cls, journal: SendersJournal) -> Self:
        """Read it from the journal."""
        accepted, unanswered = journal.accepted(), journal.unanswered()
        return cls(journal.sent, accepted, journal.denied, unanswered, journal.answers)


@dataclass(frozen=True)
class Oracle:
    """What the account cost.

    Parameters
    ----------
    reading, judging : float
        Seconds for the evidence, and for the verdict.
    peak_mib : float
        The most memory that this process has had so far, in MiB.
    """

    reading: float
    judging: float
    peak_mib: float


def peak_memory_mib() -> float:
    """Return the most memory that this process has had so far."""
    unit = 1 if sys.platform == "darwin" else 1024  # getrusage(2): bytes there, KiB on Linux
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


@dataclass(frozen=True)
class SoakRun:
    """A finished run."""

    seed: int
    seconds: float
    sent: SentCounts
    verdict: SoakVerdict
    faults: Counter[str]
    drained_in_seconds: float | None
    oracle: Oracle

    @property
    def holds(self) -> bool:
        """Whether the promise was kept."""
        return self.drained_in_seconds is not None and not self.verdict.violated

    def figures(self) -> dict[str, Any]:
        """Return the figures, as the file has them."""
        outcomes, figures = self.verdict.outcomes, self.verdict.figures
        return {
            "seed": self.seed,
            "seconds": self.seconds,
            "sent": self.sent.requests,
            "accepted": self.sent.accepted.total(),
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
            "rejected_and_sent": figures["rejected_and_sent"],
            "put_twice": figures["put_twice"],
            "denied": self.sent.denied,
            "unanswered": self.sent.unanswered,
            "unanswered_arrived": figures["unanswered_arrived"],
            "rejected_by_reason": _by_reason(outcomes),
            **{name: figures[name] for name in THREE_WAYS},
            "unknown_on_stream": figures["unknown_on_stream"],
            "stream_outcomes": self.verdict.on_stream,
            "ledger_reasons": self.verdict.ledger_reasons,
            "accepted_by_kind": dict(sorted(self.sent.accepted.items())),
            "answers": dict(sorted(self.sent.answers.items())),
            "faults": {str(name): count for name, count in sorted(self.faults.items())},
            "drained_in_seconds": self.drained_in_seconds,
            "read_in_seconds": self.oracle.reading,
            "judged_in_seconds": self.oracle.judging,
            "peak_memory_mib": self.oracle.peak_mib,
            "violations": self.verdict.violations,
            "violations_found": self.verdict.violated,
        }


def _by_reason(outcomes: Counter[str]) -> dict[str, int]:
    found = {name.partition(":")[2]: count for name, count in outcomes.items() if ":" in name}
    return dict(sorted(found.items()))


def write_run(run: SoakRun, file: Path) -> None:
    """Write the figures."""
    write_atomically(file, orjson.dumps(run.figures(), option=orjson.OPT_INDENT_2).decode() + "\n")


def print_run(run: SoakRun) -> None:
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
                figures["rejected_and_sent"],
                "rejected and sent",
                "cut off after sending, and tried again by a schema that was deployed in between",
            ),
            (
                figures["put_twice"],
                "put twice",
                "the stream's answer was lost, so it was put again",
            ),
            (figures["unanswered"], "unanswered", "refused, or the connection broke"),
            (figures["unanswered_arrived"], "  arrived", "on the stream all the same"),
        ],
    )
    _print_three_ways(figures)
    for line in run.verdict.violations[:_MOST_PRINTED]:
        console.print(f"does not hold: {line}", style="red")
    left = run.verdict.violated - _MOST_PRINTED
    if left > 0:
        console.print(f"and {left} more", style="red")
    oracle, rate = run.oracle, figures["sent"] / run.seconds
    console.print(
        f"Sent {rate:.0f} a second. The oracle read for {oracle.reading:.1f} seconds, judged for "
        f"{oracle.judging:.1f}, and this process had {oracle.peak_mib:.0f} MiB at most."
    )


def _print_three_ways(figures: dict[str, Any]) -> None:
    outcomes = figures["stream_outcomes"].items()
    print_table(
        "Stream, ledger and queues",
        ("events", "", "meaning"),
        [
            (figures["stream_records"], "records", "on the stream, read beside the product"),
            (figures["stream_events"], "= events", "in them; a batch carries several"),
            *((count, f"  {name}", "by ledger and failure records") for name, count in outcomes),
            (figures["ledger_events"], "ledger", "events with an outcome, by place on the stream"),
            (figures["queue_messages"], "messages", "on the queues"),
            (figures["unsettled"], "unsettled", "read and never settled; must be none"),
            (figures["unknown_on_stream"], "unknown", "on the stream, never sent; must be none"),
        ],
    )
