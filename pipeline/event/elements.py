"""Takes a JSON text with a list of events apart by its bytes, so that each keeps the sender's own.

Nothing is parsed here but the keys on the way to the list: how deep an element is nested, how
large its numbers are, and whether it is JSON at all, is each element's own affair.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import accumulate, islice
from typing import TYPE_CHECKING

import orjson

from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.event.fields import FieldPath

_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
#: What has no bracket in it.
_PLAIN = rb'(?:[^"\[\]{}]++|' + _STRING + rb")*+"
#: Up to the next brackets that are in no string and enclose more than that: all of them that stand
#: side by side, for a step is dear. Possessive, so that the time grows with the bytes.
_TO_BRACKETS = re.compile(
    rb'(?:[^"\[\]{}]++|' + _STRING + rb"|\[" + _PLAIN + rb"\]|\{" + _PLAIN + rb"\})*+"
    rb"(?:([\[{]++)|([\]}]++))",
    re.DOTALL,
)
#: One up and one down, as signed bytes; what is no bracket is left out.
_STEPS = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")
_NO_BRACKETS = bytes(set(range(256)) - set(b"[{]}"))
_STRING_VALUE = re.compile(_STRING, re.DOTALL)
_SCALAR = re.compile(rb"[^\s,\[\]{}\":]++")
_SPACE = re.compile(rb"[ \t\n\r]*+")
#: What most elements of a hostile list are, with the comma after it: one step in the place of six.
_BARE = re.compile(rb"(\{\}|\[\]|[^\s,\[\]{}\":]++)[ \t\n\r]*+,[ \t\n\r]*+")
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
    at = find_list(text, path)
    if at is None:
        return None
    spans = list(spans_of(text, at))
    frame = frame_around(text, at, spans[-1][1] if spans else at + 1)
    return Elements(frame, [text[start:stop] for start, stop in spans])


def find_list(text: bytes, path: FieldPath) -> int | None:
    """Return where the list at a path begins; None where there is none.

    Raises
    ------
    ElementsError
        As `take_apart` does.
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
    return at if text[at : at + 1] == b"[" else None


def spans_of(text: bytes, at: int) -> Iterator[tuple[int, int]]:
    """Go through the elements of the list at `at`: where each begins and ends.

    Raises
    ------
    ElementsError
        As `take_apart` does, when it gets there.
    """
    at = _skip_space(text, at + 1)
    last = text[at : at + 1] == b"]"
    while not last:
        if bare := _BARE.match(text, at):
            yield bare.span(1)
            at = bare.end()
            continue
        end = _end_of_value(text, at)
        yield at, end
        at, last = _after_value(text, end, b"]")


def frame_around(text: bytes, at: int, end: int) -> bytes:
    """Return a text with an empty list in the place of the one at `at`, whose last element ends."""
    return text[: at + 1] + text[_skip_space(text, end) :]


def depth_of(text: bytes) -> int:
    """Return how deep a JSON text is nested."""
    steps = _STRING_VALUE.sub(b"", text).translate(_STEPS, _NO_BRACKETS)
    return max(accumulate(memoryview(steps).cast("b")), default=0)


def _skip_space(text: bytes, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _nth(text: bytes, at: int, number: int) -> int | None:
    return next((start for start, _ in islice(spans_of(text, at), number, None)), None)


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
    while found := _TO_BRACKETS.match(text, end):
        end = found.end()
        if opened := found[1]:
            depth += len(opened)
            continue
        closed = len(found[2])
        if closed >= depth:
            return end - closed + depth
        depth -= closed
    raise ElementsError(f"what begins at byte {at} has no end")
