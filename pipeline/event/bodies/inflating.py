"""Decompresses bodies, within a bound."""

from __future__ import annotations

import zlib

from pipeline.event.json_text import BodyError

#: In bytes, of all that is decompressed of one body. A record of the stream has 1 MiB, or 10 where
#: the stage says so; logs are packed to a tenth.
LARGEST = 16 * 1_048_576
_GZIP = b"\x1f\x8b\x08"
#: zlib's word for a gzip header, and the largest window.
_GZIP_WINDOW = 31


class Inflating:
    """Decompresses what one body holds; all of it together is bounded.

    The bytes say what is compressed: neither Content-Encoding nor Content-Type is signed, and API
    Gateway decompresses what Content-Encoding names before anybody sees it.
    """

    def __init__(self, largest: int = LARGEST) -> None:
        self._left = largest

    def plain(self, content: bytes) -> bytes:
        """Return content, decompressed where it begins as a gzip stream does (RFC 1952).

        Raises
        ------
        BodyError
            When it is a broken stream, or several, or one in another; or beyond the bound.
        """
        if not content.startswith(_GZIP):
            return content
        stream = zlib.decompressobj(_GZIP_WINDOW)
        try:
            plain = stream.decompress(content, self._left + 1)
        except zlib.error as error:
            raise BodyError(f"gzip: {error}") from None
        if len(plain) > self._left:
            raise BodyError(f"gzip: more than {LARGEST:,} bytes in one body")
        if not stream.eof:
            raise BodyError("gzip: the stream ends too soon")
        if stream.unused_data:
            raise BodyError("gzip: bytes after the stream")
        if plain.startswith(_GZIP):
            raise BodyError("gzip: another stream is in the stream")
        self._left -= len(plain)
        return plain
