"""What explains the events of a deployment that runs: its archive, table, queues and log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from local import endpoints
from local.queue_look import look_at
from pipeline.archive.listing import ArchiveListing
from pipeline.archive.objects import Objects
from pipeline.errors import PipelineError
from pipeline.replay.history import earlier_jobs
from pipeline.replay.job import JobStore
from settings.source.loader import SourceError, load_source
from settings.stack_outputs import StackOutput
from toolbox.deployments import local_clients
from toolbox.explaining.archive_search import ArchiveSearch
from toolbox.explaining.explainer import Explainer
from toolbox.explaining.passages import Sights
from toolbox.explaining.sights import (
    DeliveredTable,
    LocalBatchLog,
    SeenInQueues,
    StackBatchLog,
    UnseenQueues,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from pipeline.aws.seams import ReadableBucket
    from settings.source.loader import LoadedSource
    from toolbox.deployments import RunningDeployment
    from toolbox.explaining.found import ReadingNotes
    from toolbox.explaining.sights import BatchLog, QueueSight

_AHEAD = 8


class ExplainError(PipelineError):
    """It cannot be told what is to be explained."""


@dataclass(frozen=True)
class Explained:
    """A deployment whose events are explained.

    Parameters
    ----------
    state : Path
        The state directory of the local pipeline; of no meaning with a stack.
    stack : str
        The name of a deployed stack; empty for the local pipeline.
    folders : Mapping[str, Path]
        The folder of each source of this machine.
    archive : ReadableBucket | None
        What reads the archive, where that is not boto3's client.
    """

    where: RunningDeployment
    state: Path
    stack: str
    folders: Mapping[str, Path]
    archive: ReadableBucket | None = None

    def listing(self) -> ArchiveListing:
        """Return what lists its archive."""
        return ArchiveListing(self._bucket(), self.where.archive_bucket)

    def objects(self) -> Objects:
        """Return what reads its archive."""
        return Objects(self._bucket(), self.where.archive_bucket, objects_ahead=_AHEAD)

    def explainer(self, notes: ReadingNotes, most_bytes: int) -> Explainer:
        """Return what explains its events, to be closed.

        Parameters
        ----------
        most_bytes : int
            So much of the archive is read, packed.
        """
        search = ArchiveSearch(self.listing(), self.objects(), notes, most_bytes)
        return Explainer(search, self._sights(notes), notes)

    def _bucket(self) -> ReadableBucket:
        return self.archive or self.where.client("s3")

    def _sights(self, notes: ReadingNotes) -> Sights:
        where = self.where
        return Sights(
            DeliveredTable(where.client("dynamodb"), where.dedupe_table, notes.lacks),
            self._queues(),
            self._batches(notes),
            lambda: earlier_jobs(JobStore(where.client("s3"), where.archive_bucket), ""),
            lambda name: self._load(name, notes),
        )

    def _queues(self) -> QueueSight:
        if self.stack:
            return UnseenQueues()
        found = endpoints.read(self.state)
        return SeenInQueues(lambda: _messages(found))

    def _batches(self, notes: ReadingNotes) -> BatchLog:
        if self.stack:
            return StackBatchLog(self.where.client("logs"), self._fan_out(), notes.lacks)
        folder = self.state if self.state.is_dir() else self.state.parent
        return LocalBatchLog(folder / "logs")

    def _fan_out(self) -> str:
        try:
            (found,) = self.where.client("cloudformation").describe_stacks(StackName=self.stack)[
                "Stacks"
            ]
        except (BotoCoreError, ClientError) as error:
            raise ExplainError(f"{self.stack}: cannot be described: {error}") from None
        outputs = {one["OutputKey"]: one["OutputValue"] for one in found.get("Outputs", [])}
        return outputs.get(StackOutput.FAN_OUT_FUNCTION_NAME, "")

    def _load(self, name: str, notes: ReadingNotes) -> LoadedSource | None:
        folder = self.folders.get(name)
        if folder is None:
            return None
        try:
            return load_source(folder)
        except SourceError as error:
            notes.lacks(error.lines[0])
            return None


def _messages(where: endpoints.Endpoints) -> Iterator[tuple[str, Any]]:
    pages = local_clients(where)("sqs").get_paginator("list_queues").paginate()
    for url in sorted(url for page in pages for url in page.get("QueueUrls", [])):
        if url != where.dead_letter_queue:
            for message in look_at(where, url):
                yield url.rpartition("/")[2], message
