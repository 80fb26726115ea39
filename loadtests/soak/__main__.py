"""The soak run: senders, faults, and at the end an account of every event.

`python -m loadtests.soak --help`
"""

from __future__ import annotations

import asyncio
import random
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from loadtests.load.standstill import Standstill
from loadtests.soak.arena import PipelineUnderTest, empty
from loadtests.soak.books import FILE_NAME, Books
from loadtests.soak.evidence import gather
from loadtests.soak.faults import FaultControl
from loadtests.soak.oracle import judge
from loadtests.soak.plan import make_plan
from loadtests.soak.report import Oracle, SentCounts, SoakRun, peak_memory_mib, print_run, write_run
from loadtests.soak.requests import Requests, bad_requests
from loadtests.soak.runtime import CALM, RuntimeSettings
from loadtests.soak.senders import Senders, SendersJournal
from loadtests.soak.storm import Storm
from local.leaving import end_in_order
from pipeline.errors import PipelineError
from settings.source.loader import load_sources
from toolbox.synthesis import synthesize
from toolbox.terminal.output import DOES_NOT_HOLD, console, say_error

if TYPE_CHECKING:
    from local.endpoints import Endpoints
    from settings.source.loader import LoadedSource

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "build"
CONFIG = Path(__file__).parents[1] / "config"
_LARGEST_SEED = 1_000_000


def soak(
    *,
    seconds: Annotated[
        float, typer.Option(min=5, max=3600, help="How long requests and faults go on.")
    ] = 180.0,
    seed: Annotated[
        int | None,
        typer.Option(min=0, help="Repeats the plan of a run; it is printed at the start."),
    ] = None,
    rate: Annotated[float, typer.Option(min=1, max=2000, help="Requests a second.")] = 100.0,
    drain: Annotated[
        float,
        typer.Option(min=1, max=1800, help="Seconds without progress until the rest is given up."),
    ] = 240.0,
    output: Annotated[Path, typer.Option(help="Where the figures go.")] = BUILD / "soak.json",
    state: Annotated[
        Path, typer.Option(help="State and logs of the run; emptied at the start.")
    ] = BUILD / "soak",
) -> None:
    """Send known events while faults strike, then account for each of them.

    The local pipeline runs with the settings of loadtests/config/soak.yaml. A proxy throttles,
    fails, delays and cuts its calls of SQS, DynamoDB, S3, Kinesis and SSM; handler processes and
    the whole runtime are killed; some records kill or hang the process that reads them. When that
    is over, the backlog has to drain, and each event that was answered with 2xx must be delivered,
    a duplicate, rejected or failed. A reader of its own, beside the product, notes what is on the
    stream; stream, ledger and queues must tell the same of each event.

    Exit status: 0 that holds, 1 an event is lost, or unknown, or anything else does not hold.
    """
    end_in_order()
    seed = random.randrange(_LARGEST_SEED) if seed is None else seed  # noqa: S311 - no secret
    console.print(f"seed {seed}, {seconds:.0f} seconds, {rate:.0f} requests a second")
    try:
        run = _run(seed, seconds, rate, drain, state.resolve())
    except PipelineError as error:
        say_error(error, "soak")
        raise typer.Exit(DOES_NOT_HOLD) from None
    write_run(run, output)
    print_run(run)
    if run.drained_in_seconds is None:
        console.print(f"Nothing was settled for {drain:.0f} seconds.", style="red")
    if not run.holds:
        console.print(f"Repeat with --seed {seed}. State and logs: {state}", style="red")
        raise typer.Exit(DOES_NOT_HOLD)
    console.print(
        f"Every event is accounted for; drained in {run.drained_in_seconds:.1f} seconds.",
        style="green",
    )


def _run(seed: int, seconds: float, rate: float, drain: float, state: Path) -> SoakRun:
    with console.status("synthesizing the stack"):
        assembly = BUILD / "soak-cdk.out"
        synthesize("soak", assembly, CONFIG)
    empty(state)
    control = FaultControl()
    with ExitStack() as parts:
        books = parts.enter_context(Books(state / FILE_NAME))
        journal = SendersJournal(books)
        with console.status("starting the pipeline"):
            settings = RuntimeSettings(str(assembly), str(state), seed)
            arena = parts.enter_context(PipelineUnderTest(settings))
        requests = Requests(*_sources(arena.endpoints), seed)
        senders = Senders(requests, lambda: arena.endpoints.api, rate, journal)
        console.print(f"The stack runs; its log is {state / 'logs' / 'soak.txt'}")
        storm = Storm(arena, senders, control)
        asyncio.run(storm.run(make_plan(seed, seconds), seconds))
        (state / CALM).touch()
        console.print("The faults are over; waiting until every event has its outcome.")
        drained = arena.wait_until_drained(Standstill(drain))
        start = time.monotonic()
        console.print("Reading stream, archive, queues and table.")
        faults = control.counts + gather(arena, assembly, books)
        faults += storm.struck
        read = time.monotonic()
        sent = SentCounts.of(journal)
        faults += bad_requests(sent.accepted)
        verdict = judge(journal, books, faults)
        oracle = Oracle(read - start, time.monotonic() - read, peak_memory_mib())
    return SoakRun(seed, seconds, sent, verdict, faults, drained, oracle)


def _sources(where: Endpoints) -> tuple[dict[str, LoadedSource], dict[str, str]]:
    sources = load_sources(["github", "generic", "okta"])
    secrets = {
        name: next(iter(where.parameters[name].values())).splitlines()[0] for name in sources
    }
    return sources, secrets


if __name__ == "__main__":
    typer.run(soak)
