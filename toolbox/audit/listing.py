"""Which objects of the archive an audit has to read, by hour and shard."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_NAME = re.compile(r"^(?P<shard>shardId-[A-Za-z0-9]+)-(?P<sequence>\d+)\.jsonl\.gz$")
LARGEST_SEQUENCE_NUMBER_DIGITS = 128


@dataclass(frozen=True, order=True)
class ArchiveObject:
    """One object of the archive; the order is that of the shard."""

    sequence: int
    key: str
    size: int


def hours(start: datetime, end: datetime) -> Iterator[datetime]:
    """Give each hour that begins before `end`, from the one that holds `start`."""
    hour = start.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    while hour < end:
        yield hour
        hour += timedelta(hours=1)


def hour_prefix(hour: datetime) -> str:
    """Give the part of a key that names an hour."""
    return f"dt={hour:%Y-%m-%d}/hr={hour:%H}/"


class Listing:
    """Lists the archive.

    Parameters
    ----------
    s3 : Any
        A boto3 S3 client.
    bucket : str
        The archive's bucket.
    """

    def __init__(self, s3: Any, bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket

    def sources(self) -> list[str]:
        """Give the names of the sources that `raw/` has, `_unknown` among them."""
        pages = self._s3.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix="raw/source=", Delimiter="/"
        )
        prefixes = [item["Prefix"] for page in pages for item in page.get("CommonPrefixes", [])]
        return sorted(prefix.split("source=", 1)[1].rstrip("/") for prefix in prefixes)

    def by_shard(self, prefix: str) -> dict[str, list[ArchiveObject]]:
        """Give the objects below a prefix by shard, each shard's in order."""
        found: dict[str, list[ArchiveObject]] = {}
        for key, size, _ in self.keys(prefix):
            name = _NAME.match(key.rpartition("/")[2])
            if name and len(name["sequence"]) <= LARGEST_SEQUENCE_NUMBER_DIGITS:
                item = ArchiveObject(int(name["sequence"]), key, size)
                found.setdefault(name["shard"], []).append(item)
        return {shard: sorted(items) for shard, items in found.items()}

    def keys(self, prefix: str) -> Iterator[tuple[str, int, datetime]]:
        """Give key, size in bytes and time of writing of each object below a prefix."""
        pages = self._s3.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=prefix
        )
        for page in pages:
            for item in page.get("Contents", []):
                yield item["Key"], item["Size"], item["LastModified"]
