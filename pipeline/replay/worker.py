"""One batch of a distributed replay: a few objects, within the time of one invocation."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from pipeline.archive.listing import ArchiveListing
from pipeline.archive.objects import ObjectRef, Objects
from pipeline.errors import PipelineError
from pipeline.replay.engine import Replayer
from pipeline.replay.event_types import EventTypes
from pipeline.replay.filters import Filter, filter_from_json
from pipeline.replay.history import (
    DeliveryHistory,
    UnaskedHistory,
    earlier_jobs,
    replayed_since,
)
from pipeline.replay.job import Job, JobStore, check_job_id
from pipeline.replay.selection import may_hold
from pipeline.replay.windows import windows_of_catalog
from pipeline.stream.pace import Pace
from pipeline.stream.sending import StreamWriter
from pipeline.stream.shards import ShardMap

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pipeline.aws.seams import TargetStream
    from pipeline.event.compiled_source import Catalog
    from pipeline.replay.history import History
    from pipeline.replay.job import JobBucket

#: What must be left when a batch is given up: the answer has to get out.
RESERVE_SECONDS = 10.0


class BatchError(PipelineError):
    """The workflow's input is not what a worker expects."""


class BatchTimeoutError(PipelineError):
    """The invocation's time does not suffice for its batch."""


class Batch(NamedTuple):
    """What the workflow gives to one worker."""

    job: str
    filter: Mapping[str, Any]
    rate: float
    limit: int
    force: bool
    objects: tuple[ObjectRef, ...]

    @classmethod
    def read(cls, event: Mapping[str, Any]) -> Batch:
        """Read the invocation's event.

        Raises
        ------
        BatchError
            When something in it is missing or wrong.
        """
        try:
            shared = event["BatchInput"]
            batch = cls(
                job=check_job_id(shared["job"]),
                filter=dict(shared["filter"]),
                rate=float(shared["rate"]),
                limit=int(shared["limit"]),
                force=shared["force"] is True,
                objects=tuple(
                    ObjectRef(str(item["Key"]), int(item["Size"])) for item in event["Items"]
                ),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise BatchError(
                f"the workflow's input is broken ({error!r}); 'mozdef-ef replay --distributed' "
                "starts it with the right one"
            ) from None
        if not batch.rate > 0:
            raise BatchError(f"rate: {batch.rate} is not above 0")
        return batch


class ReplayWorker:
    """Replays batches; all of it is the code of `mozdef-ef replay`.

    Parameters
    ----------
    largest_record : int
        Bytes that the stream takes in a record, with its partition key.
    clock : Callable[[], float]
        Epoch seconds.
    """

    def __init__(
        self,
        s3: JobBucket,
        kinesis: TargetStream,
        bucket: str,
        stream: str,
        catalog: Catalog,
        *,
        largest_record: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._clock = clock
        self._kinesis = kinesis
        self._stream = stream
        self._largest_record = largest_record
        self._objects = Objects(s3, bucket)
        self._listing = ArchiveListing(s3, bucket)
        self._store = JobStore(s3, bucket)
        self._shards = ShardMap(kinesis, stream)
        self._types = EventTypes.of_catalog(catalog)
        self._windows = windows_of_catalog(catalog)
        self._filters: dict[str, Filter] = {}
        self._histories: dict[str, DeliveryHistory] = {}

    def replay(self, batch: Batch, time_left: Callable[[], float]) -> dict[str, Any]:
        """Replay a batch.

        Parameters
        ----------
        time_left : Callable[[], float]
            Seconds until Lambda ends the invocation.

        Returns
        -------
        dict[str, Any]
            The job, how many objects, the counts, and what could not be replayed.

        Raises
        ------
        PipelineError
            When the batch is not done.
        """
        wanted = self._wanted(batch)
        replayer = self._replayer(batch, wanted, time_left)
        refs = [ref for ref in batch.objects if may_hold(ref.key, wanted)]
        if not replayer.run(refs):
            raise BatchTimeoutError(
                f"{len(refs)} objects at {batch.rate:g} events a second take longer than an "
                "invocation; start the job with a higher rate, or for a shorter span"
            )
        job = replayer.job
        counts = {"objects": len(batch.objects), "objects_read": len(refs), **job.counts}
        return {"job": job.id, "counts": counts, "problems": job.problems[:10]}

    def _replayer(self, batch: Batch, wanted: Filter, time_left: Callable[[], float]) -> Replayer:
        def stop() -> bool:
            return time_left() < RESERVE_SECONDS

        pace = Pace(batch.rate)
        pace.stop_requested = stop
        writer = StreamWriter(
            self._kinesis,
            self._stream,
            self._shards,
            pace,
            largest_record=self._largest_record,
            stall_timeout=lambda: min(60.0, time_left() - RESERVE_SECONDS),
        )
        options = {"limit": batch.limit, "force": batch.force}
        job = Job(batch.job, {}, datetime.now(UTC).isoformat(), batch.filter, options)
        return Replayer(
            job,
            self._objects,
            writer,
            wanted,
            self._types,
            history=self._history(batch, wanted),
            save=lambda _: None,  # The workflow keeps the account; two workers share no state.
            stop=stop,
        )

    def _wanted(self, batch: Batch) -> Filter:
        ids_key = batch.filter.get("ids") or ""
        if batch.job not in self._filters:
            ids = self._store.load_ids(str(ids_key)) if ids_key else None
            self._filters.clear()  # One job at a time: the ids of another need not stay.
            self._filters[batch.job] = filter_from_json(dict(batch.filter), ids)
        return self._filters[batch.job]

    def _history(self, batch: Batch, wanted: Filter) -> History:
        """Return what was delivered before the job, and by which earlier ones; read once a job."""
        if batch.force:
            return UnaskedHistory()
        if batch.job not in self._histories:
            jobs = earlier_jobs(self._store, batch.job)
            replayed = replayed_since(jobs, wanted.start, self._listing, self._objects)
            self._histories.clear()
            self._histories[batch.job] = DeliveryHistory(
                self._listing, self._objects, replayed, self._windows, self._clock
            )
        return self._histories[batch.job]
