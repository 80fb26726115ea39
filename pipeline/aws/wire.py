"""HTTP/1.1 as it goes over the wire: a request as bytes, and the reader of an answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import httptools

if TYPE_CHECKING:
    from collections.abc import Mapping

#: What is kept of an answer's headers: AWS's own, and what says which part of which object it is.
_KEPT = (b"x-amz", b"content-range", b"etag")


@dataclass(frozen=True, slots=True)
class RawResponse:
    """The answer to a request.

    Parameters
    ----------
    headers : Mapping[str, str]
        By lower-case name: AWS's own, which begin with `x-amz`, `content-range` and `etag`.
    """

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


def request_bytes(method: str, path: str, body: bytes, headers: Mapping[str, str]) -> bytes:
    """Return a request as it goes over the wire.

    Parameters
    ----------
    headers : Mapping[str, str]
        All but the length of the body; none may hold a line break.
    """
    lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
    head = f"{method} {path} HTTP/1.1\r\n{lines}content-length: {len(body)}\r\n\r\n"
    return head.encode() + body


class ResponseReader:
    """Takes one answer from the parser, piece by piece."""

    def __init__(self) -> None:
        self.parser = httptools.HttpResponseParser(self)
        self.parts: list[bytes] = []
        self.size = 0
        self.status = 0
        self.kept = False
        self.complete = False
        self.headers: dict[str, str] = {}

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep what AWS says beside the body, such as the name of an error."""
        lower = name.lower()
        if lower.startswith(_KEPT):
            self.headers[lower.decode("latin-1")] = value.decode("latin-1").strip()

    def on_headers_complete(self) -> None:
        """Take what the head of the answer says."""
        # Asked here, because the parser forgets it with the end of the message.
        self.status = self.parser.get_status_code()
        self.kept = self.parser.should_keep_alive()

    def on_body(self, part: bytes) -> None:
        """Take a part of the body."""
        self.parts.append(part)
        self.size += len(part)

    def on_message_complete(self) -> None:
        """See that all of it is there."""
        self.complete = True
