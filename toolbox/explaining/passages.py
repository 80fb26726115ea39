"""From a line of the archive to the passages of its request: tries, endings, replays."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from pipeline.archive.keys import REJECTED_PREFIX, hour_folder, hour_folders
from pipeline.event.event_id import EventId, request_id, request_of
from pipeline.event.events import Event
from pipeline.event.outcomes import OutcomeKind, Reason
from pipeline.event.times import iso_milliseconds
from pipeline.replay.job import DISTRIBUTED, RUNNING, JobError, begun_at
from toolbox.dead_letters.queue import ticket_id
from toolbox.explaining.archive_search import RawLine, Wanted, as_json
from toolbox.explaining.found import EventEnding, Passage
from toolbox.explaining.meaning import fate_in_mozdef, meaning_of, refused_by_now
from toolbox.project.next_steps import next_step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pipeline.archive.ledger import LedgerEntry
    from pipeline.replay.job import Job
    from settings.source.loader import LoadedSource
    from toolbox.explaining.archive_search import ArchiveSearch
    from toolbox.explaining.found import ReadingNotes
    from toolbox.explaining.meaning import Judged, SourceMeaning
    from toolbox.explaining.sights import BatchLog, CopyTable, QueueSight

#: Events of one request that are shown.
MOST_EVENTS = 20
NOT_SETTLED, MISSING = "not settled", "missing"
#: Between the door's clock and the stream's.
_EARLY, _LATE = 300.0, 600.0
_AFTER_JOB, _LONGEST_JOB = timedelta(minutes=10), timedelta(days=1)


@dataclass(frozen=True)
class Sights:
    """What is asked beside the archive.

    Parameters
    ----------
    jobs : Callable[[], Iterable[Job]]
        The replays that were.
    load : Callable[[str], LoadedSource | None]
        Reads a source of this machine; None where it has none of that name.
    """

    table: CopyTable
    queues: QueueSight
    batches: BatchLog
    jobs: Callable[[], Iterable[Job]]
    load: Callable[[str], LoadedSource | None]


class Meanings:
    """Judges requests by the sources of this machine; each is compiled once. A context manager."""

    def __init__(self, load: Callable[[str], LoadedSource | None], notes: ReadingNotes) -> None:
        self._load = load
        self._notes = notes
        self._kept = ExitStack()
        self._meanings: dict[str, SourceMeaning | None] = {}

    def __enter__(self) -> Meanings:
        return self

    def __exit__(self, *_: object) -> None:
        self._kept.close()

    def judged(self, source: str, envelope: Any) -> dict[str, Judged]:
        """Return the events of an envelope by their ids; none where its source is not known."""
        meaning = self.of(source)
        return meaning.judged(envelope) if meaning else {}

    def of(self, source: str) -> SourceMeaning | None:
        """Return what judges a source's requests; None where this machine has no such source."""
        if source not in self._meanings:
            loaded = self._load(source)
            if loaded is None:
                self._notes.lacks(f"no source {source!r:.50} on this machine: no rule is judged")
            self._meanings[source] = (
                self._kept.enter_context(meaning_of(loaded)) if loaded else None
            )
        return self._meanings[source]


