"""Reads the requests of a HAR file (HTTP Archive 1.2), as browsers, proxies and web tools write it.

What is read: `log.entries[].request` with `method`, `url`, `headers`, `postData`, and
`startedDateTime`. Everything else is passed over.
"""

from __future__ import annotations

import base64
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

import orjson

from toolbox.sources.captured.request import (
    MOST_REQUESTS,
    CapturedRequest,
    CaptureError,
    address_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

_MOST_HEADERS = 200


def read_har(content: bytes, file: str) -> list[CapturedRequest]:
    """Return the requests of a HAR file.

    Raises
    ------
    CaptureError
        When it is none, or has more than `MOST_REQUESTS` entries.
    """
    try:
        document = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise CaptureError(f"{file}: not JSON, as a HAR file is: {error}") from None
    entries = _at(document, "log", "entries")
    if not isinstance(entries, list):
        raise CaptureError(f"{file}: JSON, and no HAR file: it has no list at log.entries")
    if len(entries) > MOST_REQUESTS:
        raise CaptureError(
            f"{file}: {len(entries):,} entries; leave in what the sender sent, {MOST_REQUESTS} at "
            "most"
        )
    return [
        _request(entry, f"{file}, log.entries.{number}") for number, entry in enumerate(entries)
    ]


def _request(entry: Any, where: str) -> CapturedRequest:
    request = _at(entry, "request")
    method, url = _at(request, "method"), _at(request, "url")
    if not isinstance(method, str) or not isinstance(url, str):
        raise CaptureError(f"{where}: no request with a method and a url")
    address, query = address_of(url, where)
    body, rebuilt = _body(_at(request, "postData"), where)
    return CapturedRequest(
        method.upper(),
        address,
        query,
        tuple(_headers(_at(request, "headers"))),
        body,
        _time(_at(entry, "startedDateTime")),
        where,
        rebuilt,
    )


def _headers(listed: Any) -> Iterator[tuple[str, str]]:
    for one in (listed if isinstance(listed, list) else [])[:_MOST_HEADERS]:
        name, value = _at(one, "name"), _at(one, "value")
        # HTTP/2 writes method and address among the headers, with a colon before the name.
        if isinstance(name, str) and isinstance(value, str) and not name.startswith(":"):
            yield name, value


def _body(data: Any, where: str) -> tuple[bytes, str]:
    text, params = _at(data, "text"), _at(data, "params")
    if isinstance(text, str) and text:
        if _at(data, "encoding") == "base64":
            try:
                return base64.b64decode(text, validate=True), ""
            except ValueError:
                raise CaptureError(f"{where}.request.postData: its base64 is broken") from None
        try:
            return text.encode(), ""
        except UnicodeEncodeError:
            raise CaptureError(f"{where}.request.postData: half a character in its text") from None
    if isinstance(params, list) and params:
        pairs = [(str(_at(one, "name") or ""), str(_at(one, "value") or "")) for one in params]
        form = "&".join(f"{quote_plus(name)}={quote_plus(value)}" for name, value in pairs)
        return form.encode(errors="replace"), "the HAR file has the form's fields, and not its text"
    return b"", ""


def _time(text: Any) -> float | None:
    try:
        when = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    return when.timestamp() if when.tzinfo else None


def _at(node: Any, *keys: str) -> Any:
    for key in keys:
        node = node.get(key) if isinstance(node, dict) else None
    return node
