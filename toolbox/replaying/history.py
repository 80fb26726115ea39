"""What a replay asks the ledger before it sends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.archive.listing import ArchiveListing
from pipeline.archive.objects import Objects
from pipeline.event.fields import path_of
from pipeline.replay.history import DeliveryHistory, earlier_jobs, replayed_since
from pipeline.replay.job import JobStore
from pipeline.replay.windows import DeduplicationWindow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from pipeline.replay.job import Job
    from toolbox.deployments import RunningDeployment

#: As many as boto3 has connections (`toolbox/deployments.py`).
OBJECTS_AHEAD = 32
#: Digests of what was delivered; 16 bytes each.
_MOST_KEPT = 12_000_000


def delivery_history(
    where: RunningDeployment,
    job: Job,
    since: float | None,
    windows: Mapping[str, DeduplicationWindow],
) -> DeliveryHistory:
    """Return what was delivered before of the events that arrived since a time.

    Of a job that goes on, its own deliveries count too: what it sent after its last checkpoint.

    Raises
    ------
    PipelineError
        When the ledger or the jobs cannot be read.
    """
    s3, bucket = where.client("s3"), where.archive_bucket
    listing, objects = ArchiveListing(s3, bucket), Objects(s3, bucket, objects_ahead=OBJECTS_AHEAD)
    fresh = not job.counts and not job.position.key
    jobs = earlier_jobs(JobStore(s3, bucket), job.id if fresh else "")
    replayed = replayed_since(jobs, since, listing, objects)
    return DeliveryHistory(listing, objects, replayed, windows, most_kept=_MOST_KEPT)


def windows_of(
    folders: Mapping[str, Path], say_broken: Callable[[Iterable[str]], None]
) -> dict[str, DeduplicationWindow]:
    """Return for how long the deduplication table remembers the events of each source.

    They are those of this machine's settings. A source that is not here, or is broken, has none,
    so the table is trusted with nothing of it.

    Parameters
    ----------
    say_broken : Callable[[Iterable[str]], None]
        Is told of the folders that were left out, in a line each.
    """
    windows = {}
    # The settings' models take a tenth of a second to load: whoever asks for help needs none.
    from settings.source.loader import read_source_settings
    from toolbox.sources.sound import read_sound

    found, broken = read_sound(folders, read_source_settings)
    say_broken(broken)
    for name, settings in found.items():
        identity = settings.delivery_id
        windows[name] = DeduplicationWindow(
            ids=settings.deduplication_hours * 3_600.0,
            bodies=settings.remembered_body_hours * 3_600.0,
            header=identity.header.lower() if identity and identity.header else None,
            needed=tuple(map(path_of, identity.needed_paths)) if identity else (),
            optional=tuple(map(path_of, identity.where_present)) if identity else (),
            split=path_of(settings.split.path) if settings.split else None,
        )
    return windows
