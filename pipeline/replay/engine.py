"""The replay itself: read, choose, mark, send, and write down how far it is."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple, Protocol

from pipeline.archive.reading import Unreadable, read_object
from pipeline.errors import PipelineError
from pipeline.event.envelope import encode_envelope, partition_key
from pipeline.event.ranges import write_ranges
from pipeline.replay.history import Standing
from pipeline.replay.job import DONE, FAILED, INTERRUPTED, JobPosition
from pipeline.replay.memory import Recent
from pipeline.replay.times import iso

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence

    from pipeline.archive.lines import ArchivedEvent
    from pipeline.archive.objects import ObjectRef, Objects
    from pipeline.event.envelope import Envelope
    from pipeline.replay.event_types import EventTypes
    from pipeline.replay.filters import Filter
    from pipeline.replay.history import History
    from pipeline.replay.job import Job

CHECKPOINT_SECONDS = 5.0
PROGRESS_SECONDS = 0.1
MOST_PROBLEMS = 100
MOST_GROUPS = 1_000
#: How often an event may be replayed: what fails again and again is a person's work.
REPLAY_LIMIT = 3
#: What would be delivered again.
_LEFT_OUT = frozenset({Standing.DELIVERED, Standing.PARTLY_LATE})
_SENT_AS = {Standing.LATE: "sent_late", Standing.PARTLY: "sent_partly"}
_FORCED_AS = dict.fromkeys((*_LEFT_OUT, Standing.PARTLY), "sent_again")
_PARTLY = "a part of the request was delivered, and the deduplication table may have forgotten that"
#: What the reader of envelopes allows for their first line.
_LONGEST_METADATA = 64 * 1024


class Sink(Protocol):
    """Where a job's events go."""

    def add(self, key: str, data: bytes, event: ArchivedEvent, /) -> bool:
        """Take an event; False when it is too large."""

    def flush(self) -> None:
        """Return when all that was taken is safe."""


class _Chosen(NamedTuple):
    """An event that is to be sent: where it is in the archive, and what is known of it."""

    ref: ObjectRef
    line: int
    event: ArchivedEvent
    envelope: Envelope
    known: Standing
    request: Hashable


