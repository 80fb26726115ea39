"""Takes a JSON text with a list of events apart by its bytes, so that each keeps the sender's own.

Nothing is parsed here but the keys on the way to the list: how deep an element is nested, how
large its numbers are, and whether it is JSON at all, is each element's own affair.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson

from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from pipeline.event.fields import FieldPath

_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
#: Up to the next bracket that is in no string: possessive, so that the time grows with the bytes.
_TO_BRACKET = re.compile(rb'(?:[^"\[\]{}]++|' + _STRING + rb")*+[\[\]{}]", re.DOTALL)
_STRING_VALUE = re.compile(_STRING, re.DOTALL)
_SCALAR = re.compile(rb"[^\s,\[\]{}\":]++")
_SPACE = re.compile(rb"[ \t\n\r]*+")
_OPENING = b"[{"


class ElementsError(PipelineError):
    """The brackets, commas and strings around the list do not make sense."""


@dataclass(frozen=True, slots=True)
class Elements:
    """What is in a list.

    Parameters
    ----------
    frame : bytes
        The whole text, with an empty list in the place of this one.
    elements : list[bytes]
        The bytes of each element.
    """

    frame: bytes
    elements: list[bytes]


def take_apart(text: bytes, path: FieldPath) -> Elements | None:
    """Find a list and the bytes of its elements.

    Parameters
    ----------
    path : FieldPath
        Where the list is; () where the text itself is the list.

    Returns
    -------
    Elements | None
        None where there is no list at the path.

    Raises
    ------
    ElementsError
        When the text ends too soon, or has something else where a comma or a bracket belongs.
    """
    at = _skip_space(text, 0)
    for part in path:
        opening = text[at : at + 1]
        if opening == b"{":
            found = _member(text, at, part)
        elif opening == b"[" and part.isascii() and part.isdigit():
            found = _nth(text, at, int(part[:9]))
        else:
            return None
        if found is None:
            return None
        at = found
    if text[at : at + 1] != b"[":
        return None
    spans, end = _spans(text, at)
    frame = text[: at + 1] + text[end - 1 :]
    return Elements(frame, [text[start:stop] for start, stop in spans])


def _skip_space(text: bytes, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _spans(text: bytes, at: int) -> tuple[list[tuple[int, int]], int]:
    """Return where the elements of the list at `at` begin and end, and where the list ends."""
    spans: list[tuple[int, int]] = []
    at = _skip_space(text, at + 1)
    if text[at : at + 1] == b"]":
        return spans, at + 1
    while True:
        end = _end_of_value(text, at)
        spans.append((at, end))
        at, last = _after_value(text, end, b"]")
        if last:
            return spans, at


def _nth(text: bytes, at: int, number: int) -> int | None:
    spans, _ = _spans(text, at)
    return spans[number][0] if number < len(spans) else None


def _member(text: bytes, at: int, name: str) -> int | None:
    """Return where the value of a member begins: of the last one with this name, as parsers do."""
    found = None
    at = _skip_space(text, at + 1)
    if text[at : at + 1] == b"}":
        return None
    while True:
        key = _STRING_VALUE.match(text, at)
        if key is None:
            raise ElementsError(f"a key was expected at byte {at}")
        at = _skip_space(text, key.end())
        if text[at : at + 1] != b":":
            raise ElementsError(f"a colon was expected at byte {at}")
        at = _skip_space(text, at + 1)
        if _read_key(key[0]) == name:
            found = at
        at, last = _after_value(text, _end_of_value(text, at), b"}")
        if last:
            return found


def _read_key(key: bytes) -> str | None:
    try:
        return str(orjson.loads(key))
    except orjson.JSONDecodeError:
        return None  # the frame is parsed later, and says what is wrong with it


def _after_value(text: bytes, at: int, closing: bytes) -> tuple[int, bool]:
    """Return where the next value or key begins, or where the container ends."""
    at = _skip_space(text, at)
    what = text[at : at + 1]
    if what == closing:
        return at + 1, True
    if what != b",":
        raise ElementsError(f"a comma or {closing.decode()} was expected at byte {at}")
    return _skip_space(text, at + 1), False


def _end_of_value(text: bytes, at: int) -> int:
    opening = text[at : at + 1]
    if opening and opening in _OPENING:
        return _end_of_container(text, at)
    found = (_STRING_VALUE if opening == b'"' else _SCALAR).match(text, at)
    if found is None:
        raise ElementsError(f"a value was expected at byte {at}")
    return found.end()


def _end_of_container(text: bytes, at: int) -> int:
    depth, end = 1, at + 1
    while depth:
        found = _TO_BRACKET.match(text, end)
        if found is None:
            raise ElementsError(f"what begins at byte {at} has no end")
        end = found.end()
        depth += 1 if text[end - 1] in _OPENING else -1
    return end
