"""The smoke test: one webhook of each source in, and a look at what became of it.

`python -m loadtests.smoke --stack NAME`, or without a stack against the pipeline that runs on this
machine. The stage's MozDef may be reading the queues, so no message is received: that would take it
away from MozDef, and a message that MozDef was faster with would look lost. What proves a delivery
is the pipeline's own record: the ledger says `delivered`, which is written after SQS took the
message, and the deduplication table holds the event's id, which is written after that.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from loadtests.fresh import deliverable, fresh_request
from loadtests.smoke_evidence import Evidence
from loadtests.target import add_options, target_of
from pipeline.errors import PipelineError
from settings.source.admission import AT_THE_DOOR
from toolbox.terminal.output import (
    DOES_NOT_HOLD,
    DONE,
    WRONG_USAGE,
    console,
    errors,
    say_error,
)
from toolbox.traffic.sender import FrontDoorAnswer, Outgoing, send_all

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loadtests.target import TargetUnderTest
    from settings.source.loader import LoadedSource

PRIVATE_SOURCES = Path("config/sources")
#: The first pause between two looks, and the longest: each is twice as long as the one before.
_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.25, 2.0


@dataclass(frozen=True)
class Probe:
    """A request, and what has to become of it.

    Parameters
    ----------
    statuses : tuple[int, ...]
        What the front door may answer.
    outcomes : tuple[str, ...]
        What may stand in the ledger; none if the front door refuses it.
    events : int
        How many events are in it.
    """

    source: str
    what: str
    outgoing: Outgoing
    statuses: tuple[int, ...]
    outcomes: tuple[str, ...]
    events: int


def make_probes(target: TargetUnderTest) -> list[Probe]:
    """Return a good request and a forged one for each source that takes requests.

    A source that takes them from its sender's own networks alone has to refuse this machine.
    """
    probes = []
    for name, source in sorted(target.sources.items()):
        good, forged = (_probe(source, target.secrets[name], forged=bad) for bad in (False, True))
        probes += [good, forged]
    return probes


def _probe(source: LoadedSource, secret: str, *, forged: bool) -> Probe:
    sample = deliverable(source)[0]
    fresh = fresh_request(sample, secret, forged=forged)
    what = f"{sample.name}, forged" if forged else sample.name
    outgoing = Outgoing(source.name, what, fresh.request)
    settings = source.settings
    if settings.allowed_networks:
        return Probe(source.name, f"{what}, from elsewhere", outgoing, (403,), (), fresh.events)
    if not forged:
        outcomes = ("delivered",) if fresh.renewed else ("delivered", "duplicate")
        return Probe(source.name, what, outgoing, (200, 204), outcomes, fresh.events)
    at_the_door = settings.proof in AT_THE_DOOR
    if at_the_door or settings.ingest == "receiver":
        return Probe(source.name, what, outgoing, (401, 403), (), 1)
    return Probe(source.name, what, outgoing, (200,), ("rejected:bad_signature",), 1)


def run(target: TargetUnderTest, timeout: float) -> list[str]:
    """Send, wait, and compare.

    Parameters
    ----------
    timeout : float
        Seconds until an accepted event must be in the archive.

    Returns
    -------
    list[str]
        What is not as it should be; empty where all is well.
    """
    start = time.time()
    probes = make_probes(target)
    answers = _send(target, probes)
    faults = []
    waiting: dict[str, Probe] = {}
    for probe, answer in zip(probes, answers, strict=True):
        fits = answer.status in probe.statuses
        _say(probe, f"answered {answer.status}")
        if not fits:
            wanted = " or ".join(map(str, probe.statuses))
            faults.append(
                f"{probe.source}, {probe.what}: answered {answer.status} {answer.error!r}, "
                f"expected {wanted}"
            )
        elif probe.outcomes and not answer.id:
            faults.append(f"{probe.source}, {probe.what}: the answer holds no id to look for")
        elif probe.outcomes:
            waiting[answer.id] = probe
    return faults + _settle(target, waiting, start, timeout)


def _send(target: TargetUnderTest, probes: Sequence[Probe]) -> list[FrontDoorAnswer]:
    answers: dict[int, FrontDoorAnswer] = {}

    def keep(answer: FrontDoorAnswer) -> None:
        answers[id(answer.outgoing)] = answer

    outgoing = [probe.outgoing for probe in probes]
    asyncio.run(send_all(target.api, outgoing, concurrency=4, on_answer=keep))
    return [answers[id(one)] for one in outgoing]


def _settle(
    target: TargetUnderTest, waiting: dict[str, Probe], start: float, timeout: float
) -> list[str]:
    evidence = Evidence(target, frozenset(waiting), start)
    end, pause = time.monotonic() + timeout, _PAUSE_SECONDS
    while True:
        evidence.look()
        left = {
            key: probe for key, probe in waiting.items() if not evidence.complete(key, probe.events)
        }
        if not left or time.monotonic() > end:
            break
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
    faults = []
    for key, probe in waiting.items():
        fault = evidence.fault(key, probe.outcomes, probe.events)
        _say(probe, fault or f"{' or '.join(probe.outcomes)}, and archived")
        if fault:
            faults.append(f"{probe.source}, {probe.what}: {fault}")
    return faults


def _say(probe: Probe, what: str) -> None:
    console.print(f"{probe.source:20} {probe.what:40} {what}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the smoke test; the exit status is 0 if all is well, 1 if not, 2 if it cannot run."""
    parser = argparse.ArgumentParser(description="Send a webhook of each source, and look for it.")
    add_options(parser, PRIVATE_SOURCES)
    parser.add_argument(
        "--timeout", type=float, default=300.0, help="seconds until an event must be archived"
    )
    options = parser.parse_args(arguments)
    try:
        target = target_of(options)
        console.print(f"Smoke test of {target.name}: {', '.join(sorted(target.sources))}")
        faults = run(target, options.timeout)
    except PipelineError as error:
        say_error(error, "smoke")
        return WRONG_USAGE
    for fault in faults:
        errors.print(f"smoke: {fault}")
    console.print("Failed." if faults else "Every event is accounted for.")
    return DOES_NOT_HOLD if faults else DONE


if __name__ == "__main__":
    sys.exit(main())
