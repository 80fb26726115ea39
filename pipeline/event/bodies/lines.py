"""Bodies with a JSON value in each line."""

from __future__ import annotations

import codecs
import re

from pipeline.event.json_text import BodyError, NoJsonError, TooDeepError, parse_json, write_json

#: From the first character that is no white space: lines without one are passed over at once.
_LINE = re.compile(rb"[^ \t\r\n][^\n]*")
#: The largest bound that a source's `split.most` can have; one more is too many in any case.
MOST_LINES = 50_000


def list_of_lines(body: bytes) -> bytes:
    """Return the JSON list of a body's lines, each with its own bytes; a list stays as it is.

    A line that is no JSON value becomes a text with all of it: as an event it is rejected, and
    those before and after it are events of their own. Beyond `MOST_LINES` none is read: the list
    has one more, so that the request is rejected as one with too many events.

    Raises
    ------
    BodyError
        When there is no line at all.
    """
    body = body.removeprefix(codecs.BOM_UTF8)
    if body.lstrip().startswith(b"["):
        return body
    elements: list[bytes] = []
    for found in _LINE.finditer(body):
        elements.append(_element(found[0].rstrip()))
        if len(elements) > MOST_LINES:
            break
    if not elements:
        raise BodyError("ndjson: no line with anything in it")
    return b"[" + b",".join(elements) + b"]"


def _element(line: bytes) -> bytes:
    try:
        parse_json(line)
    except (NoJsonError, TooDeepError):
        return write_json(line.decode(errors="replace"))
    return line
