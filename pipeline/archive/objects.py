"""Reads objects of the archive in ranges, so that no connection waits while events are sent."""

from __future__ import annotations

import re
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from pipeline.aws.retries import RetryPolicy
from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator
    from concurrent.futures import Future

    from pipeline.aws.seams import ReadableBucket

PART_BYTES = 4 * 1024 * 1024
PARTS_AHEAD = 8
RETRIES = RetryPolicy(attempts=4)

_TOTAL = re.compile(r"bytes \d+-\d+/(\d+)")
_GONE = {"NoSuchKey", "NoSuchVersion", "404"}


class ArchiveReadError(PipelineError):
    """The archive is out of reach, or may not be read: the job cannot go on."""


class ObjectUnreadableError(PipelineError):
    """One object is gone, in cold storage or was changed: the job goes on without it."""


class ObjectGoneError(ObjectUnreadableError):
    """One object is not there any more."""


class ObjectRef(NamedTuple):
    """An object of the archive: its key, and its size in bytes."""

    key: str
    size: int


class _Part(NamedTuple):
    data: bytes
    total: int
    etag: str


class Objects:
    """Gives the bytes of objects, in constant memory.

    Each range is a request of its own. A job at a low rate would hold a body open for hours, and
    S3 closes a connection that idles.

    Parameters
    ----------
    objects_ahead : int
        How many objects are fetched ahead at most; where they are large, fewer, so that no more
        than `PARTS_AHEAD` ranges are held.
    """

    def __init__(
        self,
        s3: ReadableBucket,
        bucket: str,
        *,
        part_bytes: int = PART_BYTES,
        objects_ahead: int = PARTS_AHEAD,
    ) -> None:
        self._s3 = s3
        self._bucket = bucket
        self._part_bytes = part_bytes
        self._objects_ahead = objects_ahead

    def chunks(self, key: str) -> Iterator[bytes]:
        """Return an object's bytes.

        Raises
        ------
        ObjectUnreadableError
            When this one object cannot be read.
        ArchiveReadError
            When nothing can be read.
        """
        return self._chunks(key, lambda: self._part(key, 0, ""))

    def ahead(self, refs: Iterable[ObjectRef]) -> Generator[tuple[ObjectRef, Iterator[bytes]]]:
        """Return objects with their bytes; the first ranges of the next ones are fetched meanwhile.

        To be closed by who does not want all of them, or what is fetched ahead stays in memory.

        Parameters
        ----------
        refs : Iterable[ObjectRef]
            In the order in which they are wanted.
        """
        waiting: deque[tuple[ObjectRef, Future[_Part | None]]] = deque()
        source = iter(refs)
        held, most = 0, PARTS_AHEAD * self._part_bytes
        pool = ThreadPoolExecutor(self._objects_ahead, thread_name_prefix="archive")
        try:
            while True:
                while len(waiting) < self._objects_ahead and held < most:
                    ref = next(source, None)
                    if ref is None:
                        break
                    held += self._first_bytes(ref)
                    waiting.append((ref, pool.submit(self._part, ref.key, 0, "")))
                if not waiting:
                    return
                ref, first = waiting.popleft()
                held -= self._first_bytes(ref)
                yield ref, self._chunks(ref.key, first.result)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def _first_bytes(self, ref: ObjectRef) -> int:
        """Return how much the first range has at most; of a size that nobody knows, all."""
        return min(ref.size or self._part_bytes, self._part_bytes)

    def _chunks(self, key: str, first: Callable[[], _Part | None]) -> Iterator[bytes]:
        part = first()
        offset = 0
        while part is not None and part.data:
            yield part.data
            offset += len(part.data)
            if offset >= part.total:
                return
            part = self._part(key, offset, part.etag)

    def _part(self, key: str, offset: int, etag: str) -> _Part | None:
        last = offset + self._part_bytes - 1
        # A batch that is tried again overwrites its object; two halves must not be mixed.
        same = {"IfMatch": etag} if etag else {}
        for backoff in (*RETRIES.backoffs(), None):
            try:
                answer = self._s3.get_object(
                    Bucket=self._bucket, Key=key, Range=f"bytes={offset}-{last}", **same
                )
                # A connection that breaks under the body is not retried by the client.
                data = answer["Body"].read()
            except ClientError as error:
                if error.response["Error"]["Code"] == "InvalidRange":
                    return None  # Amazon S3 API reference: an empty object has no range.
                raise self._refusal(key, error) from None
            except BotoCoreError as error:
                if backoff is None:
                    raise ArchiveReadError(
                        f"s3://{self._bucket}/{key}: {error}; go on with --resume when S3 answers"
                    ) from None
                time.sleep(backoff)
                continue
            total = _TOTAL.fullmatch(answer.get("ContentRange", ""))
            size = int(total[1]) if total else offset + len(data)
            return _Part(data, size, answer.get("ETag", ""))
        raise AssertionError("each attempt returns or raises")

    def _refusal(self, key: str, error: ClientError) -> PipelineError:
        code = error.response["Error"]["Code"]
        if code in _GONE:
            return ObjectGoneError("the object is gone")
        if code == "PreconditionFailed":
            return ObjectUnreadableError("the object was overwritten meanwhile; replay it again")
        if code == "InvalidObjectState":
            return ObjectUnreadableError("the object is in cold storage; restore it first")
        return ArchiveReadError(f"s3://{self._bucket}/{key}: {error}; may the archive be read?")
