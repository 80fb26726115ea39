"""The form of the archive's keys: prefixes, partitions, and the names of objects.

    <prefix>source=<source>/dt=YYYY-MM-DD/hr=HH/<shard>-<first sequence number>.jsonl.gz

Where one record of the stream fills more than an object, the later ones are called
`<shard>-<sequence number>.part2.jsonl.gz` and so on, which sorts after the first.

The ledger's keys have no source; days and hours are in UTC. An event source mapping chooses the
keys of its failure records itself (AWS Lambda Developer Guide, retaining discarded records in
S3); they end in `/YYYY/MM/DD/<name>`.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from pipeline.event.times import hours_since_epoch

if TYPE_CHECKING:
    from collections.abc import Iterator

RAW_PREFIX = "raw/"
REJECTED_PREFIX = "rejected/"
QUARANTINE_PREFIX = "quarantine/"
LEDGER_PREFIX = "ledger/"
FAILED_PREFIX = "aws/lambda/"
#: What operators did: the replay's jobs, tickets that were dismissed, schemas that were changed.
JOBS_PREFIX = "jobs/"
REPLAYS_PREFIX = f"{JOBS_PREFIX}replay/"
DISMISSED_PREFIX = f"{JOBS_PREFIX}dismissed/"
SCHEMAS_PREFIX = f"{JOBS_PREFIX}schemas/"
QUERY_RESULTS_PREFIX = "athena-results/"

#: The partitions, as the tables over the archive name them too.
SOURCE, DAY, HOUR = "source", "dt", "hr"

_PARTITION = re.compile(rf"/{SOURCE}=([^/]*)/({DAY}=\d{{4}}-\d{{2}}-\d{{2}}/{HOUR}=\d{{2}}/)")
_DAY_WRITTEN = re.compile(r"/(\d{4})/(\d{2})/(\d{2})/[^/]*$")
_SHARD = re.compile(r"/(shardId-[A-Za-z0-9]+)[-/]")
_NAME = re.compile(
    r"(?P<shard>shardId-[A-Za-z0-9]+)-(?P<sequence>\d{1,128})(?:\.part\d{1,4})?\.jsonl\.gz"
)


class ArchiveKind(StrEnum):
    """Where in the archive an event is."""

    RAW = "raw"
    REJECTED = "rejected"
    QUARANTINE = "quarantine"
    FAILED = "failed"

    @property
    def prefix(self) -> str:
        """What the keys of its objects begin with."""
        return _PREFIXES[self]


_PREFIXES = {
    ArchiveKind.FAILED: FAILED_PREFIX,
    ArchiveKind.QUARANTINE: QUARANTINE_PREFIX,
    ArchiveKind.RAW: RAW_PREFIX,
    ArchiveKind.REJECTED: REJECTED_PREFIX,
}


class Partition(NamedTuple):
    """What a key says of the events in its object: their source, and the folder of their hour."""

    source: str
    hour: str

    @property
    def begins(self) -> datetime:
        """When its hour begins.

        Raises
        ------
        ValueError
            When there is no such hour.
        """
        return datetime.strptime(self.hour, f"{DAY}=%Y-%m-%d/{HOUR}=%H/").replace(tzinfo=UTC)


class ObjectName(NamedTuple):
    """What an object's name says: the shard, and the sequence number of its first event."""

    shard: str
    sequence: int


def kind_of(key: str) -> ArchiveKind | None:
    """Tell an object's kind by its key; None for one that holds no events."""
    return next((kind for kind, prefix in _PREFIXES.items() if key.startswith(prefix)), None)


def source_folder(source: str) -> str:
    """Return the part of a key that names a source."""
    return f"{SOURCE}={source}/"


def source_of(folder: str) -> str:
    """Return the source that a key's folders end in."""
    return folder.rstrip("/").rpartition(f"{SOURCE}=")[2]


def day_folder(when: datetime) -> str:
    """Return the part of a key that names a day in UTC."""
    return f"{DAY}={when.astimezone(UTC):%Y-%m-%d}/"


def hour_folder(seconds: float) -> str:
    """Return the part of a key that names day and hour of a time in epoch seconds."""
    return _hour_folder(hours_since_epoch(seconds))


# The events of a batch share it, and the date is the costly part.
@lru_cache(maxsize=64)
def _hour_folder(hours: int) -> str:
    when = datetime.fromtimestamp(hours * 3_600, UTC)
    return f"{day_folder(when)}{HOUR}={when:%H}/"


def hour_folders(start: datetime, end: datetime) -> Iterator[str]:
    """Return the folders of the hours that begin before `end`, from the one that holds `start`."""
    hour = start.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    while hour < end:
        yield hour_folder(hour.timestamp())
        hour += timedelta(hours=1)


def object_name(shard_id: str, sequence_number: str, part: int = 0) -> str:
    """Return the name of the object whose first event is the one at this place.

    Parameters
    ----------
    part : int
        How many objects begin within the same record before it.
    """
    later = f".part{part + 1}" if part else ""
    return f"{shard_id}-{sequence_number}{later}.jsonl.gz"


def partition_of(key: str) -> Partition | None:
    """Read source and hour in a key; None where it names none."""
    found = _PARTITION.search(key)
    return None if found is None else Partition(found[1], found[2])


def name_of(key: str) -> ObjectName | None:
    """Read the name of an object of a shard; None for one that the archive did not write."""
    found = _NAME.fullmatch(key.rpartition("/")[2])
    return None if found is None else ObjectName(found["shard"], int(found["sequence"]))


def shard_of(key: str) -> str:
    """Read the shard in a key, that of a failure record included; empty where it names none."""
    found = _SHARD.search(key)
    return "" if found is None else found[1]


def day_written(key: str) -> tuple[int, int, int] | None:
    """Read year, month and day in a failure record's key; None where it names none."""
    found = _DAY_WRITTEN.search(key)
    return None if found is None else (int(found[1]), int(found[2]), int(found[3]))
