"""Whether what a replay is about to send was delivered before.

The deduplication table forgets after the window of a source; the ledger stays as long as `raw/`. So
the ledger is asked about each request, and whatever it knows as delivered is left out.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from pipeline.archive.keys import (
    LEDGER_PREFIX,
    REPLAYS_PREFIX,
    hour_folder,
    hour_folders,
    shard_of,
)
from pipeline.event.event_id import element_id, request_id
from pipeline.replay.job import DISTRIBUTED, Job, JobError, begun_at
from pipeline.replay.settled import SettledRequests
from pipeline.replay.windows import DeduplicationWindow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pipeline.archive.lines import ArchivedEvent
    from pipeline.archive.listing import ArchiveListing
    from pipeline.archive.objects import Objects
    from pipeline.event.envelope import Envelope
    from pipeline.replay.job import JobStore

#: How long what is sent now can take to the fan-out.
MARGIN_SECONDS = 3_600.0
#: What a job sent after it last wrote down its state.
_AFTER_JOB = timedelta(minutes=10)
_SECOND = timedelta(seconds=1)
_EARLY_SECONDS, _LATE_SECONDS = 300.0, 3_600.0
#: What may always be kept: an event's own hour, and those of its original.
_HOURS_KEPT = 4
#: Of further hours, as many as have so many digests together (64 MB). An archive is replayed source
#: by source, and each source asks for every hour again.
MOST_KEPT = 4_000_000


class Standing(StrEnum):
    """What is known of a request that is to be replayed."""

    #: The ledger knows no delivery of it, and the table remembers what could be a copy.
    OPEN = "open"
    #: The ledger knows no delivery of it; the table may have forgotten a copy in another request.
    LATE = "late"
    #: Some of its events were delivered, which the table remembers.
    PARTLY = "partly"
    #: Some of its events were delivered, which the table may have forgotten.
    PARTLY_LATE = "partly_late"
    DELIVERED = "delivered"


class History(Protocol):
    """Knows what was delivered."""

    def standing(self, key: str, event: ArchivedEvent, envelope: Envelope, /) -> Standing:
        """Tell what is known of an event of the archive's object with this key."""
        ...


class UnaskedHistory:
    """For a job that delivers again whatever was delivered: the ledger need not be readable."""

    def standing(self, _key: str, _event: ArchivedEvent, _envelope: Envelope, /) -> Standing:
        """Return that nothing is known."""
        return Standing.OPEN


