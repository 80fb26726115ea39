"""Lists the archive, in the order of its keys: a key is a place to go on from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from pipeline.archive.keys import SOURCE, name_of, source_of
from pipeline.archive.objects import ArchiveReadError, ObjectRef

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from pipeline.aws.seams import ReadableBucket, ServiceAnswer


class ShardObject(NamedTuple):
    """An object of one shard; the order is that of the shard.

    Parameters
    ----------
    sequence : int
        The sequence number of its first event.
    size : int
        In bytes.
    """

    sequence: int
    key: str
    size: int


class ArchiveListing:
    """Lists the archive's bucket.

    Every method raises ArchiveReadError where it cannot be listed.
    """

    def __init__(self, s3: ReadableBucket, bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket

    def objects(self, prefix: str, *, after: str = "") -> Iterator[ObjectRef]:
        """Return the objects below a prefix whose keys come after a key."""
        for item in self._items(prefix, after):
            yield ObjectRef(item["Key"], item["Size"])

    def one_page(self, prefix: str) -> list[ObjectRef] | None:
        """Return the objects below a prefix; None where one answer does not hold them."""
        page = next(self._pages(Prefix=prefix))
        if page.get("IsTruncated"):
            return None
        found = (ObjectRef(item["Key"], item["Size"]) for item in page.get("Contents", []))
        return [ref for ref in found if not ref.key.endswith("/")]

    def written(self, prefix: str) -> Iterator[tuple[ObjectRef, datetime]]:
        """Return the objects below a prefix, each with the time at which it was written."""
        for item in self._items(prefix):
            yield ObjectRef(item["Key"], item["Size"]), item["LastModified"]

    def by_shard(self, prefix: str) -> dict[str, list[ShardObject]]:
        """Return the objects below a prefix by shard, each shard's in order."""
        found: dict[str, list[ShardObject]] = {}
        for ref in self.objects(prefix):
            name = name_of(ref.key)
            if name is not None:
                item = ShardObject(name.sequence, ref.key, ref.size)
                found.setdefault(name.shard, []).append(item)
        return {shard: sorted(items) for shard, items in found.items()}

    def newest_by_shard(self, prefix: str) -> dict[str, ShardObject]:
        """Return the last object of each shard below a prefix."""
        newest: dict[str, ShardObject] = {}
        for ref in self.objects(prefix):
            name = name_of(ref.key)
            if name is not None:
                item = ShardObject(name.sequence, ref.key, ref.size)
                newest[name.shard] = max(newest.get(name.shard, item), item)
        return newest

    def sources(self, prefix: str) -> list[str]:
        """Return the sources below the prefix of a kind, `_unknown` among them."""
        return sorted(source_of(folder) for folder in self.folders(f"{prefix}{SOURCE}="))

    def folders(self, prefix: str) -> list[str]:
        """Return what follows a prefix, up to the next slash, of the keys that have one."""
        pages = self._pages(Prefix=prefix, Delimiter="/")
        folders = [item["Prefix"] for page in pages for item in page.get("CommonPrefixes", [])]
        return [folder.removeprefix(prefix) for folder in folders]

    def names(self, folder: str) -> Iterator[str]:
        """Return the names of the objects that are in a folder itself."""
        for page in self._pages(Prefix=folder, Delimiter="/"):
            for item in page.get("Contents", []):
                yield item["Key"].removeprefix(folder)

    def _items(self, prefix: str, after: str = "") -> Iterator[dict[str, Any]]:
        if after > prefix and not after.startswith(prefix):
            return  # All keys of this prefix come before it.
        start = {"StartAfter": after} if after > prefix else {}
        for page in self._pages(Prefix=prefix, **start):
            for item in page.get("Contents", []):
                if not item["Key"].endswith("/"):  # The console makes such "folders".
                    yield item

    def _pages(self, **request: Any) -> Iterator[ServiceAnswer]:
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
