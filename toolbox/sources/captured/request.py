"""A caught request, and what is wrong with the file that holds one."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit

from pipeline.errors import PipelineError

#: A file that holds requests, in bytes: one request of API Gateway's most, as base64, and more.
LARGEST_CAPTURE = 20_000_000
#: What a body may have unpacked, in bytes: the most that API Gateway takes.
LARGEST_BODY = 10_485_760
MOST_REQUESTS = 200
_WINDOWS = {"gzip": 31, "x-gzip": 31, "deflate": 15}


class CaptureError(PipelineError):
    """Nothing can be taken from a capture: which file, what is wrong, and what to do."""


@dataclass(frozen=True)
class CapturedRequest:
    """One request as it was caught.

    Parameters
    ----------
    address : str
        Scheme, host and path, without a query; a path alone where no host is known.
    query : str
        As it was sent, without its question mark.
    headers : tuple[tuple[str, str], ...]
        In their order and spelling.
    body : bytes
        As it was sent: packed, where `Content-Encoding` says so.
    at : float | None
        When it was sent, in epoch seconds, where the capture says so.
    where : str
        The file, and the place in it.
    rebuilt : str
        Why the bytes of the body may be others than those that were sent; empty where they are not.
    """

    method: str
    address: str
    query: str = field(repr=False)
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    body: bytes = field(repr=False)
    at: float | None
    where: str
    rebuilt: str = ""

    @property
    def host(self) -> str:
        """The host that it was sent to, with its port; empty where none is known."""
        return urlsplit(self.address).netloc or self.header("host")

    @property
    def place(self) -> str:
        """The file's name and the place in it, without the path on this machine."""
        return Path(self.where).name

    def header(self, name: str) -> str:
        """Return a header; the last where there are several, and empty where there is none."""
        return next((v for n, v in reversed(self.headers) if n.lower() == name.lower()), "")

    @property
    def media_type(self) -> str:
        """The content type without its parameters."""
        return self.header("content-type").partition(";")[0].strip().lower()

    @cached_property
    def content(self) -> bytes:
        """The body as API Gateway hands it on: unpacked.

        Raises
        ------
        CaptureError
            When it is not what its `Content-Encoding` says, or too large.
        """
        try:
            return unpacked(self.body, self.header("content-encoding"))
        except ValueError as error:
            raise CaptureError(f"{self.where}: {error}") from None


def unpacked(body: bytes, coding: str) -> bytes:
    """Return a body as API Gateway hands it on.

    It unpacks gzip and deflate before its template or a function sees the body, and answers any
    other coding with 415: docs.aws.amazon.com/apigateway,
    api-gateway-make-request-with-compressed-payload.

    Raises
    ------
    ValueError
        When it knows the coding not, the body is no such stream, or is larger than 10 MB unpacked.
    """
    coding = coding.strip().lower()
    if coding in {"", "identity"}:
        return body
    if coding not in _WINDOWS:
        raise ValueError(f"Content-Encoding {coding[:40]!r} is none that API Gateway unpacks (415)")
    stream = zlib.decompressobj(_WINDOWS[coding])
    try:
        content = stream.decompress(body, LARGEST_BODY)
    except zlib.error:
        raise ValueError(f"the body is no {coding}, as its Content-Encoding says (415)") from None
    if stream.unconsumed_tail or not stream.eof:
        raise ValueError(f"the body is cut off, or has more than {LARGEST_BODY:,} bytes unpacked")
    return content


def address_of(url: str, where: str) -> tuple[str, str]:
    """Return a URL as its address and its query.

    Raises
    ------
    CaptureError
        When it is none.
    """
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - it is read here, and raises
    except ValueError:
        raise CaptureError(f"{where}: {url[:80]!r} is no URL") from None
    return parts._replace(query="", fragment="").geturl(), parts.query
