"""The events of an answer, each as the very bytes that the sender wrote."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.event.fields import find
from pipeline.polling.errors import PollError

if TYPE_CHECKING:
    from pipeline.event.fields import FieldPath

# Numbers stay text: a large integer would lose digits, and one of 5,000 digits is an error.
# Control characters and constants pass, for one odd event must not block its feed: whatever is no
# JSON is rejected behind the stream, where it leaves a ticket.
_DECODER = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=str, strict=False)
_SPACE = re.compile(r"[ \t\n\r]*")


@dataclass(frozen=True)
class PageEvent:
    """One event: its bytes, and its value with numbers as text."""

    data: bytes
    value: Any


@dataclass(frozen=True)
class Page:
    """What an answer holds; `document` has numbers as text."""

    events: list[PageEvent]
    document: Any


def read_page(body: bytes, path: FieldPath) -> Page:
    """Read an answer.

    Parameters
    ----------
    body : bytes
        The answer's body. Bytes that are no UTF-8 stay as they are.
    path : FieldPath
        Where the list of events is.

    Raises
    ------
    PollError
        When it is no JSON, or there is no list at the path. The message holds nothing of it.
    """
    text = body.decode("utf-8", errors="surrogateescape")
    try:
        document, end = _DECODER.raw_decode(text, _skip(text, 0))
        if _skip(text, end) != len(text):
            raise PollError(f"the answer is no JSON: more follows its end at character {end}")
        events = find(document, path)
        where = ".".join(path) or "the answer itself"
        if events is None and _holds_null(document, path):
            return Page([], document)
        if not isinstance(events, list):
            raise PollError(f"the answer has no list of events at {where}")
        spans = _spans(text, _locate(text, path), len(events))
    except json.JSONDecodeError as error:
        raise PollError(f"the answer is no JSON: {error.msg} at character {error.pos}") from None
    except RecursionError:
        raise PollError("the answer is nested too deeply") from None
    found = [
        PageEvent(text[start:stop].encode("utf-8", errors="surrogateescape"), value)
        for (start, stop), value in zip(spans, events, strict=True)
    ]
    return Page(found, document)


def _holds_null(document: Any, path: FieldPath) -> bool:
    parent = find(document, path[:-1])
    return bool(path) and isinstance(parent, dict) and path[-1] in parent


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def _locate(text: str, path: FieldPath) -> int:
    """Find where a value begins in a text that was parsed before."""
    at = _skip(text, 0)
    for part in path:
        at = _member(text, at, part) if text[at] == "{" else _element(text, at, int(part))
    return at


def _member(text: str, at: int, name: str) -> int:
    """Find a member of an object: the last of its name, as the parser takes it."""
    found = -1
    at = _skip(text, at + 1)
    while text[at] != "}":
        key, at = _DECODER.raw_decode(text, at)
        at = _skip(text, _skip(text, at) + 1)
        if key == name:
            found = at
        at = _after_comma(text, _DECODER.raw_decode(text, at)[1])
    return found


def _element(text: str, at: int, index: int) -> int:
    at = _skip(text, at + 1)
    for _ in range(index):
        at = _after_comma(text, _DECODER.raw_decode(text, at)[1])
    return at


def _after_comma(text: str, at: int) -> int:
    at = _skip(text, at)
    return _skip(text, at + 1) if text[at] == "," else at


def _spans(text: str, at: int, count: int) -> list[tuple[int, int]]:
    spans = []
    at = _skip(text, at + 1)
    for _ in range(count):
        end = _DECODER.raw_decode(text, at)[1]
        spans.append((at, end))
        at = _after_comma(text, end)
    return spans
