"""An event source mapping of the template, running."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Self

from local.changes import Changes
from local.mapping.counters import Counters, MappingProgress
from local.mapping.destination import Destination
from local.mapping.lane import Backoff, LaneTools
from local.mapping.shard import ShardReader
from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mypy_boto3_kinesis.type_defs import ShardTypeDef

    from local.clients import Clients
    from local.mapping.lane import Invoke
    from local.mapping.settings import MappingSettings

_STOP_SECONDS = 5.0


class MappingFailedError(PipelineError):
    """A mapping ended with an error of its own."""


class EventSourceMapping:
    """Reads every shard of a stream and calls a function with what it finds.

    Parameters
    ----------
    changes : Changes
        Notified when its progress has changed.
    clock : Callable[[], float]
        The time, in seconds since the epoch.
    """

    def __init__(
        self,
        settings: MappingSettings,
        *,
        invoke: Invoke,
        clients: Clients,
        checkpoints: Path,
        backoff: Backoff | None = None,
        changes: Changes | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.settings = settings
        self._client = clients("kinesis")
        self._checkpoints = checkpoints / settings.logical_id
        self._tools = LaneTools(
            settings=settings,
            invoke=invoke,
            destination=Destination(settings, clients, clock),
            counters=Counters(),
            changes=changes or Changes(),
            stop=threading.Event(),
            clock=clock,
            backoff=backoff or Backoff(),
        )
        self._shards: list[ShardReader] = []
        self._starting = threading.Lock()

    def start(self) -> None:
        """Start reading the shards whose parents, if they have any, are read to their end.

        Called again at the end of each: as Lambda does, this begins with the children of a shard
        that was split or merged when all that was on it is settled.
        """
        with self._starting:
            shards = {each["ShardId"]: each for each in self._list_shards()}
            begun: dict[str | None, bool] = {each.shard_id: each.ended for each in self._shards}
            for shard_id, shard in shards.items():
                parents = {shard.get("ParentShardId"), shard.get("AdjacentParentShardId")}
                due = all(begun.get(one) for one in parents & set(shards))
                if due and shard_id not in begun and not self._tools.stop.is_set():
                    file = self._checkpoints / f"{shard_id}.json"
                    reader = ShardReader(self._tools, self._client, shard_id, file, self.start)
                    self._shards.append(reader)
                    reader.start()

    def signal_stop(self) -> None:
        """Have it stop after the invocations in progress, without waiting for that."""
        self._tools.stop.set()
        for shard in self._shards:
            shard.wake()

    def stop(self) -> bool:
        """Stop after the invocations in progress; what they do not settle comes again.

        Returns
        -------
        bool
            Whether they are over; they are not waited for longer than five seconds.
        """
        self.signal_stop()
        deadline = time.monotonic() + _STOP_SECONDS
        for shard in self._shards:
            shard.join(max(0.0, deadline - time.monotonic()))
        return not any(shard.alive for shard in self._shards)

    def check(self) -> None:
        """Make sure that it works.

        Raises
        ------
        MappingFailedError
            When one of its threads ended with an error.
        """
        for shard in self._shards:
            if error := shard.error():
                where = f"{self.settings.logical_id}, {shard.shard_id}"
                raise MappingFailedError(f"{where}: {error!r}") from error

    def progress(self) -> MappingProgress:
        """Return how far it is."""
        shards = [shard.progress() for shard in self._shards]
        return MappingProgress(
            idle=all(shard.idle for shard in shards),
            as_of=min((shard.as_of for shard in shards), default=0.0),
            millis_behind=max((shard.millis_behind for shard in shards), default=0),
            in_flight=sum(shard.in_flight for shard in shards),
            counters=self._tools.counters.values(),
            held=tuple(one for shard in shards for one in shard.held),
        )

    def idle(self, since: float) -> bool:
        """Tell whether all that was put on the stream before a time is settled."""
        progress = self.progress()
        return progress.idle and progress.as_of > since

    def wait_until_idle(self, seconds: float) -> bool:
        """Wait until all that is on the stream by now is settled; False when it takes longer."""
        since = time.time()

        def idle() -> bool:
            self.check()
            return self.idle(since)

        return self._tools.changes.wait_for(idle, seconds)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _list_shards(self) -> list[ShardTypeDef]:
        pages = self._client.get_paginator("list_shards").paginate(StreamName=self.settings.stream)
        return [shard for page in pages for shard in page["Shards"]]
