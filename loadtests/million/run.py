"""One run: everything is started, and ended in order."""

from __future__ import annotations

import os
import signal
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from loadtests.million.course import MillionCourse, Scene
from loadtests.million.feed import LogFeed
from loadtests.million.memory import MemorySamples
from loadtests.million.operator import Operator, SteppingClock
from loadtests.million.stage import with_numbers, write_stage
from loadtests.million.traffic import Senderside
from loadtests.soak.arena import PipelineUnderTest, empty
from loadtests.soak.books import Books
from loadtests.soak.proxy import proxied
from loadtests.soak.runtime import REGION, RuntimeSettings
from local.emulator import Emulator
from toolbox.terminal.output import console

if TYPE_CHECKING:
    from loadtests.million.figures import MillionRun
    from loadtests.million.plan import MillionPlan
    from local.endpoints import Endpoints

SETTINGS = Path(__file__).parents[1] / "config" / "million.yaml"
_OWN_TABLES = (
    "accepted", "unanswered", "published", "jobs", "ledger", "places", "tokens", "kept", "failed",
    "remembered", "work", "retried",
)  # fmt: skip


def run_million(plan: MillionPlan, state: Path, stage: Path) -> MillionRun:
    """Carry out a run.

    Raises
    ------
    PipelineError
        When a part of it cannot run.
    """
    with ExitStack() as parts:
        feed = parts.enter_context(LogFeed(plan.seed, plan.polled, plan.publishing_seconds))
        if not plan.publishing_seconds:
            feed.begin()
        with console.status("synthesizing the stack"):
            assembly = write_stage(SETTINGS, stage, feed=feed.base_url)
            following = with_numbers(assembly, stage)
        empty(state)
        memory = MemorySamples()
        emulator = parts.enter_context(Emulator(state / "aws", region=REGION))
        # Its state is of no use afterwards, and takes it a while to write.
        parts.callback(os.kill, emulator.pid, signal.SIGKILL)
        clock = SteppingClock(state / "clock")
        books = parts.enter_context(Books(state / "books.sqlite", _OWN_TABLES))
        between = proxied(emulator.endpoint_url, state=state, seed=plan.seed)
        proxy = parts.enter_context(between)
        settings = RuntimeSettings(
            str(assembly),
            str(state),
            plan.seed,
            emulator=emulator.endpoint_url,
            worker=str(clock.worker),
            proxy=proxy,
        )
        arena = parts.enter_context(PipelineUnderTest(settings, emulator.credentials))
        senders = Senderside(_secrets(arena.endpoints))
        operator = Operator(
            arena,
            senders,
            clock,
            emulator_pid=emulator.pid,
            next_assembly=following,
            lasts=plan.strike_seconds,
            replayed_seconds=plan.replayed_seconds,
            seed=plan.seed,
        )
        parts.callback(operator.over.set)
        scene = Scene(plan, state, arena, feed, books, memory, operator, senders)
        return MillionCourse(scene).run(parts, assembly)


def _secrets(where: Endpoints) -> dict[str, str]:
    return {
        name: next(iter(kinds.values())).splitlines()[0] for name, kinds in where.parameters.items()
    }
