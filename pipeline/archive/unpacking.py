"""Unpacks gzip JSON lines as they arrive. What is packed is not trusted."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

from pipeline.archive.limits import LARGEST_OBJECT, LONGEST_LINE
from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PIECE_BYTES = 1024 * 1024
#: Beyond what the archive's writers put into an object. Deflate packs 1,032 to 1 at best, and text
#: that is not made to be a bomb packs far worse than this.
LARGEST_RATIO = 400

_GZIP = 16 + zlib.MAX_WBITS


class UnpackError(PipelineError):
    """An object is no gzip, is damaged, or unpacks to far more than it should."""


def unpack(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Return the unpacked bytes in pieces of a bounded size.

    Parameters
    ----------
    chunks : Iterable[bytes]
        A gzip file, of one member or several.

    Raises
    ------
    UnpackError
        Where it goes wrong; what came before has been given.
    """
    inflater = zlib.decompressobj(_GZIP)
    taken = given = 0
    for chunk in chunks:
        taken += len(chunk)
        data = chunk
        while True:
            if inflater.eof:
                data = data.lstrip(b"\0")  # RFC 1952 leaves padding after a member to its users.
                if not data:
                    break
                inflater = zlib.decompressobj(_GZIP)
            piece = _inflate(inflater, data)
            given += len(piece)
            if given > max(LARGEST_OBJECT, LARGEST_RATIO * taken):
                raise UnpackError(
                    f"unpacks to more than {LARGEST_RATIO} times its size; the rest is not read"
                )
            yield piece
            data = inflater.unused_data if inflater.eof else inflater.unconsumed_tail
            # A full piece can leave output behind although all of the input was taken.
            if not data and len(piece) < PIECE_BYTES:
                break
    if not inflater.eof:
        raise UnpackError("cut off before its end" if taken else "empty")


def _inflate(inflater: Any, data: bytes) -> bytes:
    try:
        piece: bytes = inflater.decompress(data, PIECE_BYTES)
    except zlib.error as error:
        raise UnpackError(f"no gzip, or damaged ({error})") from None
    return piece


def split_lines(
    pieces: Iterable[bytes], longest: int = LONGEST_LINE
) -> Iterator[tuple[int, bytes | None]]:
    """Return each line with its number; None for one that is too long to be kept in memory.

    Parameters
    ----------
    longest : int
        The most bytes of a line.
    """
    number, size = 0, 0
    pending: list[bytes] = []
    for piece in pieces:
        *complete, rest = piece.split(b"\n")
        for end in complete:
            number += 1
            if size:
                yield number, _joined(pending, end, size, longest)
                pending, size = [], 0
            else:
                yield number, end if len(end) <= longest else None
        size += len(rest)
        if rest and size <= longest:
            pending.append(rest)
        elif size > longest:
            pending.clear()
    if size:
        yield number + 1, _joined(pending, b"", size, longest)


def _joined(pending: list[bytes], end: bytes, size: int, longest: int) -> bytes | None:
    return b"".join((*pending, end)) if size + len(end) <= longest else None
