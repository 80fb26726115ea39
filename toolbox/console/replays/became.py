"""What became of what a replay sent, as a page tells it: the same as `mozdef-ef replay --wait`."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from pipeline.archive.listing import ArchiveListing
from pipeline.archive.objects import Objects
from pipeline.errors import PipelineError
from toolbox.replaying.becoming import ReplayFate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.replay.job import Job
    from toolbox.console.scene import ConsoleScene

#: So long after a job's end the ledger is read for it, and so long one look takes.
_AFTER, _SECONDS = timedelta(hours=1), 10.0
#: Looks between two at the failure records, which are written last.
_ROUNDS = 5
_AHEAD = 8


@dataclass(frozen=True)
class Became:
    """What is known by now.

    Parameters
    ----------
    counts : Mapping[str, Any]
        What `replay --wait --json` prints as `became`; empty where nothing was sent.
    bound : str
        What was not read, and why.
    """

    counts: Mapping[str, Any] = field(default_factory=dict)
    bound: str = ""

    @property
    def is_settled(self) -> bool:
        """Whether nothing is open."""
        return not self.counts.get("open")


class BecomingLooks:
    """Looks again and again at what became of one job, which has ended."""

    def __init__(self, scene: ConsoleScene, job: Job) -> None:
        s3 = scene.archive or scene.where.client("s3")
        bucket = scene.where.archive_bucket
        objects = Objects(s3, bucket, objects_ahead=_AHEAD)
        self._job = job
        self._fate = ReplayFate(job, ArchiveListing(s3, bucket), objects)
        self._rounds = 0

    def look(self) -> Became:
        """Read what was written since the last look."""
        if not self._job.counts.get("sent"):
            return Became()
        now, until = datetime.now(UTC), time.monotonic() + _SECONDS
        # Its state is the archive's, so it can name any time.
        ended = min(now, datetime.fromisoformat(self._job.updated)) if self._job.updated else now
        end = min(now, ended + _AFTER)
        with_failures = self._rounds % _ROUNDS == 0
        self._rounds += 1
        bound = ""
        try:
            all_read = self._fate.look(
                end, failures=with_failures, enough=lambda: time.monotonic() > until
            )
        except PipelineError as error:
            bound = f"the ledger was not read to its end: {error}"
        else:
            if not all_read:
                bound = f"the ledger was read for {_SECONDS:.0f} s, and not to its end"
            elif self._fate.still_open and end < now:
                bound = f"the ledger was read up to {end:%Y-%m-%d %H:%M} UTC"
        return Became(self._fate.to_json(), bound)
