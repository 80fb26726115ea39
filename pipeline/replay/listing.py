"""Which objects of the archive a job reads, in an order in which it can go on."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from pipeline.archive.lines import PREFIXES, ArchiveKind, kind_of
from pipeline.archive.objects import ArchiveReadError, ObjectRef
from pipeline.event.events import UNKNOWN_SOURCE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.replay.filters import Filter

_DAY = re.compile(r"/(\d{4})/(\d{2})/(\d{2})/[^/]*$")
_PLACE = re.compile(r"/source=([^/]*)/(dt=\d{4}-\d{2}-\d{2}/hr=\d{2})/")
_HOUR = len("dt=YYYY-MM-DD/hr=HH")


class Listing:
    """Lists the archive in the order of its keys, so that a key is a place to go on from.

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

    def objects(self, wanted: Filter, after: str = "") -> Iterator[ObjectRef]:
        """Give the objects that can hold what is wanted.

        Parameters
        ----------
        wanted : Filter
            Its kinds, sources and times narrow the listing.
        after : str
            Only objects whose keys come after this one.

        Raises
        ------
        ArchiveReadError
            When the archive cannot be listed.
        """
        for kind in sorted(wanted.kinds, key=PREFIXES.__getitem__):
            if kind is ArchiveKind.FAILED:
                yield from self._failed(wanted, after)
            else:
                for prefix in self._source_prefixes(kind, wanted):
                    yield from self._hours(prefix, wanted, after)

    def measure(self, wanted: Filter, after: str = "") -> tuple[int, int]:
        """Give how many objects there are, and their size in bytes."""
        count = size = 0
        for ref in self.objects(wanted, after):
            count += 1
            size += ref.size
        return count, size

    def _source_prefixes(self, kind: ArchiveKind, wanted: Filter) -> list[str]:
        root = PREFIXES[kind]
        if wanted.sources:
            # Events of a source that was not deployed at the time are under `_unknown`.
            return sorted(f"{root}source={name}/" for name in {*wanted.sources, UNKNOWN_SOURCE})
        pages = self._pages(Prefix=f"{root}source=", Delimiter="/")
        return sorted(item["Prefix"] for page in pages for item in page.get("CommonPrefixes", []))

    def _hours(self, prefix: str, wanted: Filter, after: str) -> Iterator[ObjectRef]:
        first = prefix + _hour(wanted.start) if wanted.start is not None else ""
        last = _hour(wanted.end) if wanted.end is not None else ""
        for ref in self._keys(prefix, max(first, after)):
            if last and ref.key[len(prefix) :][:_HOUR] > last:
                return
            yield ref

    def _failed(self, wanted: Filter, after: str) -> Iterator[ObjectRef]:
        # A failure record is written after its events arrived: only too old ones can be left out.
        first = datetime.fromtimestamp(wanted.start or 0.0, UTC) - timedelta(days=1)
        for ref in self._keys(PREFIXES[ArchiveKind.FAILED], after):
            day = _DAY.search(ref.key)
            if day is None or (day[1], day[2], day[3]) >= tuple(f"{first:%Y %m %d}".split()):
                yield ref

    def _keys(self, prefix: str, after: str) -> Iterator[ObjectRef]:
        if after > prefix and not after.startswith(prefix):
            return  # All keys of this prefix come before it.
        start = {"StartAfter": after} if after > prefix else {}
        for page in self._pages(Prefix=prefix, **start):
            for item in page.get("Contents", []):
                if not item["Key"].endswith("/"):  # The console makes such "folders".
                    yield ObjectRef(item["Key"], item["Size"])

    def _pages(self, **request: Any) -> Iterator[dict[str, Any]]:
        request["Bucket"] = self._bucket
        try:
            while True:
                page = self._s3.list_objects_v2(**request)
                yield page
                if not page.get("IsTruncated"):
                    return
                request["ContinuationToken"] = page["NextContinuationToken"]
        except (BotoCoreError, ClientError) as error:
            raise ArchiveReadError(
                f"s3://{self._bucket}/{request['Prefix']}: cannot be listed: {error}"
            ) from None


def may_hold(key: str, wanted: Filter) -> bool:
    """Tell by an object's key alone whether it can hold what is wanted."""
    kind = kind_of(key)
    if kind not in wanted.kinds:
        return False
    place = _PLACE.search(key)
    if kind is ArchiveKind.FAILED or place is None:
        return True
    source, hour = place[1], place[2]
    early = wanted.start is not None and hour < _hour(wanted.start)
    late = wanted.end is not None and hour > _hour(wanted.end)
    named = not wanted.sources or source in {*wanted.sources, UNKNOWN_SOURCE}
    return named and not early and not late


def _hour(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):dt=%Y-%m-%d/hr=%H}"
