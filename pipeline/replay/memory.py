"""What a job remembers of what it sent, and of what was delivered before, in bounded memory."""

from __future__ import annotations

from bisect import bisect_left
from hashlib import blake2b
from typing import TYPE_CHECKING

from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from collections.abc import Hashable

MOST = 100_000
DIGEST_BYTES = 16
#: 160 MB.
MOST_DIGESTS = 10_000_000
CHUNK_DIGESTS = 500_000


class Recent:
    """The requests that were sent lately.

    Several rejected lines can come from one request, and an event can be in `raw/` again because
    it was replayed. What is forgotten is sent twice, and is then a duplicate.

    Parameters
    ----------
    most : int
        How many are remembered at most.
    """

    def __init__(self, most: int = MOST) -> None:
        self._half = most // 2
        self._current: set[int] = set()
        self._previous: set[int] = set()

    def __contains__(self, request: Hashable) -> bool:
        value = hash(request)
        return value in self._current or value in self._previous

    def add(self, request: Hashable) -> None:
        """Remember one; the older half is forgotten when there are too many."""
        self._current.add(hash(request))
        if len(self._current) >= self._half:
            self._previous, self._current = self._current, set()


class TooManyRequestsError(PipelineError):
    """More requests than a process should keep in memory."""


class DigestSet:
    """Ids that are kept as digests of 16 bytes each, so that millions of them fit into memory.

    What is added is sorted a chunk at a time, and looked up by halving: a set of Python's would
    take six times as much. By chance, two different ids are one among 10^12 in fewer than one of
    10^14 sets.

    Parameters
    ----------
    most : int
        How many there can be at most.
    """

    def __init__(self, most: int = MOST_DIGESTS) -> None:
        self._most = most
        self._open: set[bytes] = set()
        self._chunks: list[bytes] = []

    def __len__(self) -> int:
        return len(self._open) + sum(map(len, self._chunks)) // DIGEST_BYTES

    def __contains__(self, text: str) -> bool:
        value = _digest(text)
        return value in self._open or any(_holds(chunk, value) for chunk in self._chunks)

    def add(self, text: str) -> None:
        """Keep one.

        Raises
        ------
        TooManyRequestsError
            When there are too many.
        """
        self._open.add(_digest(text))
        if len(self._open) < CHUNK_DIGESTS:
            return
        self.pack()
        if len(self) >= self._most:
            raise TooManyRequestsError(
                f"the ledger knows more than {self._most:,} requests of an hour, or of earlier "
                "replays, that were delivered; narrow the span with --from, or send all of it with "
                "--force"
            )

    def pack(self) -> None:
        """Bring what was added lately into the form that takes the least memory."""
        if self._open:
            self._chunks.append(b"".join(sorted(self._open)))
            self._open = set()


def _digest(text: str) -> bytes:
    return blake2b(text.encode(errors="surrogatepass"), digest_size=DIGEST_BYTES).digest()


def _holds(chunk: bytes, value: bytes) -> bool:
    def at(place: int) -> bytes:
        return chunk[place * DIGEST_BYTES : (place + 1) * DIGEST_BYTES]

    count = len(chunk) // DIGEST_BYTES
    place = bisect_left(range(count), value, key=at)
    return place < count and at(place) == value