class DeliveryHistory:
    """Asks the ledger, hour by hour and shard by shard, in bounded memory.

    Parameters
    ----------
    replayed : SettledRequests
        What earlier replays delivered.
    windows : Mapping[str, DeduplicationWindow]
        For how long the deduplication table remembers the events of a source. A source that is not
        known here is taken to have none.
    clock : Callable[[], float]
        Epoch seconds.
    most_kept : int
        How many digests of the hours that were asked for last are kept.
    """

    def __init__(
        self,
        listing: ArchiveListing,
        objects: Objects,
        replayed: SettledRequests,
        windows: Mapping[str, DeduplicationWindow],
        clock: Callable[[], float] = time.time,
        *,
        most_kept: int = MOST_KEPT,
    ) -> None:
        self._listing = listing
        self._objects = objects
        self._replayed = replayed
        self._windows = windows
        self._clock = clock
        self._hours: dict[tuple[str, str], SettledRequests] = {}
        self._most_kept, self._kept = most_kept, 0

    def standing(self, key: str, event: ArchivedEvent, envelope: Envelope, /) -> Standing:
        """Tell what is known of a request, or of the one event of it that is to be sent.

        Raises
        ------
        PipelineError
            When the ledger cannot be read.
        """
        whole, part = self._asked(key, event, envelope)
        if event.numbers and part:
            # Only this one is sent, whatever else of its request was delivered.
            whole, part = self._was_delivered(key, event, envelope), False
        if whole:
            return Standing.DELIVERED
        window = self._windows.get(event.claimed_source, DeduplicationWindow())
        late = window.forgets(envelope, self._clock() + MARGIN_SECONDS - event.arrived)
        if part:
            return Standing.PARTLY_LATE if late else Standing.PARTLY
        return Standing.LATE if late else Standing.OPEN

    def _asked(self, key: str, event: ArchivedEvent, envelope: Envelope) -> tuple[bool, bool]:
        own, attempt = self._own(key, event, envelope)
        if attempt in own.whole:
            return True, False
        places = self._others(envelope)
        whole = any(request in found.whole for found, request in places)
        part = attempt in own.part or any(request in found.part for found, request in places)
        return whole, part

    def _was_delivered(self, key: str, event: ArchivedEvent, envelope: Envelope) -> bool:
        (number,) = event.numbers
        places = [self._own(key, event, envelope), *self._others(envelope)]
        return any(element_id(request, number) in found.elements for found, request in places)

    def _own(
        self, key: str, event: ArchivedEvent, envelope: Envelope
    ) -> tuple[SettledRequests, str]:
        """Return where its own outcome is, by far the likeliest place, and under which id."""
        own = self._hour(hour_folder(event.arrived), shard_of(key))
        return own, request_id(envelope.id, envelope.replay)

    def _others(self, envelope: Envelope) -> list[tuple[SettledRequests, str]]:
        places = [(self._replayed, envelope.id)]
        if envelope.replay:
            # It came out of a replay: the original had an outcome of its own, on any shard.
            first = envelope.arrived_ms / 1000
            hours = {hour_folder(first + more) for more in (-_EARLY_SECONDS, 0.0, _LATE_SECONDS)}
            original = request_id(envelope.id)
            places += [(self._hour(hour, ""), original) for hour in sorted(hours)]
        return places

    def _hour(self, hour: str, shard: str) -> SettledRequests:
        place = (hour, shard)
        known = self._hours.pop(place, None)
        if known is None:
            while len(self._hours) >= _HOURS_KEPT and self._kept >= self._most_kept:
                self._kept -= _weight(self._hours.pop(next(iter(self._hours))))
            known = SettledRequests()
            prefix = f"{LEDGER_PREFIX}{hour}{shard}-" if shard else LEDGER_PREFIX + hour
            known.take(self._objects, self._listing.objects(prefix))
            known.pack()
            self._kept += _weight(known)
        self._hours[place] = known  # The last one asked for is the last to go.
        return known


def _weight(hour: SettledRequests) -> int:
    """Return how many digests take as much memory; one without any takes some as well."""
    return len(hour) + 100


def replayed_since(
    jobs: Iterable[Job], since: float | None, listing: ArchiveListing, objects: Objects
) -> SettledRequests:
    """Return what replays delivered of the events that arrived since a time.

    Parameters
    ----------
    jobs : Iterable[Job]
        Earlier jobs. One that began before that time cannot have sent any of these events.

    Raises
    ------
    PipelineError
        When the ledger cannot be read.
    """
    hours: set[str] = set()
    for job in jobs:
        begun = begun_at(job.id)
        sent = job.status == DISTRIBUTED or job.counts.get("sent", 0) > 0
        if sent and (since is None or (begun + _SECOND).timestamp() >= since):
            hours.update(hour_folders(begun, _ended(job, listing)))
    replayed = SettledRequests()
    for hour in sorted(hours):
        replayed.take_replayed(objects, listing.objects(LEDGER_PREFIX + hour))
    return replayed


def _ended(job: Job, listing: ArchiveListing) -> datetime:
    if job.status == DISTRIBUTED:
        # AWS Step Functions Developer Guide, ResultWriter: the manifest is written at the end.
        results = listing.written(f"{REPLAYS_PREFIX}{job.id}/")
        written = [when for ref, when in results if ref.key.endswith("/manifest.json")]
        return (max(written) if written else datetime.now(UTC)) + _AFTER_JOB
    try:
        last = datetime.fromisoformat(job.finished or job.updated or job.created)
    except ValueError:
        return datetime.now(UTC)
    return last + _AFTER_JOB


def earlier_jobs(store: JobStore, without: str) -> list[Job]:
    """Return the jobs that were, but for one.

    Of a job whose state is broken, it is taken that it sends until now.
    """
    jobs = []
    for name in store.ids():
        if name != without:
            try:
                job = store.load(name)
                # Nobody asks for them here, and a month has many jobs.
                job.problems, job.by, job.before = [], {}, {}
                jobs.append(job)
            except JobError:
                jobs.append(Job(name, {}, "", {}, {}, status=DISTRIBUTED))
    return jobs
