"""The course of a run: sent and struck, waited for, read beside the product, and judged."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from loadtests.load.standstill import Standstill
from loadtests.million import collector
from loadtests.million.figures import MillionRun, ways_of
from loadtests.million.schedule import make_schedule
from loadtests.million.stage import POLLED
from loadtests.million.traffic import EventCounts, MillionTraffic
from loadtests.million.wire import WireSenders
from loadtests.soak.evidence import find_fan_out_mapping, read_archive, read_calls
from loadtests.soak.faults import FaultControl
from loadtests.soak.oracle import DOUBLES, judge
from loadtests.soak.plan import Strike
from loadtests.soak.report import Oracle, SentCounts, peak_memory_mib
from loadtests.soak.requests import RequestKind, bad_requests
from loadtests.soak.runtime import CALLS, CALM
from loadtests.soak.senders import SendersJournal
from loadtests.soak.storm import Storm
from toolbox.terminal.output import console

if TYPE_CHECKING:
    from contextlib import ExitStack
    from pathlib import Path

    from loadtests.million.feed import LogFeed
    from loadtests.million.memory import MemorySamples
    from loadtests.million.operator import Operator
    from loadtests.million.plan import MillionPlan
    from loadtests.million.traffic import Senderside
    from loadtests.soak.arena import PipelineUnderTest
    from loadtests.soak.books import Books
    from local.processes import Child

_TELL_SECONDS, _LOOK_SECONDS = 10.0, 5.0
_AT_A_TIME = 10_000
#: In the state directory.
DUPLICATES = "duplicates.tsv"
#: Of an average list that is replayed: 40 of Okta in 85 of 135, 60 of Logpush in the others.
_EVENTS_OF_A_LIST = (85 * 40 + 50 * 60) / 135


@dataclass(frozen=True)
class Scene:
    """All that takes part in a run, started."""

    plan: MillionPlan
    state: Path
    arena: PipelineUnderTest
    feed: LogFeed
    books: Books
    memory: MemorySamples
    operator: Operator
    senders: Senderside


class MillionCourse:
    """The run itself, on a scene."""

    def __init__(self, scene: Scene) -> None:
        self._plan, self._state = scene.plan, scene.state
        self._arena, self._feed, self._books = scene.arena, scene.feed, scene.books
        self._memory, self._operator = scene.memory, scene.operator
        self._journal = SendersJournal(scene.books)
        self._counts = EventCounts()
        self._traffic = MillionTraffic(scene.senders, scene.plan.seed)
        self._control = FaultControl()
        self._start = time.monotonic()
        self._over = False

    def run(self, parts: ExitStack, assembly: Path) -> MillionRun:
        """Send and strike, wait for what is behind, and judge."""
        plan, books = self._plan, self._books
        readers = collector.start_readers(self._arena.endpoints, self._state)
        for reader in readers.values():
            parts.callback(reader.stop)
        wire = WireSenders(
            self._traffic,
            lambda: self._arena.endpoints.api,
            rate=plan.rate,
            journal=self._journal,
            counts=self._counts,
            enough=self._enough,
            most_seconds=plan.most_seconds,
        )
        storm = Storm(self._arena, wire, self._control, self._operator.strikes())
        console.print(f"{plan.rate:.0f} requests a second; the log is {self._state / 'logs'}")
        self._start = time.monotonic()
        if not self._feed.begun:
            self._feed.begin()
        asyncio.run(self._send(storm))
        (self._state / CALM).touch()
        console.print("The faults are over; waiting until every event has its outcome.")
        drained = self._drain()
        whole = time.monotonic() - self._start
        self._memory.take()
        begun = time.monotonic()
        console.print("Reading archive, and what is left of stream and queues.")
        faults = self._control.counts + storm.struck + self._operator.counts
        faults += self._read(readers, assembly)
        read = time.monotonic()
        sent = SentCounts.of(self._journal)
        faults += bad_requests(sent.accepted)
        verdict = judge(self._journal, books, faults)
        self._name_duplicates()
        oracle = Oracle(read - begun, time.monotonic() - read, peak_memory_mib())
        return MillionRun(
            plan.seed,
            wire.seconds,
            sent,
            verdict,
            faults,
            drained,
            oracle,
            wanted=plan.events,
            sending_seconds=wire.seconds,
            whole_seconds=whole,
            most_seconds=plan.most_seconds,
            ways=ways_of(books),
            memory=self._memory.figures(),
            processor=self._memory.processor_seconds(),
            notes=self._operator.notes[:20],
        )

    def _enough(self) -> bool:
        """Whether there are events enough, and some are signed with the new secret."""
        return self._events() >= self._plan.events and self._traffic.signed_anew > 0

    def _events(self) -> int:
        """How many events were accepted; of replayed requests about how many."""
        replayed = int(self._operator.replayed * _EVENTS_OF_A_LIST)
        return self._counts.events.total() + self._feed.given + replayed

    async def _send(self, storm: Storm) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._tell())
            plan = make_schedule(self._plan.seed, self._plan.seconds)
            try:
                await storm.run(plan, self._plan.seconds)
            finally:
                self._over = True
                self._operator.over.set()

    async def _tell(self) -> None:
        told, looks, before = self._start, 0, 0
        while not self._over:
            await asyncio.sleep(min(1.0, _LOOK_SECONDS))
            looks += 1
            if looks % int(_LOOK_SECONDS) == 0:
                await asyncio.to_thread(self._memory.take)
            now = time.monotonic()
            if now - told >= _TELL_SECONDS:
                events = self._events()
                console.print(
                    self._line(now - self._start, events, (events - before) / (now - told))
                )
                told, before = now, events

    def _line(self, passed: float, events: int, rate: float) -> str:
        behind = 0
        with suppress(OSError, ValueError, KeyError):
            status = json.loads((self._state / "status.json").read_text())
            behind = sum(each["in_flight"] for each in status["mappings"].values())
        kinds = sum(count > 0 for count in (self._control.counts + self._operator.counts).values())
        return (
            f"{passed:5.0f} s  {events:,} events, {rate:,.0f} a second, {behind:,} records in "
            f"work, {self._journal.sent:,} requests, {self._feed.given:,} polled, "
            f"{self._operator.replayed:,} replayed, {kinds} kinds of fault"
        )

    def _drain(self) -> float | None:
        still = Standstill(self._plan.drain)
        start = time.monotonic()

        def polled() -> bool:
            self._memory.take()
            return self._feed.exhausted

        if not still.wait(polled, lambda: (self._feed.given, self._arena.settled()), 1.0):
            return None
        if self._arena.wait_until_drained(still) is None:
            return None
        return time.monotonic() - start

    def _read(self, readers: dict[str, Child], assembly: Path) -> Counter[str]:
        where, books = self._arena.endpoints, self._books
        for what, reader in readers.items():
            reader.check()
            file = self._state / f"{what}.sqlite"
            still = Standstill(self._plan.drain)
            reader.stop(lambda f=file, s=still: not s.reached(f.stat().st_mtime_ns))  # type: ignore[misc]
            books.attach(file)
        mapping = find_fan_out_mapping(assembly, where.region)
        read_archive(books, self._arena.client("s3"), where.archive_bucket, mapping)
        books.add("jobs", [(job,) for job in self._operator.jobs])
        self._take_published()
        clocks = Counter({Strike.CLOCK: self._operator.clock_steps_seen()})
        return read_calls(books, self._state / CALLS) + clocks

    def _name_duplicates(self) -> None:
        """Write a line for each event of which there are messages too many, and why."""
        with (self._state / DUPLICATES).open("w") as file:
            for token, more, cut in self._books.rows(DOUBLES):
                why = "a call with it was cut off" if cut else "the answer of SQS was lost"
                file.write(f"{token}\t{more}\t{why}\n")

    def _take_published(self) -> None:
        """Count what the API gave out as accepted, by the id that it has on the stream."""
        rows = iter(self._feed.published())
        while some := list(itertools.islice(rows, _AT_A_TIME)):
            self._books.add("published", some)
        for statement in _PUBLISHED:
            self._books.change(statement)


#: Of each token one record is the event; another is of a poll that was cut off, and began again, or
#: of the next page, which begins with it.
_PUBLISHED = (
    f"""
    CREATE TEMP TABLE read AS SELECT id, token FROM stream
    WHERE source = '{POLLED}' AND job = ''
    """,  # noqa: S608 - ours
    "CREATE INDEX temp.read_by_token ON read (token)",
    f"""
    INSERT INTO accepted (id, token, kind, body, events)
    SELECT COALESCE(
        (SELECT MIN(s.id) FROM read s WHERE s.token = p.token), 'never fetched: ' || p.token
    ), p.token, '{RequestKind.POLLED}', p.body, 1 FROM published p
    """,  # noqa: S608 - ours
    """
    INSERT INTO unanswered (token, times)
    SELECT token, COUNT(*) - 1 FROM read GROUP BY token HAVING COUNT(*) > 1
    """,
)
