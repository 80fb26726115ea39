"""JSON that is a text within JSON: put in the place of the text, byte for byte."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pipeline.event.elements import ElementsError, members_of, name_of, spans_of
from pipeline.event.encodings import read
from pipeline.event.fields import path_text
from pipeline.event.json_text import BodyError, NoJsonError, TooDeepError, as_utf8, read_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pipeline.event.bodies.body_form import Unwrapping
    from pipeline.event.bodies.inflating import Inflating
    from pipeline.event.fields import FieldPath

#: As many as a request may have events.
MOST_TEXTS = 50_000
_SPACE = b" \t\r\n"


def unwrapped(
    text: bytes, what: Unwrapping, inflating: Inflating, convert: Callable[[bytes], bytes]
) -> bytes:
    """Return a JSON text in which texts are replaced by the JSON in them.

    Parameters
    ----------
    what : Unwrapping
        Where they are; lists on the way are looked through. What is no text there stays.
    convert : Callable[[bytes], bytes]
        Makes JSON of what is in them, where that is none yet.

    Raises
    ------
    BodyError
        When one holds no JSON, unless such a one is kept; or there are more than `MOST_TEXTS`.
    """
    pieces: list[bytes] = []
    done = number = 0
    text = _as_utf8(text)
    for start, stop in _found(text, what.path):
        if text[start : start + 1] != b'"':
            continue
        number += 1
        if number > MOST_TEXTS:
            raise BodyError(f"{path_text(what.path)}: more than {MOST_TEXTS:,} texts")
        try:
            inner = _inner(text[start:stop], what, inflating, convert)
        except (BodyError, NoJsonError, TooDeepError, ValueError) as error:
            if what.keeps:
                continue
            raise BodyError(f"{path_text(what.path)}: {error}") from None
        pieces += (text[done:start], inner)
        done = stop
    return b"".join((*pieces, text[done:]))


def value_at(text: bytes, path: FieldPath) -> bytes:
    """Return the bytes of the value at a path.

    Raises
    ------
    BodyError
        When there is none, or more than one.
    """
    text = _as_utf8(text)
    found = list(_found(text, path, lists=False))
    if len(found) != 1:
        raise BodyError(f"{path_text(path)} (body.event): {len(found)} values, expected one")
    start, stop = found[0]
    return text[start:stop]


def _inner(
    text: bytes, what: Unwrapping, inflating: Inflating, convert: Callable[[bytes], bytes]
) -> bytes:
    content = json.loads(text)
    plain = (
        content.encode()
        if what.encoding == "text"
        else read("".join(content.split()), what.encoding)
    )
    return read_json(convert(inflating.plain(plain)))[0].strip(_SPACE)


def _as_utf8(text: bytes) -> bytes:
    try:
        return as_utf8(text)
    except NoJsonError as error:
        raise BodyError(str(error)) from None


def _found(text: bytes, path: FieldPath, *, lists: bool = True) -> Iterator[tuple[int, int]]:
    start = len(text) - len(text.lstrip(_SPACE))
    try:
        yield from _spans(text, start, len(text), path, lists=lists)
    except ElementsError as error:
        raise BodyError(str(error)) from None


def _spans(
    text: bytes, start: int, stop: int, path: FieldPath, *, lists: bool
) -> Iterator[tuple[int, int]]:
    """Go through the values at a path in their order: where each begins and ends."""
    opening = text[start : start + 1]
    if opening == b"[" and lists:
        for begin, end in spans_of(text, start):
            yield from _spans(text, begin, end, path, lists=lists)
    elif not path:
        yield start, stop
    elif opening == b"{":
        for key, key_end, begin, end in members_of(text, start):
            if name_of(text[key:key_end]) == path[0]:
                yield from _spans(text, begin, end, path[1:], lists=lists)
