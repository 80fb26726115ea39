"""What a replay needs to run, from its first state to its last, whoever watches it."""

from __future__ import annotations

import math
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from pipeline.archive.listing import ArchiveListing
from pipeline.archive.objects import ObjectRef, Objects
from pipeline.replay.engine import Replayer
from pipeline.replay.filters import filter_from_json
from pipeline.replay.history import UnaskedHistory
from pipeline.replay.job import DISTRIBUTED, DONE, RUNNING, Job, JobError, JobStore
from pipeline.replay.selection import measure, select
from pipeline.stream.pace import Pace
from pipeline.stream.sending import StreamWriter
from pipeline.stream.shards import SHARE, ShardMap, capacity
from toolbox.project.next_steps import next_step
from toolbox.replaying.history import delivery_history
from toolbox.terminal.nearest import unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pipeline.replay.event_types import EventTypes
    from pipeline.replay.filters import Filter
    from pipeline.replay.history import DeliveryHistory, History
    from pipeline.replay.windows import DeduplicationWindow
    from toolbox.deployments import RunningDeployment

#: A running job writes its state every five seconds.
ALIVE_SECONDS = 20


@dataclass(frozen=True)
class ReplayPlan:
    """What a job needs to run.

    Parameters
    ----------
    since : float | None
        The earliest arrival of what is replayed, in epoch seconds, where the filter names none.
    windows : Callable[[], Mapping[str, DeduplicationWindow]]
        Returns for how long the deduplication table remembers each source's events.
    """

    where: RunningDeployment
    job: Job
    wanted: Filter
    types: EventTypes
    since: float | None = None
    windows: Callable[[], Mapping[str, DeduplicationWindow]] = dict

    def history(self) -> DeliveryHistory:
        """Return what was delivered before."""
        since = self.since if self.wanted.start is None else self.wanted.start
        return delivery_history(self.where, self.job, since, self.windows())

    def needed_history(self) -> History:
        """Return the same; of a job that is forced, nothing is asked."""
        return UnaskedHistory() if self.job.options.get("force") else self.history()

    def begin(self) -> None:
        """Measure what the job reads, and write its first state.

        Raises
        ------
        PipelineError
            When the archive is out of reach.
        """
        job, jobs = self.job, job_store(self.where)
        job.objects, job.size = self.measure()
        if self.wanted.ids is not None:
            job.filter = {**job.filter, "ids": jobs.save_ids(job.id, self.wanted.ids)}
        jobs.save(job)

    def measure(self) -> tuple[int, int]:
        """Return how many objects the job reads, and their bytes."""
        return measure(self._listing, self.wanted)

    def refs(self) -> Iterator[ObjectRef]:
        """Return the objects that are still to be read."""
        place = self.job.position
        if place.key and place.line is not None:
            yield ObjectRef(place.key, place.size)
        yield from select(self._listing, self.wanted, place.key)

    @property
    def _listing(self) -> ArchiveListing:
        return ArchiveListing(self.where.client("s3"), self.where.archive_bucket)


def job_store(where: RunningDeployment) -> JobStore:
    """Return the jobs of a deployment."""
    return JobStore(where.client("s3"), where.archive_bucket)


def known_job(jobs: JobStore, job_id: str) -> Job:
    """Read a job's state.

    Raises
    ------
    NotFoundError
        When there is no such job.
    JobError
        When its state is broken or out of reach.
    """
    try:
        return jobs.load(job_id)
    except JobError:
        known = list(jobs.ids())
        if job_id not in known:
            raise unknown("replay job", job_id, known, next_step("replay list")) from None
        raise


def is_alive(job: Job, now: datetime) -> bool:
    """Tell whether somebody runs a job, as its state says."""
    updated = datetime.fromisoformat(job.updated) if job.updated else now - timedelta(days=1)
    return job.status == RUNNING and now - updated < timedelta(seconds=ALIVE_SECONDS)


def resumed(
    where: RunningDeployment, job_id: str, now: datetime, rate: float | None
) -> tuple[Job, Filter]:
    """Return a job that was stopped, made ready to go on, and what it looks for.

    Raises
    ------
    NotFoundError
        When there is no such job.
    JobError
        When it cannot go on: it is done, or runs, or was one of tickets.
    """
    jobs = job_store(where)
    job = known_job(jobs, job_id)
    if job.status in {DONE, DISTRIBUTED}:
        raise JobError(f"{job.id}: is {job.status}; there is nothing to go on with")
    if job.options.get("tickets"):
        again = next_step("dead-letters replay")
        raise JobError(f"{job.id}: replayed tickets; run '{again}' again")
    if is_alive(job, now):
        raise JobError(
            f"{job.id}: was running at {job.updated}; stop it there, or wait {ALIVE_SECONDS} "
            "seconds if its process is gone"
        )
    ids_key = str(job.filter.get("ids") or "")
    wanted = filter_from_json(dict(job.filter), jobs.load_ids(ids_key) if ids_key else None)
    job.status, job.error = RUNNING, ""
    job.options = {**job.options, "rate": rate or job.options.get("rate")}
    return job, wanted


def default_rate(where: RunningDeployment) -> tuple[float, float]:
    """Return events and bytes a second: a share of the stream, the rest is for live traffic."""
    most = capacity(where.client("kinesis"), where.stream)
    return most.records * SHARE, most.size * SHARE


@contextmanager
def sending(
    plan: ReplayPlan,
    history: History,
    stop: Callable[[], bool],
    *,
    on_tick: Callable[[], None] = lambda: None,
    show: Callable[[Replayer], None] = lambda _: None,
) -> Iterator[Replayer]:
    """Return a replayer that puts events on the stream.

    Parameters
    ----------
    on_tick : Callable[[], None]
        Is called during a long wait.
    show : Callable[[Replayer], None]
        Is told how far it is.
    """
    pace, writer = _writer(plan)
    replayer = Replayer(
        plan.job,
        Objects(plan.where.client("s3"), plan.where.archive_bucket),
        writer,
        plan.wanted,
        plan.types,
        history=history,
        save=job_store(plan.where).save,
        stop=stop,
        progress=show,
    )

    def tick() -> None:
        replayer.tick()
        on_tick()

    pace.tick, pace.stop_requested = tick, stop
    yield replayer
    show(replayer)


def _writer(plan: ReplayPlan) -> tuple[Pace, StreamWriter]:
    kinesis, stream = plan.where.client("kinesis"), plan.where.stream
    most = capacity(kinesis, stream)
    rate = plan.job.options.get("rate")
    # A rate that was asked for is kept; what the stream refuses lowers it.
    events = float(rate) if rate else most.records * SHARE
    pace = Pace(events, math.inf if rate else most.size * SHARE)
    shards = ShardMap(kinesis, stream)
    return pace, StreamWriter(kinesis, stream, shards, pace, largest_record=most.largest_record)
