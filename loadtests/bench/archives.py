"""What writes and reads the archive: archiver, replay, audit; the services answer at once."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from loadtests.bench.arena import BUCKET, STREAM, Arena
from loadtests.bench.floor import floor
from loadtests.bench.measuring import MICRO, Contender, WorkError, compare, no_output
from loadtests.bench.payloads import envelopes, kinds, records
from loadtests.bench.stand_ins import MemoryS3, NoKinesis
from pipeline.archive.keys import RAW_PREFIX, ArchiveKind
from pipeline.archive.listing import ArchiveListing
from pipeline.archive.objects import ObjectRef, Objects
from pipeline.archive.writer import ArchiveWriter
from pipeline.aws.limits import RECORD_BYTES
from pipeline.event.compiled_source import load_catalog
from pipeline.event.events import Outcomes, delivered
from pipeline.event.parsing import open_record
from pipeline.replay.engine import Replayer
from pipeline.replay.event_types import EventTypes
from pipeline.replay.filters import Filter
from pipeline.replay.history import UnaskedHistory
from pipeline.replay.job import Job
from pipeline.runtime.collector import without_collection
from pipeline.runtime.deadline import Deadline
from pipeline.stream.pace import Pace
from pipeline.stream.records import read_records
from pipeline.stream.sending import StreamWriter
from pipeline.stream.shards import ShardMap
from stream_processors.archiver import Archiver
from toolbox.audit.join import DELIVERED, AuditReport
from toolbox.audit.known import KnownElsewhere
from toolbox.audit.reading import ArchiveReader
from toolbox.audit.run import Audit, AuditSpan
from toolbox.audit.verdicts import Verdicts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from loadtests.bench.measuring import CpuSample
    from loadtests.bench.payloads import Webhook
    from pipeline.aws.seams import ReadableBucket

#: Records of one batch of the archiver, which is one object of `raw/`.
IN_OBJECT = 2_000
OBJECTS = 2
_DEADLINE = Deadline(lambda: 60.0)


@dataclass(frozen=True)
class Archived:
    """An archive in memory with what a deployment would have in it.

    Parameters
    ----------
    s3 : MemoryS3
        Holds `raw/` and `ledger/`.
    events : int
        How many events it has.
    body_bytes : int
        The length of all their bodies.
    """

    s3: MemoryS3
    events: int
    body_bytes: int


def run(arena: Arena, rounds: int) -> dict[str, Any]:
    """Measure archiver, replay and audit for both kinds of events.

    Returns
    -------
    dict[str, Any]
        `archiver`, `replay` and `audit`; in each, for each kind of event, microseconds of CPU an
        event, the floor beside it, events and MB of bodies for a second of CPU.
    """
    found: dict[str, dict[str, Any]] = {"archiver": {}, "replay": {}, "audit": {}}
    for kind, make in kinds(arena.sources).items():
        archive = archived(arena, make)
        batch = records(envelopes(make(IN_OBJECT), arena.sources))
        contenders = {
            "archiver": Contender(_archiver(batch)),
            "replay": Contender(replaying(archive)),
            "audit": Contender(auditing(archive)),
            "floor": Contender(floor([base64.b64encode(one.body) for one in make(IN_OBJECT)])),
        }
        with no_output():
            samples = compare(contenders, rounds)
        size = archive.body_bytes / archive.events
        for part, by_kind in found.items():
            by_kind[kind] = _figures(samples[part], size, samples["floor"])
    return found


def _figures(sample: CpuSample, size: float, least: CpuSample) -> dict[str, float]:
    return {
        "us": round(sample.median, 2),
        "floor_us": round(least.median, 2),
        "events_per_second": round(MICRO / sample.median),
        "mb_per_second": round(size / sample.median, 1),
    }


def archived(arena: Arena, make: Callable[[int], list[Webhook]]) -> Archived:
    """Archive some objects of events, as the archiver and the fan-out's ledger do."""
    s3, size = MemoryS3(), 0
    archive, catalog = ArchiveWriter(s3, BUCKET), load_catalog()
    for number in range(OBJECTS):
        deliveries = make(IN_OBJECT)
        size += sum(len(one.body) for one in deliveries)
        batch = records(envelopes(deliveries, arena.sources), start=number * IN_OBJECT)
        known = Outcomes().open(read_records(batch), partial(open_record, catalog=catalog))
        if not archive.write_raw(known, _DEADLINE):
            raise WorkError("the archive of the benchmarks was not written")
        archive.write_ledger([delivered(event) for event in known], _DEADLINE)
    return Archived(s3, OBJECTS * IN_OBJECT, size)


def _archiver(batch: Sequence[dict[str, Any]]) -> Callable[[], int]:
    archiver = Archiver(load_catalog(), ArchiveWriter(MemoryS3(), BUCKET))

    @without_collection
    def work() -> int:
        archiver.process(batch, _DEADLINE)
        return len(batch)

    return work


def replayer(s3: ReadableBucket, progress: Callable[[Replayer], None] = lambda _: None) -> Replayer:
    """Return a replay of everything in `raw/`, to a stream that takes all at once."""
    kinesis = NoKinesis()
    writer = StreamWriter(
        kinesis, STREAM, ShardMap(kinesis, STREAM), Pace(), largest_record=RECORD_BYTES
    )
    return Replayer(
        Job("replay-20261123T210000-0a1b", {}, "2026-11-23T21:00:00Z", {}, {}),
        Objects(s3, BUCKET),
        writer,
        Filter(frozenset({ArchiveKind.RAW})),
        EventTypes(),
        history=UnaskedHistory(),
        save=lambda _: None,
        progress=progress,
    )


def refs_of(s3: MemoryS3) -> Iterable[ObjectRef]:
    """Return the objects that a replay of `raw/` reads."""
    return [
        ObjectRef(key, len(data)) for key, data in s3.objects.items() if key.startswith(RAW_PREFIX)
    ]


def replaying(archive: Archived) -> Callable[[], int]:
    """Return the replay of an archive: read, unpack, check, pack into aggregates."""
    refs = refs_of(archive.s3)

    def work() -> int:
        replay = replayer(archive.s3)
        replay.run(refs)
        if replay.counts["sent"] != archive.events:
            raise WorkError(f"replay: {dict(replay.counts)}, expected {archive.events} sent")
        return archive.events

    return work


def auditing(archive: Archived) -> Callable[[], int]:
    """Return the audit of an archive in which every event was delivered."""
    unreadable: list[str] = []
    audit = Audit(
        ArchiveListing(archive.s3, BUCKET),
        ArchiveReader(Objects(archive.s3, BUCKET), unreadable.append),
        Verdicts(KnownElsewhere([], lambda _: False), {}),
    )

    def work() -> int:
        now = datetime.now(UTC)
        span = AuditSpan(now - timedelta(hours=2), now + timedelta(hours=1))
        report = AuditReport()
        audit.run(span, report, lambda _, __: None)
        whole = not unreadable and not report.unarchived
        if not whole or report.totals[DELIVERED] != archive.events:
            raise WorkError(f"audit: {dict(report.totals)}, expected {archive.events} delivered")
        return archive.events

    return work
