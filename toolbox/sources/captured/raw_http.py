"""Reads a request as it is on the wire: a request line, headers, an empty line, the body."""

from __future__ import annotations

import re

from toolbox.sources.captured.request import CapturedRequest, CaptureError, address_of

REQUEST_LINE = re.compile(rb"([A-Z]{3,10}) (\S{1,8000})(?: HTTP/[0-9.]+)?\r?\n")
_END = re.compile(rb"\r?\n\r?\n")
_MOST_HEADERS = 200
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def read_raw_http(content: bytes, file: str) -> CapturedRequest:
    """Return the request of a file.

    Raises
    ------
    CaptureError
        When it is none, or cut off.
    """
    line = REQUEST_LINE.match(content)
    if line is None:
        raise CaptureError(f"{file}: no request line, such as 'POST /path HTTP/1.1'")
    end = _END.search(content, line.end() - 2)
    head, body = (content[: end.start()], content[end.end() :]) if end else (content, b"")
    headers = _headers(head[line.end() :], file)
    method, target = line[1].decode(), line[2].decode(errors="replace")
    last = {name.lower(): value for name, value in headers}
    if target.startswith("/") and last.get("host"):
        target = f"https://{last['host']}{target}"
    address, query = address_of(target, file)
    if "chunked" in last.get("transfer-encoding", "").lower():
        body = _from_chunks(body, file)
    elif "content-length" in last:
        body = _cut(body, last["content-length"], file)
    return CapturedRequest(method, address, query, tuple(headers), body, None, file)


def _headers(head: bytes, file: str) -> list[tuple[str, str]]:
    lines = [line for line in head.decode("latin-1").splitlines() if line.strip()]
    if len(lines) > _MOST_HEADERS:
        raise CaptureError(f"{file}: {len(lines):,} headers; {_MOST_HEADERS} are the most")
    found = []
    for number, line in enumerate(lines, start=1):
        name, colon, value = line.partition(":")
        if not colon or not _NAME.fullmatch(name):
            raise CaptureError(f"{file}: header {number} is no 'Name: value'")
        found.append((name, value.strip()))
    return found


def _cut(body: bytes, length: str, file: str) -> bytes:
    size = int(length) if length.isascii() and length.isdigit() and len(length) < 12 else -1
    if size < 0:
        raise CaptureError(f"{file}: Content-Length is no number")
    if len(body) < size:
        raise CaptureError(f"{file}: cut off: {len(body):,} of {size:,} bytes of the body")
    # An editor adds a line's end; more than that is another request, or a mistake.
    if body[size:].strip():
        more = len(body) - size
        raise CaptureError(f"{file}: {more:,} bytes after the body; one request for each file")
    return body[:size]


def _from_chunks(body: bytes, file: str) -> bytes:
    pieces: list[bytes] = []
    place = 0
    while True:
        end = body.find(b"\r\n", place)
        size = _chunk_size(body[place:end].partition(b";")[0]) if end >= 0 else None
        if size is None or end + 2 + size > len(body):
            raise CaptureError(f"{file}: Transfer-Encoding is chunked, and its chunks are broken")
        if size == 0:
            return b"".join(pieces)
        pieces.append(body[end + 2 : end + 2 + size])
        place = end + 2 + size + 2


def _chunk_size(text: bytes) -> int | None:
    try:
        return int(text.strip(), 16) if 0 < len(text.strip()) < 9 else None
    except ValueError:
        return None


def is_request(content: bytes) -> bool:
    """Tell whether a file begins as a request does."""
    return REQUEST_LINE.match(content) is not None