class PassageReader:
    """Reads what became of a request that was found."""

    def __init__(
        self, search: ArchiveSearch, sights: Sights, meanings: Meanings, notes: ReadingNotes
    ) -> None:
        self._search = search
        self._sights = sights
        self._meanings = meanings
        self._notes = notes

    def original(self, line: RawLine) -> RawLine | None:
        """Return the request as it came, of one that a replay put on the stream."""
        envelope = line.event.envelope
        assert envelope is not None  # noqa: S101 - what a replay sent is one
        wanted = Wanted(as_json(envelope.id), lambda event: event.id == request_id(envelope.id))
        came = envelope.arrived_ms / 1000
        start, end = (datetime.fromtimestamp(came + more, UTC) for more in (-_EARLY, _LATE))
        found = self._search.requests(wanted, [line.event.source], start, end)
        return next(found, None)

    def passage(
        self, line: RawLine, only: int | None, entries: list[LedgerEntry] | None = None
    ) -> Passage:
        """Return one time on the stream.

        Parameters
        ----------
        only : int | None
            The one event of the request that was asked for; None for all.
        entries : list[LedgerEntry] | None
            Its lines of the ledger, where they are known.
        """
        event, shard, sequence = line.event, line.shard, line.place.sequence
        request, hour = request_of(event.id), hour_folder(event.arrived)
        if entries is None:
            entries = self._search.outcomes(request, hour, shard, sequence)
        rejections = {}
        if any(entry.outcome == OutcomeKind.REJECTED for entry in entries):
            rejections = self._search.rejections(request, event.source, hour, shard, sequence)
        judged = (
            self._meanings.judged(event.claimed_source, event.envelope) if event.envelope else {}
        )
        shown = [one for one in entries if only is None or EventId.parse(one.id).element == only]
        endings = [
            self._ending(entry, rejections.get(entry.id), judged.get(entry.id))
            for entry in sorted(shown, key=lambda one: EventId.parse(one.id).element or 0)
        ]
        if not entries:
            endings = [self._unsettled(request, line, judged)]
        return Passage(
            EventId.parse(event.id).job,
            shard,
            str(sequence),
            iso_milliseconds(event.arrived),
            line.place.key,
            self._sights.batches.tries(shard, sequence, event.arrived),
            tuple(endings[:MOST_EVENTS]),
            len(endings) - len(endings[:MOST_EVENTS]),
        )

    def _ending(self, entry: LedgerEntry, kept: Any, judged: Judged | None) -> EventEnding:
        key, archived = kept or ("", None)
        known = judged.event if judged and isinstance(judged.event, Event) else None
        meaning = self._meanings.of(entry.source)
        delivered = entry.outcome == OutcomeKind.DELIVERED
        message = judged.message if judged else b""
        return EventEnding(
            id=entry.id,
            outcome=entry.outcome,
            reason=entry.reason or "",
            explanation=archived.explanation if archived else _why(judged, entry.outcome),
            kept_in=key,
            ticket=ticket_id(key) if key.startswith(REJECTED_PREFIX) else "",
            event_type=known.event_type if known else "",
            delivery_id=known.delivery_id if known else "",
            schema=meaning.schema_of(known.event_type) if meaning and known else "",
            schema_place=meaning.broken_rule(known)
            if meaning and known and refused_by_now(judged)
            else "",
            copy_of=self._copied(entry, judged),
            now=judged.now if judged and entry.outcome == OutcomeKind.REJECTED else "",
            queue=known.queue if known else "",
            queued=self._sights.queues.place_of(message) if delivered and message else "",
            mozdef=fate_in_mozdef(message) if message and delivered else None,
        )

    def _copied(self, entry: LedgerEntry, judged: Judged | None) -> str:
        # What the table remembers may have come after it: its own replay, of what was rejected.
        if entry.outcome != OutcomeKind.DUPLICATE and entry.reason not in _OF_ANOTHER:
            return ""
        for key in judged.keys if judged else ():
            found = self._sights.table.delivered(key)
            if found is not None and found.id != entry.id:
                return found.id
        return ""

    def _unsettled(self, request: str, line: RawLine, judged: dict[str, Judged]) -> EventEnding:
        """Say of a request that the ledger lacks whether it was given up, waits, or is missing."""
        given_up = self._search.given_up(request, line.shard, line.event.arrived)
        if given_up is not None:
            key, archived = given_up
            explanation = f"{archived.reason}: {archived.explanation}"
            return EventEnding(
                request, OutcomeKind.FAILED, archived.reason, explanation, key, ticket_id(key)
            )
        for key in (key for one in judged.values() for key in one.keys):
            known = self._sights.table.delivered(key)
            if known is not None and known.id in judged:
                return EventEnding(request, OutcomeKind.DELIVERED, explanation=_OF_TABLE)
        until = self._search.settled_until(hour_folder(line.event.arrived), line.shard)
        if until > line.place.sequence:
            return EventEnding(request, MISSING, explanation=_later_ones())
        return EventEnding(request, NOT_SETTLED, explanation=_on_its_way())

    def replays(self, line: RawLine, only: int | None) -> Iterator[Passage]:
        """Return the times that replays put the request on the stream again."""
        envelope = line.event.envelope
        if envelope is None:
            return
        hours = sorted(self._hours_of_jobs(line.event.arrived))
        if not hours:
            return
        by_job: dict[str, list[tuple[str, LedgerEntry]]] = {}
        for shard, entry in self._search.replayed(envelope.id, hours):
            by_job.setdefault(EventId.parse(entry.id).job, []).append((shard, entry))
        for found in by_job.values():
            shard, first = found[0]
            replayed = self._search.request_at(first, line.event.source, shard)
            if replayed is None:
                self._notes.lacks(f"{request_of(first.id)} is not in raw/: the archiver is behind")
                continue
            yield self.passage(replayed, only, [entry for _, entry in found])

    def _hours_of_jobs(self, since: float) -> set[str]:
        hours: set[str] = set()
        for job in self._sights.jobs():
            try:
                begun = begun_at(job.id)
            except JobError:
                continue
            if begun.timestamp() + 1 < since:
                continue
            hours.update(hour_folders(begun, _ended(job, begun) + _AFTER_JOB))
        return hours


#: Reasons that name another event.
_OF_ANOTHER = {Reason.ID_REUSED, Reason.BODY_REUSED}
_OF_TABLE = "the ledger has no line of it; the deduplication table remembers it as delivered"


def _later_ones() -> str:
    return (
        "the ledger has later records of its shard and no line of this one, and no failure record "
        f"has it; replay it: '{next_step('audit')} --missing-to FILE' finds all such"
    )


def _on_its_way() -> str:
    return (
        "the ledger has not come to it: it is on its way, or its shard is held up; see "
        f"'{next_step('status')}'"
    )


def _ended(job: Job, begun: datetime) -> datetime:
    """Return when a job had sent its last event; one without an end is taken to go on."""
    if job.status in {RUNNING, DISTRIBUTED}:
        return min(datetime.now(UTC), begun + _LONGEST_JOB)
    try:
        return datetime.fromisoformat(job.finished or job.updated)
    except ValueError:
        return begun + _LONGEST_JOB


def _why(judged: Judged | None, outcome: str) -> str:
    if judged is None or judged.verdict is None or judged.verdict.kind != outcome:
        return ""
    return judged.why
