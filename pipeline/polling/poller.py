"""One poll of one feed: lock, walk, put on the stream, and only then write the position."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.errors import PipelineError
from pipeline.polling.credentials import Credentials
from pipeline.polling.emptiness import PageMarks
from pipeline.polling.errors import OutOfTimeError, PauseError, PollError
from pipeline.polling.events import EventWriter
from pipeline.polling.http_client import HttpClient
from pipeline.polling.pages import read_page
from pipeline.polling.pagination import Step, Walk
from pipeline.polling.positions import Position, read_position
from pipeline.polling.report import Report
from pipeline.polling.session import Session
from pipeline.polling.standing import read_standing
from pipeline.stream.pace import Pace
from pipeline.stream.sending import StreamWriter
from pipeline.stream.shards import ShardMap

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pipeline.archive.writer import ArchiveWriter
    from pipeline.aws.seams import TargetStream
    from pipeline.event.compiled_poll import PollSettings
    from pipeline.event.compiled_source import Catalog, CompiledSource
    from pipeline.polling.checkpoints import Checkpoints, Lease
    from pipeline.polling.pages import Page
    from pipeline.polling.targets import Target
    from pipeline.runtime.deadline import Deadline
    from pipeline.runtime.secret_store import SecretStore

#: What a poll leaves of its invocation: a page has to get onto the stream, and be written down.
RESERVE_SECONDS = 15.0
#: For how long, at most, a poll goes on trying while the stream takes nothing.
STREAM_TIMEOUT = 60.0


@dataclass(frozen=True)
class Services:
    """What polls need.

    Parameters
    ----------
    targets : Mapping[str, Target]
        Where their APIs are.
    checkpoints : Checkpoints
        How far each feed was fetched.
    kinesis : TargetStream
        Where streams are.
    largest_record : int
        Bytes that the stream takes in a record.
    archive : ArchiveWriter
        For events that no record can hold.
    clock : Callable[[], float]
        Epoch seconds.
    """

    catalog: Catalog
    targets: Mapping[str, Target]
    secrets: SecretStore
    checkpoints: Checkpoints
    kinesis: TargetStream
    stream: str
    largest_record: int
    archive: ArchiveWriter
    clock: Callable[[], float]


@dataclass(frozen=True)
class _Poll:
    """What belongs to one poll alone."""

    source: CompiledSource
    settings: PollSettings
    walk: Walk
    lease: Lease
    deadline: Deadline
    report: Report


class Poller:
    """Polls feeds."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._checkpoints = services.checkpoints
        self._shards = ShardMap(services.kinesis, services.stream)
        # Both live as long as the process: a token and a connection serve many polls.
        self._clients: dict[str, HttpClient] = {}
        self._credentials: dict[str, Credentials] = {}

    def poll(self, source: str, feed: str, deadline: Deadline) -> Report:
        """Fetch what is new in a feed, as far as the time allows.

        Returns
        -------
        Report
            What was done. Where the poll failed, its `error` says why: what was written before
            stays, and the next poll goes on from there.

        Raises
        ------
        PollError
            When there is no such feed in this deployment.
        """
        compiled, settings, walk = self._find(source, feed)
        row, report = f"{source}#{feed}", Report(source, feed)
        first = self._start(settings, walk).write(walk.feed)
        lease: Lease | None = None
        not_before = 0
        try:
            lease = self._checkpoints.acquire(row, deadline.time_left(), first)
            if lease is None:
                report.outcome = "skipped"
            else:
                poll = _Poll(compiled, settings, walk, lease, deadline, report)
                not_before = self._walk(poll)
        except PipelineError as error:
            report.failed(error)
        finally:
            if lease is not None:
                self._release(lease, not_before, report)
        return report

    def _start(self, settings: PollSettings, walk: Walk) -> Position:
        hours = walk.target.start_hours_ago
        hours = settings.start_hours_ago if hours is None else hours
        start = max(self._now_ms() - hours * 3_600_000, 0)
        return Position(since=start, complete=start)

    def _walk(self, poll: _Poll) -> int:
        """Walk the feed; return until when no poll may ask, in milliseconds since the epoch."""
        lease, report = poll.lease, poll.report
        report.refusals = read_standing(lease.state).refusals
        position = read_position(lease.position, poll.walk.feed, lease.row)
        report.behind(self._now_ms(), position.complete)
        if lease.not_before > self._now_ms():
            report.outcome = "paused"
            return lease.not_before
        position, report.note = poll.walk.kept(position, self._now_ms())
        begun = poll.walk.begin(position, self._now_ms())
        if begun is None:
            report.drained()
            return 0
        session = self._session(poll)
        try:
            self._pages(poll, session, begun)
        except OutOfTimeError:
            if not report.pages:
                raise
            report.outcome = "out of time"
        except PauseError as pause:
            report.outcome = "paused"
            return self._now_ms() + int(pause.seconds * 1000)
        finally:
            report.refusals = session.refusals
        return int(session.resume_at * 1000)

    def _pages(self, poll: _Poll, session: Session, position: Position) -> None:
        stream = self._writer(poll.deadline)
        writer = EventWriter(
            poll.source, poll.walk.feed.name, stream, self._services.archive, poll.deadline
        )
        while True:
            if poll.deadline.time_left() <= poll.deadline.reserve:
                raise OutOfTimeError("the next page is for the next poll")
            page, step = self._fetch(poll, session, position)
            poll.report.too_large += writer.write(page, self._now_ms())
            self._checkpoints.write(poll.lease, step.position.write(poll.walk.feed))
            poll.report.took(page)
            if step.drained:
                poll.report.drained()
                return
            poll.report.behind(self._now_ms(), max(writer.newest_ms, step.position.complete))
            position = step.position

    def _fetch(self, poll: _Poll, session: Session, position: Position) -> tuple[Page, Step]:
        """Return a page and what follows it: one that leads nowhere is not put on the stream."""
        asked = self._now_ms()
        answer, url = session.fetch(poll.walk.request(position))
        feed, source = poll.walk.feed, poll.source
        keys = (feed.pagination.cursor, feed.pagination.more)
        paths = tuple(key for key in keys if key and isinstance(key, tuple))
        marks = PageMarks(paths, absent_is_empty=feed.empty_when_absent)
        # Without deduplication, no copies are looked for: each is an event.
        once = bool(source.deduplication_seconds and source.body_hash_seconds)
        try:
            page = read_page(answer.body, feed.events, marks, once=once)
        except PollError as error:
            raise session.complaint(str(error), answer) from None
        return page, poll.walk.after(position, page, answer, url, asked)

    def _release(self, lease: Lease, not_before: int, report: Report) -> None:
        standing = report.standing(read_standing(lease.state), self._now_ms())
        try:
            self._checkpoints.release(lease, not_before, standing.write())
        except PollError:
            # The lock ends by itself soon after the invocation. Nothing of the poll is undone.
            return

    def _find(self, source: str, feed: str) -> tuple[CompiledSource, PollSettings, Walk]:
        compiled = self._services.catalog.get(source)
        if compiled is None or compiled.poll is None or feed not in compiled.poll.feeds:
            raise PollError(f"{source[:60]!r} has no feed {feed[:60]!r} in this deployment")
        target = self._services.targets.get(source)
        if target is None:
            raise PollError(f"POLL_TARGETS lacks {source}; the stack sets it")
        settings, found = compiled.poll, compiled.poll.feeds[feed]
        keeps = settings.keeps_days if found.keeps_days is None else found.keeps_days
        return compiled, settings, Walk(found, target, settings.headers, keeps)

    def _session(self, poll: _Poll) -> Session:
        name, target, clock = poll.source.name, poll.walk.target, self._services.clock
        if name not in self._clients:
            self._clients[name] = HttpClient(target.origin)
            self._credentials[name] = Credentials(
                name, poll.settings.credential, self._services.secrets, target, clock
            )
        credentials = self._credentials[name]
        credentials.begin()
        client, limit = self._clients[name], poll.settings.rate_limit
        refusals = poll.report.refusals
        return Session(client, credentials, limit, poll.deadline, clock, refusals=refusals)

    def _writer(self, deadline: Deadline) -> StreamWriter:
        def stall_timeout() -> float:
            return min(STREAM_TIMEOUT, deadline.time_left() - deadline.reserve / 2)

        kinesis, stream = self._services.kinesis, self._services.stream
        return StreamWriter(
            kinesis,
            stream,
            self._shards,
            Pace(),
            largest_record=self._services.largest_record,
            stall_timeout=stall_timeout,
        )

    def _now_ms(self) -> int:
        return int(self._services.clock() * 1000)
