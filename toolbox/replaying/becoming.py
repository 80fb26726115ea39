"""What became of what a replay put on the stream: told by the ledger, and by failure records."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from pipeline.archive.failures import read_failure
from pipeline.archive.keys import FAILED_PREFIX, LEDGER_PREFIX, hour_folders
from pipeline.archive.ledger import read_entry
from pipeline.archive.line_fields import LineError
from pipeline.archive.objects import ObjectUnreadableError
from pipeline.archive.reading import Unreadable, read_documents
from pipeline.archive.unpacking import UnpackError
from pipeline.event.event_id import EventId
from pipeline.event.outcomes import OutcomeKind
from pipeline.replay.job import begun_at
from pipeline.replay.memory import DigestSet

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from pipeline.archive.listing import ArchiveListing
    from pipeline.archive.objects import Objects
    from pipeline.replay.job import Job

#: Looks at the ledger between two looks at the failure records, which are written last.
_ROUNDS = 5
_FAILED = "failed"


class ReplayFate:
    """Counts what became of a job's requests; each look reads what was written since the last.

    A request is settled when one of its events is: all of them come from one record.
    """

    def __init__(self, job: Job, listing: ArchiveListing, objects: Objects) -> None:
        self._job = job
        self._listing, self._objects = listing, objects
        self._read: set[str] = set()
        self._events, self._requests = DigestSet(), DigestSet()
        #: Events by outcome, and by `<outcome>:<reason>`.
        self.counts: Counter[str] = Counter()
        #: What of the archive could not be read.
        self.faults = 0

    @property
    def still_open(self) -> int:
        """Requests of which nothing is known yet."""
        return max(self._job.counts.get("sent", 0) - len(self._requests), 0)

    def look(
        self,
        now: datetime,
        *,
        failures: bool = True,
        enough: Callable[[], bool] = lambda: False,
    ) -> bool:
        """Read what was written since the last look; tell whether all of it was read.

        Parameters
        ----------
        enough : Callable[[], bool]
            Is asked after each object; the next look goes on from there.

        Raises
        ------
        PipelineError
            When the archive is out of reach, or the job sent more than memory should hold.
        """
        begun = begun_at(self._job.id)
        refs = [
            ref
            for hour in hour_folders(begun, now)
            for ref in self._listing.objects(LEDGER_PREFIX + hour)
            if ref.key not in self._read
        ]
        reading = self._objects.ahead(refs)
        for ref, chunks in reading:
            self._read.add(ref.key)
            for found in read_documents(chunks):
                self._take_line(found)
            if enough():
                reading.close()
                return False
        return self._look_at_failures(begun, enough) if failures else True

    def to_json(self) -> dict[str, Any]:
        """Return it as `--json` prints it."""
        reasons = {
            name.removeprefix("rejected:"): number
            for name, number in sorted(self.counts.items())
            if name.startswith("rejected:")
        }
        outcomes = (*_OUTCOMES, _FAILED)
        return {
            **{name: self.counts[name] for name in outcomes},
            "rejected_by_reason": reasons,
            "open": self.still_open,
            "unreadable": self.faults,
        }

    def _take_line(self, found: dict[str, Any] | Unreadable) -> None:
        if isinstance(found, Unreadable):
            self.faults += 1
            return
        try:
            entry = read_entry(found)
        except LineError:
            self.faults += 1
        else:
            self._take(entry.id, entry.outcome, entry.reason)

    def _take(self, event_id: str, outcome: str, reason: str | None) -> None:
        made_of = EventId.parse(event_id)
        # A batch that was tried again has the same line twice.
        if made_of.job != self._job.id or event_id in self._events:
            return
        self._events.add(event_id)
        if made_of.request not in self._requests:
            self._requests.add(made_of.request)
        self.counts[outcome] += 1
        if reason:
            self.counts[f"{outcome}:{reason}"] += 1

    def _look_at_failures(self, begun: datetime, enough: Callable[[], bool]) -> bool:
        for ref, written in self._listing.written(FAILED_PREFIX):
            if written < begun or ref.key in self._read:
                continue
            self._read.add(ref.key)
            try:
                for _, found in read_failure(self._objects.chunks(ref.key)):
                    if isinstance(found, LineError):
                        self.faults += 1
                    else:
                        self._take(found.id, _FAILED, None)
            except (UnpackError, ObjectUnreadableError, LineError):
                self.faults += 1
            if enough():
                return False
        return True


_OUTCOMES = tuple(
    str(one)
    for one in (
        OutcomeKind.DELIVERED,
        OutcomeKind.DUPLICATE,
        OutcomeKind.REJECTED,
        OutcomeKind.IGNORED,
    )
)


def wait_until_settled(
    fate: ReplayFate,
    seconds: float,
    *,
    now: Callable[[], datetime],
    stop: Callable[[], bool],
    wait: Callable[[float], None],
    progress: Callable[[ReplayFate], None],
) -> None:
    """Look until nothing is open, or for so many seconds.

    Parameters
    ----------
    wait : Callable[[float], None]
        Waits so many seconds.
    """
    begun, pause, rounds = now(), 0.5, 0
    while True:
        fate.look(now(), failures=rounds % _ROUNDS == 0)
        rounds += 1
        progress(fate)
        left = seconds - (now() - begun).total_seconds()
        if not fate.still_open or left <= 0 or stop():
            return
        wait(min(pause, left))
        pause = min(pause * 1.5, 10.0)