class Replayer:
    """Replays objects of the archive as one job.

    A place is written down only when everything before it is on the stream. So a job that was
    stopped anywhere leaves nothing out when it goes on; what it sent since is sent again.

    Parameters
    ----------
    job : Job
        What to do; its counts and its position are kept up to date at each checkpoint.
    clock : Callable[[], float]
        Seconds, from any start.
    history : History
        What was delivered before, and so is left out unless the job is forced.
    """

    def __init__(
        self,
        job: Job,
        objects: Objects,
        sink: Sink,
        wanted: Filter,
        types: EventTypes,
        *,
        history: History,
        save: Callable[[Job], None],
        stop: Callable[[], bool] = lambda: False,
        progress: Callable[[Replayer], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.job = job
        self.counts = Counter(job.counts)
        self._done_bytes, self._inside = job.read_bytes, 0
        self._by, self._before = Counter(job.by), Counter(job.before)
        self._problems = list(job.problems)
        self._position = job.position
        self._objects = objects
        self._sink = sink
        self._wanted = wanted
        self._types = types
        self._history = history
        self._limit = int(job.options.get("limit", REPLAY_LIMIT))
        self._force = bool(job.options.get("force", False))
        self._recent = Recent()
        self._gathered: list[_Chosen] = []
        self._save = save
        self._stop = stop
        self._progress = progress
        self._clock = clock
        self._saved_at = self._shown_at = clock()

    def run(self, refs: Iterable[ObjectRef]) -> bool:
        """Replay objects; tell whether it came to their end.

        Parameters
        ----------
        refs : Iterable[ObjectRef]
            In the order of the job; the first one is begun after the job's position.

        Raises
        ------
        PipelineError
            When the archive or the stream is out of reach. The job's state says so.
        """
        try:
            for ref, chunks in self._objects.ahead(refs):
                if not self._object(ref, chunks):
                    self.job.status = INTERRUPTED
                    self._checkpoint()
                    return False
            self._checkpoint()
        except BaseException as error:
            known = isinstance(error, PipelineError)
            self.job.status = FAILED if known else INTERRUPTED
            self.job.error = str(error)[:2000] if known else type(error).__name__
            # The state as of the last checkpoint: what was counted since may not be sent.
            with suppress(PipelineError):
                self._write()
            raise
        return True

    def finish(self) -> None:
        """Write down that the job is done."""
        self.job.status, self.job.error = DONE, ""
        self.job.finished = iso(time.time())
        self._write()

    def tick(self) -> None:
        """Say that the job is alive, during a long wait."""
        now = self._clock()
        if now - self._saved_at >= CHECKPOINT_SECONDS:
            self._write()
        self._show(now)

    @property
    def read_bytes(self) -> int:
        """How much of the listed objects was read."""
        return self._done_bytes + self._inside

    def _object(self, ref: ObjectRef, chunks: Iterator[bytes]) -> bool:
        place = self._position
        skip = (place.line or 0) if place.key == ref.key else 0
        for line, item in read_object(ref.key, self._counted(chunks), skip):
            self._take(ref, line, item)
            self._position = JobPosition(ref.key, line, ref.size)
            now = self._clock()
            if now - self._saved_at >= CHECKPOINT_SECONDS:
                self._checkpoint()
            self._show(now)
            if self._stop():
                return False
        self._send_gathered()
        self._position = JobPosition(ref.key, None, ref.size)
        self._done_bytes, self._inside = self._done_bytes + ref.size, 0
        return not self._stop()

    def _counted(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            self._inside += len(chunk)
            yield chunk

    def _take(self, ref: ObjectRef, line: int, item: ArchivedEvent | Unreadable) -> None:
        self.counts["read"] += 1
        if isinstance(item, Unreadable):
            self._leave_out("unreadable", ref, line, item.explanation)
        elif self._wanted.matches(item, self._types):
            self._replay(ref, line, item)

    def _replay(self, ref: ObjectRef, line: int, event: ArchivedEvent) -> None:
        envelope = event.envelope
        if envelope is not None and envelope.replay == self.job.id:
            return  # This job's own output, which was archived meanwhile.
        self.counts["matched"] += 1
        if envelope is None:
            self._leave_out("unreplayable", ref, line, "the record is no envelope")
            return
        if envelope.replays >= self._limit:
            self._leave_out("limit", ref, line, f"was replayed {envelope.replays} times")
            return
        # Whatever else the lines of one request differ in, they hold the whole request, or say
        # which event of it they hold.
        request = (envelope.id, envelope.source, envelope.key, envelope.body, envelope.only)
        this = (*request, event.numbers) if event.numbers else request
        if request in self._recent or this in self._recent:
            self.counts["repeated"] += 1
            return
        known = self._history.standing(ref.key, event, envelope)
        if known in _LEFT_OUT and not self._force:
            self._recent.add(this)
            self._leave_out_known(ref, line, event, known)
            return
        chosen = _Chosen(ref, line, event, envelope, known, this)
        if not event.numbers:
            self._send([chosen])
            return
        if self._gathered and self._gathered[0].envelope is not envelope:
            self._send_gathered()
        self._gathered.append(chosen)
        self._recent.add(this)

    def _send_gathered(self) -> None:
        """Send the events of one request in one record: its body is on the stream once."""
        gathered, self._gathered = self._gathered, []
        if gathered:
            self._send(gathered)

    def _send(self, chosen: Sequence[_Chosen]) -> None:
        first = chosen[0]
        numbers = tuple(number for one in chosen for number in one.event.numbers)
        marked = first.envelope._replace(
            replay=self.job.id,
            replays=first.envelope.replays + 1,
            force=self._force,
            only=write_ranges(numbers) if numbers else first.envelope.only,
        )
        data = encode_envelope(marked)
        readable = data.find(b"\n", 0, _LONGEST_METADATA) >= 0
        event = replace(first.event, numbers=numbers)
        if readable and self._sink.add(partition_key(marked), data, event):
            for one in chosen:
                self._recent.add(one.request)
                self._sent(one.event, one.known)
        elif len(chosen) > 1:
            # Their numbers need room as well.
            middle = len(chosen) // 2
            self._send(chosen[:middle])
            self._send(chosen[middle:])
        elif readable:
            explanation = f"{len(data):,} bytes do not fit in a record"
            self._leave_out("too_large", first.ref, first.line, explanation)
        else:
            explanation = "its metadata is longer than any request's"
            self._leave_out("unreadable", first.ref, first.line, explanation)

    def _leave_out_known(
        self, ref: ObjectRef, line: int, event: ArchivedEvent, known: Standing
    ) -> None:
        if known is Standing.DELIVERED:
            # All is well with it: no problem, and nothing to be seen to.
            self.counts["delivered"] += 1
            self._say("delivered", event)
        else:
            self._leave_out("partly_delivered", ref, line, _PARTLY)
            self._say("partly_delivered", event)

    def _sent(self, event: ArchivedEvent, known: Standing) -> None:
        self.counts["sent"] += 1
        group = f"{event.kind}/{event.source}/{event.reason or '-'}"
        self._by[group if len(self._by) < MOST_GROUPS else "others"] += 1
        what = (_FORCED_AS if self._force else _SENT_AS).get(known)
        if what is not None:
            self.counts[what] += 1
            self._say(what, event)

    def _say(self, what: str, event: ArchivedEvent) -> None:
        source = event.source if len(self._before) < MOST_GROUPS else "others"
        self._before[f"{what}/{source}"] += 1

    def _leave_out(self, what: str, ref: ObjectRef, line: int, explanation: str) -> None:
        self.counts[what] += 1
        if len(self._problems) < MOST_PROBLEMS:
            self._problems.append(
                {"what": what, "key": ref.key, "line": line, "explanation": explanation[:500]}
            )

    def _checkpoint(self) -> None:
        self._send_gathered()
        self._sink.flush()
        self.job.counts, self.job.by = dict(self.counts), dict(self._by)
        self.job.before = dict(self._before)
        self.job.problems = list(self._problems)
        self.job.position, self.job.read_bytes = self._position, self._done_bytes
        self._write()

    def _write(self) -> None:
        self.job.updated = iso(time.time())
        self._save(self.job)
        self._saved_at = self._clock()

    def _show(self, now: float) -> None:
        if now - self._shown_at >= PROGRESS_SECONDS:
            self._shown_at = now
            self._progress(self)
