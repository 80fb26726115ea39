"""What a load test came to: figures for programs, tables for people."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from local.files import write_atomically
from toolbox.terminal.output import console, print_table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from loadtests.load.journal import Accepted
    from loadtests.load.proof import LoadProof
    from loadtests.load.sending import LoadPlan, SendingWatched

_WINDOW_SECONDS = 10


@dataclass(frozen=True)
class Result:
    """A load test that came to its end.

    Parameters
    ----------
    drained_seconds : float | None
        How long the rest took after the last answer.
    proof : LoadProof
        What became of each event.
    exceeded : Sequence[str]
        Which thresholds do not hold.
    fan_out : Mapping[str, float]
        Its invocations, where this test started it.
    """

    target: str
    plan: LoadPlan
    watched: SendingWatched
    answers: dict[str, float]
    rates: dict[str, float]
    delivery: dict[str, float]
    drained_seconds: float | None
    proof: LoadProof
    exceeded: Sequence[str]
    fan_out: Mapping[str, float] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        """Whether the thresholds hold, and every event is accounted for."""
        return not self.exceeded and not self.proof.faults

    def figures(self) -> dict[str, Any]:
        """Return the figures, as the file has them."""
        proof, watched = self.proof, self.watched
        return {
            "target": self.target,
            "accepted": proof.accepted,
            "events": proof.events,
            **self.rates,
            "p50_ms": self.answers.get("p50_ms", 0.0),
            "p95_ms": self.answers.get("p95_ms", 0.0),
            "p99_ms": self.answers.get("p99_ms", 0.0),
            **self.delivery,
            "requests": int(self.answers.get("requests", 0)),
            "errors": int(self.answers.get("errors", 0)),
            "backlog_max": watched.backlog_max,
            "drained_seconds": self.drained_seconds,
            **self.fan_out,
            "outcomes": dict(sorted(proof.outcomes.items())),
            "lost": proof.lost,
            "unknown": proof.unknown,
            "messages": proof.messages,
            "cpu_us_per_event": watched.microseconds,
            "machine": watched.machine,
            "plan": asdict(self.plan),
            "exceeded": list(self.exceeded),
            "faults": list(proof.faults),
        }


def rates(accepted: Sequence[Accepted]) -> dict[str, float]:
    """Return the events a second over the whole time, and in its slowest ten seconds."""
    if len(accepted) < 2:
        return {"events_per_second": 0.0, "seconds": 0.0}
    times = sorted((one.answered, one.events) for one in accepted)
    start, seconds = times[0][0], times[-1][0] - times[0][0]
    figures = {
        "events_per_second": round(sum(events for _, events in times) / max(seconds, 0.001), 1),
        "seconds": round(seconds, 1),
    }
    windows = [0] * int(seconds / _WINDOW_SECONDS)
    for at, events in times:
        place = int((at - start) / _WINDOW_SECONDS)
        if place < len(windows):
            windows[place] += events
    if windows:
        figures["events_per_second_slowest_10_s"] = min(windows) / _WINDOW_SECONDS
    return figures


def write_result(result: Result, file: Path) -> None:
    """Write the figures."""
    text = orjson.dumps(result.figures(), option=orjson.OPT_INDENT_2).decode()
    write_atomically(file, text + "\n")


def print_result(result: Result) -> None:
    """Print what was measured, and what became of the events."""
    figures = result.figures()
    names: tuple[str, ...] = (
        "events_per_second",
        "events_per_second_slowest_10_s",
        "p50_ms",
        "p95_ms",
        "p99_ms",
    )
    names += ("requests", "errors", "backlog_max", "drained_seconds", *result.delivery)
    print_table(
        f"Load test of {result.target}",
        ("", ""),
        [(name, f"{figures[name]:,}") for name in names if figures.get(name) is not None],
    )
    print_table(
        "Accepted events",
        ("events", ""),
        [(result.proof.events, "accepted")]
        + [(count, f"= {name}") for name, count in figures["outcomes"].items()]
        + [(result.proof.lost, "lost")]
        + ([] if result.proof.messages is None else [(result.proof.messages, "messages in SQS")]),
    )
    if result.watched.microseconds:
        rows = [(f"{used:,.0f}", name) for name, used in result.watched.microseconds.items()]
        rows.append((f"{sum(result.watched.microseconds.values()):,.0f}", "together"))
        print_table("Processor time of a request", ("µs", "process"), rows)
    for what in result.exceeded:
        console.print(f"threshold exceeded: {what}", style="red")
    for what in result.proof.faults:
        console.print(f"does not add up: {what}", style="red")
