"""An archive of 30 days with ten million deliveries, and what operators ask of it.

`make big-archive` audits it, lists what a replay would send and lists 100,000 dead letters, each in
a process of its own, and writes memory and CPU to `build/big-archive.json`. The archive is made
while it is read: keys, sizes in listings and the number of objects are what this rate makes in a
deployment; an object exists as long as it is asked for, and is not compressed. What making it takes
is measured and left out.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from loadtests.bench import report
from loadtests.bench.generated_archive import BEGINS, BUCKET, GeneratedBucket, GeneratedQueue
from loadtests.bench.measuring import WorkError
from loadtests.bench.replay_memory import memory_mb
from pipeline.archive.keys import ArchiveKind
from pipeline.archive.listing import ArchiveListing
from pipeline.archive.objects import Objects
from pipeline.replay.engine import Replayer
from pipeline.replay.event_types import EventTypes
from pipeline.replay.filters import Filter
from pipeline.replay.history import DeliveryHistory
from pipeline.replay.job import Job
from pipeline.replay.selection import measure, select
from pipeline.replay.settled import SettledRequests
from toolbox.audit.forecast import forecast
from toolbox.audit.join import AuditReport
from toolbox.audit.known import KnownElsewhere
from toolbox.audit.reading import ArchiveReader
from toolbox.audit.run import Audit, AuditSpan
from toolbox.audit.verdicts import Verdicts, newest_entries
from toolbox.dead_letters.listing import group_tickets, page_of
from toolbox.dead_letters.queue import DeadLetters
from toolbox.dead_letters.summary import summarize_all
from toolbox.replaying.dry_run import DryRun
from toolbox.terminal.output import console, errors, print_json, print_table

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.aws.seams import ReadableBucket

FILE = Path("build") / "big-archive.json"
DAYS, EVENTS, TICKETS = 30, 10_000_000, 100_000
#: As toolbox/replaying/history.py has it.
KEPT = 12_000_000
_AHEAD = 32
_ROOT = Path(__file__).parents[2]


class Sampler:
    """Takes the memory that is held at each twentieth of the way."""

    def __init__(self) -> None:
        self.samples: dict[int, float] = {}

    def __call__(self, done: int, total: int) -> None:
        """Take a sample."""
        share = done * 20 // max(total, 1) * 5
        self.samples[share] = max(self.samples.get(share, 0.0), round(memory_mb(), 1))


def audit(days: int, events: int, sampler: Sampler) -> dict[str, Any]:
    """Audit all of it; one event in 10,000 is missing, one in a hundred was rejected."""
    bucket = GeneratedBucket(days, events)
    listing = ArchiveListing(cast("ReadableBucket", bucket), BUCKET)
    found = AuditReport()
    objects = Objects(cast("ReadableBucket", bucket), BUCKET, objects_ahead=_AHEAD)
    reader = ArchiveReader(objects, found.add_unreadable)
    span = AuditSpan(BEGINS, BEGINS + timedelta(days=days))
    expected = forecast(listing, span)
    now = span.end.timestamp() + 3_600
    newest = newest_entries(listing, reader, span.start, span.end, now)
    known = KnownElsewhere(reader.failed(listing, span.start), lambda _: False)
    Audit(listing, reader, Verdicts(known, newest, clock=lambda: now)).run(span, found, sampler)
    if found.received != bucket.events or found.totals["missing"] != bucket.missing:
        raise WorkError(f"audit: {dict(found.totals)}, expected {bucket.events} events")
    return {
        "events": bucket.events,
        "rejected": found.totals["rejected"],
        "missing": found.totals["missing"],
        "forecast": str(expected),
        "forecast_objects": expected.objects,
        **bucket.told(),
    }


def dry_run(days: int, events: int, sampler: Sampler) -> dict[str, Any]:
    """Count what a replay of everything rejected would send; the ledger is asked about each."""
    bucket = GeneratedBucket(days, events)
    seen = cast("ReadableBucket", bucket)
    listing = ArchiveListing(seen, BUCKET)
    objects = Objects(seen, BUCKET, objects_ahead=_AHEAD)
    wanted = Filter(frozenset({ArchiveKind.REJECTED}))
    count, size = measure(listing, wanted)
    job = Job("replay-20261123T210000-0a1b", {}, "", {}, {})
    sink = DryRun()
    history = DeliveryHistory(listing, objects, SettledRequests(), {}, most_kept=KEPT)
    replayer = Replayer(
        job,
        objects,
        sink,
        wanted,
        EventTypes(),
        history=history,
        save=lambda _: None,
        progress=lambda one: sampler(one.read_bytes, size),
    )
    replayer.run(select(listing, wanted))
    if replayer.counts["sent"] != bucket.rejected:
        raise WorkError(f"dry run: {dict(replayer.counts)}, expected {bucket.rejected} sent")
    return {
        "events": bucket.events,
        "rejected": bucket.rejected,
        "objects_of_the_replay": count,
        "groups": len(sink.groups),
        **bucket.told(),
    }


def dead_letters(days: int, events: int, sampler: Sampler) -> dict[str, Any]:
    """List the tickets of a long queue, in groups, and a page of them."""
    bucket, queue = GeneratedBucket(days, events), GeneratedQueue(days, TICKETS)
    objects = Objects(cast("ReadableBucket", bucket), BUCKET)
    # It answers what is asked of it here: nothing is deleted.
    held = DeadLetters(cast("Any", queue), "url", BUCKET, lambda taken: sampler(taken, TICKETS))
    with held as letters:
        tickets = letters.tickets
    groups, page = group_tickets(tickets), page_of(tickets, 1)
    shown = dict(summarize_all(objects, [ticket.key for ticket in page.tickets]))
    if len(tickets) != TICKETS or len(shown) != len(page.tickets):
        raise WorkError(f"dead letters: {len(tickets)} tickets")
    return {
        "tickets": len(tickets),
        "groups": len(groups),
        "pages": page.pages,
        "calls_of_sqs": queue.calls,
        **bucket.told(),
    }


_PARTS: dict[str, Callable[[int, int, Sampler], dict[str, Any]]] = {
    "audit": audit,
    "dry_run": dry_run,
    "dead_letters": dead_letters,
}


def measured(part: str, days: int, events: int) -> dict[str, Any]:
    """Run a part in this process, and say what it took."""
    sampler, begun = Sampler(), time.monotonic()
    found = _PARTS[part](days, events, sampler)
    sampler(1, 1)  # a short part shows no progress on its way
    cpu = time.process_time()
    return {
        **found,
        "days": days,
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        "cpu_seconds": round(cpu - found["making_cpu_seconds"], 1),
        "wall_seconds": round(time.monotonic() - begun, 1),
        "samples_mb": {f"{share}%": held for share, held in sorted(sampler.samples.items())},
    }


def main() -> None:
    """Run the parts one after the other, each in a process of its own."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--days", type=int, default=DAYS)
    parser.add_argument("--events", type=int, default=EVENTS, help="deliveries of all days")
    parser.add_argument("--only", choices=_PARTS, help="this part")
    parser.add_argument("--here", action="store_true", help="in this process, as JSON")
    parser.add_argument("--output", type=Path, default=FILE)
    asked = parser.parse_args()
    if asked.here:
        print_json(measured(asked.only, asked.days, asked.events), indent=False)
        return
    figures: dict[str, Any] = {"machine": report.machine()}
    for part in [asked.only] if asked.only else _PARTS:
        words = ["--here", "--only", part, "--days", str(asked.days), "--events", str(asked.events)]
        command = [sys.executable, "-m", "loadtests.bench.big_archive", *words]
        with errors.status(f"{part}, {asked.events:,} deliveries of {asked.days} days"):
            done = subprocess.run(command, cwd=_ROOT, check=True, stdout=subprocess.PIPE)
        figures[part] = json.loads(done.stdout)
        report.write(figures, asked.output)
    rows = [
        (part, one["objects_read"], one["cpu_seconds"], one["wall_seconds"], one["peak_mb"])
        for part, one in figures.items()
        if part in _PARTS
    ]
    columns = ("part", "objects read", "s of CPU", "s in all", "MB at most")
    print_table(f"{asked.events:,} deliveries in {asked.days} days", columns, rows)
    console.print(f"figures: {asked.output}")


if __name__ == "__main__":
    main()
