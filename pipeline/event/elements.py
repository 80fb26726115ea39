"""Takes a JSON text with a list of events apart by its bytes, so that each keeps the sender's own.

Nothing is parsed here but the keys on the way to the list: how deep an element is nested, how
large its numbers are, and whether it is JSON at all, is each element's own affair.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from itertools import accumulate, islice
from typing import TYPE_CHECKING

from pipeline.errors import PipelineError
from pipeline.event.possessive import possessive

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.event.fields import FieldPath

_STRING = rb'"[^"\\]*+' + possessive(rb'\\.[^"\\]*+') + rb'"'
#: What has no bracket in it.
_PLAIN = possessive(rb'[^"\[\]{}]++|' + _STRING)
#: Up to the next brackets that are in no string and enclose more than that: all of them that stand
#: side by side, for a step is dear. Possessive, so that the time grows with the bytes.
_TO_BRACKETS = re.compile(
    possessive(rb'[^"\[\]{}]++|' + _STRING + rb"|\[" + _PLAIN + rb"\]|\{" + _PLAIN + rb"\}")
    + rb"(?:([\[{]++)|([\]}]++))",
    re.DOTALL,
)
#: One up and one down, as signed bytes; what is no bracket is left out.
_STEPS = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")
_NO_BRACKETS = bytes(set(range(256)) - set(b"[{]}"))
_STRING_VALUE = re.compile(_STRING, re.DOTALL)
_SOME_STRINGS = re.compile(possessive(rb'[^"]*+' + _STRING, b"{1,4096}"), re.DOTALL)
#: Up to the first brace that is in no string.
_TO_OBJECT = re.compile(rb'[^"{]*+' + possessive(_STRING + rb'[^"{]*+') + rb"\{", re.DOTALL)
_SCALAR = re.compile(rb"[^\s,\[\]{}\":]++")
_SPACE = re.compile(rb"[ \t\n\r]*+")
#: What most elements of a hostile list are, with the comma after it: one step in the place of six.
_BARE = re.compile(rb"(\{\}|\[\]|[^\s,\[\]{}\":]++)[ \t\n\r]*+,[ \t\n\r]*+")
_OPENING = b"[{"
#: A key with its colon; then, where that is no container, the value and what stands behind it.
_MEMBER = re.compile(
    rb"(" + _STRING + rb")[ \t\n\r]*+:[ \t\n\r]*+"
    rb"(?:(" + _STRING + rb"|[^\s,\[\]{}\":]++)[ \t\n\r]*+([,}])[ \t\n\r]*+)?",
    re.DOTALL,
)
Member = tuple[int, int, int, int]
"""Where a key begins and ends, and where its value does."""


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
        end = value_end(text, at)
        yield at, end
        at, last = _after_value(text, end, b"]")


def members_of(text: bytes, at: int) -> Iterator[Member]:
    """Go through the members of the object at `at`.

    Raises
    ------
    ElementsError
        As `take_apart` does, when it gets there.
    """
    at = _skip_space(text, at + 1)
    last = text[at : at + 1] == b"}"
    while not last:
        found = _MEMBER.match(text, at)
        if found is None:
            raise ElementsError(f"a key and a colon were expected at byte {at}")
        if found[3]:
            yield *found.span(1), *found.span(2)
            at, last = found.end(), found[3] == b"}"
            continue
        start = found.end()
        end = value_end(text, start)
        yield *found.span(1), start, end
        at, last = _after_value(text, end, b"}")


def top_names(text: bytes) -> set[str | None]:
    """Return the names in the object that a text is."""
    return {name_of(text[begin:end]) for begin, end, _, _ in members_of(text, text.index(b"{"))}


def long_strings(text: bytes, longest: int) -> Iterator[tuple[int, int]]:
    """Go through the strings, keys among them, with more bytes between their quotation marks."""
    if not _marks_are_apart(text, longest):
        return
    for found in _STRING_VALUE.finditer(text):
        begin, end = found.span()
        if end - begin - 2 > longest:
            yield begin, end


def _marks_are_apart(text: bytes, longest: int) -> bool:
    """Tell whether two quotation marks have more bytes between them, in a string or not.

    From mark to mark, each time the farthest within reach: most texts have no long string, and
    thousands of short ones.
    """
    if b"\\" in text:
        text = text.replace(b"\\\\", b"__").replace(b'\\"', b"__")
    at = text.find(b'"')
    while at >= 0:
        farthest = text.rfind(b'"', at + 1, at + longest + 2)
        if farthest < 0:
            return text.find(b'"', at + 1) >= 0
        at = farthest
    return False


def frame_around(text: bytes, at: int, end: int) -> bytes:
    """Return a text with an empty list in the place of the one at `at`, whose last element ends."""
    return text[: at + 1] + text[_skip_space(text, end) :]


def opens_object(text: bytes, start: int, end: int) -> bool:
    """Tell whether an object is here, or a list with one in it, however deep."""
    opening = text[start : start + 1]
    if opening != b"[":
        return opening == b"{"
    return _TO_OBJECT.match(text, start, end) is not None


def depth_of(text: bytes) -> int:
    """Return how deep a JSON text is nested."""
    at = level = most = 0
    while at < len(text):
        # Some strings at a time: what is between them are objects while they are taken out.
        found = _SOME_STRINGS.match(text, at)
        end = found.end() if found else len(text)
        steps = _STRING_VALUE.sub(b"", text[at:end]).translate(_STEPS, _NO_BRACKETS)
        deepest = max(accumulate(memoryview(steps).cast("b"), initial=level))
        most = max(most, deepest)
        level += steps.count(b"\x01") - steps.count(b"\xff")
        at = end
    return most


def _skip_space(text: bytes, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _nth(text: bytes, at: int, number: int) -> int | None:
    return next((start for start, _ in islice(spans_of(text, at), number, None)), None)


def _member(text: bytes, at: int, name: str) -> int | None:
    """Return where the value of a member begins: of the last one with this name, as parsers do."""
    found = None
    for key, key_end, start, _ in members_of(text, at):
        if name_of(text[key:key_end]) == name:
            found = start
    return found


def name_of(key: bytes) -> str | None:
    """Return what a key says; None where that is no JSON text."""
    if b"\\" not in key and key.isascii():
        return key[1:-1].decode()
    try:
        return str(json.loads(key))
    except ValueError:
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


def value_end(text: bytes, at: int) -> int:
    """Return where the value ends that begins at `at`.

    Raises
    ------
    ElementsError
        As `take_apart` does.
    """
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
