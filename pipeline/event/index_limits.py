r"""Fits an event's JSON into what Elasticsearch takes, where it goes beyond; no other byte changes.

A document is refused as a whole, and MozDef then loses it, for one text above Lucene's longest
term, a field without a name or with a dot at an end of it, an object below the twentieth level, or
a number that is none in JSON (Elasticsearch: `index.mapping.depth.limit`, "Field names containing
dots"; Lucene: `IndexWriter.MAX_TERM_LENGTH`). The whole event stays in the archive.
"""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING

from pipeline.event.elements import depth_of, long_strings, members_of, name_of, spans_of
from pipeline.event.json_text import write_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pipeline.event.elements import Member

    #: From where to where something else is put.
    Edit = tuple[int, int, bytes]

#: Of a term, in bytes of UTF-8.
LONGEST_KEYWORD = 32_766
#: Of objects and lists, with the body. Elasticsearch counts twenty levels of objects, and has two
#: before the body: the document and `details`.
MOST_LEVELS = 18
_LONGEST_NUMBER = 400
_CONTENT = rb'[^"\\]*+(?:\\.[^"\\]*+)*+'
#: What no name is odd for: neither at its end, nor two of them with nothing between.
_FINE = rb'(?:[^"\\.]++|\\(?!u00(?:2[eE0])).|\.(?! *+[."]))*+'
#: Past all texts that are no odd name; it matches where one is left.
_ODD_NAME = re.compile(
    rb'(?:[^"]*+"(?!(?= *+[".]|' + _FINE + rb"[.\\])" + _CONTENT + rb'"[ \t\n\r]*+:)'
    rb"" + _CONTENT + rb'")*+[^"]*+"',
    re.DOTALL,
)
#: Dots that no name stands before or behind.
_BARE_DOTS = re.compile(r"^ *\.[ .]*|\.[ .]*$|(?<=\.)[ .]*\.")
_AS_BRACES = bytes.maketrans(b"[]", b"{}")
_NO_BRACES = bytes(set(range(256)) - set(b"{}[]"))


def fitting(text: bytes, *, containers: int, strict: bool) -> bytes:
    """Return an event's JSON as Elasticsearch takes it.

    Parameters
    ----------
    text : bytes
        The JSON of an object, which is sound; or a text that a rule made of it, which fits.
    containers : int
        As many objects and lists as there can be in it.
    strict : bool
        Whether it is JSON by the standard; `NaN` is not, nor is a number beyond a double.
    """
    if text.startswith(b'"'):
        return text
    if len(text) > LONGEST_KEYWORD:
        text = with_edits(text, _long_texts(text))
    if not strict or _has_odd_name(text) or (containers > MOST_LEVELS and _is_deep(text)):
        text = with_edits(text, _in_object(text, text.index(b"{"), MOST_LEVELS))
    return text


def as_keyword(json_text: bytes) -> bytes:
    """Return a JSON text as one JSON string, cut where it is too long to be a keyword."""
    return _string(_cut(json_text))


def with_edits(text: bytes, edits: Iterable[Edit]) -> bytes:
    """Put something else in some places of a text, which are in order."""
    # Written as they are found: hundreds of thousands of pieces would take far more than the text.
    edited, done = bytearray(), 0
    for begin, end, instead in edits:
        edited += text[done:begin]
        edited += instead
        done = end
    return bytes(edited + text[done:]) if edited or done else text


class NewNames:
    """Gives fields of one object new names that it has not, or the one would hide the other.

    Parameters
    ----------
    text : bytes
        With the object.
    members : list[Member]
        All that the object has.
    """

    def __init__(self, text: bytes, members: list[Member]) -> None:
        self._taken = {name_of(text[begin:end]) for begin, end, _, _ in members}
        self._given: dict[str, str] = {}
        self._counts: dict[str, int] = {}

    def of(self, old: str, wanted: str) -> bytes:
        """Return the new name of a field, as JSON; the same where a name is there twice."""
        name = self._given.get(old, wanted)
        if old not in self._given:
            while name in self._taken:
                self._counts[wanted] = number = self._counts.get(wanted, 1) + 1
                name = f"{wanted}_{number}"
            self._taken.add(name)
            self._given[old] = name
        return _string(name.encode("utf-8", "surrogatepass"))


def _string(text: bytes) -> bytes:
    # What orjson gives holds on to some KiB, and an event can have thousands of these.
    return bytes(memoryview(write_json(text.decode("utf-8", "surrogatepass"))))


def _cut(text: bytes) -> bytes:
    """Cut UTF-8 at a character, and say so in its place."""
    if len(text) <= LONGEST_KEYWORD:
        return text
    mark = f" … [cut: {len(text):,} bytes]".encode()
    end = LONGEST_KEYWORD - len(mark)
    while text[end] & 0xC0 == 0x80:  # within a character
        end -= 1
    return text[:end] + mark


def _long_texts(text: bytes) -> Iterator[Edit]:
    for begin, end in long_strings(text, LONGEST_KEYWORD):
        said = json.loads(text[begin:end], strict=False).encode("utf-8", "surrogatepass")
        if len(said) > LONGEST_KEYWORD:
            yield begin, end, _string(_cut(said))


def _has_odd_name(text: bytes) -> bool:
    r"""Tell whether a name is one that Elasticsearch refuses.

    To look for some bytes costs a fraction of a pattern, and of most senders no name has them.
    """
    if (
        b'"":' in text
        or b'.":' in text
        or b'".' in text
        or b".." in text
        or b'" ' in text
        or b' ":' in text
        or b". ." in text
        or b"\\u002" in text
        or b'"\n' in text
        or b'"\t' in text
        or b'"\r' in text
    ):
        return _ODD_NAME.match(text) is not None
    return False


def _is_deep(text: bytes) -> bool:
    # Without what is no bracket, each turn takes the innermost level away.
    braces = text.translate(_AS_BRACES, _NO_BRACES)
    for _ in range(MOST_LEVELS):
        braces = braces.replace(b"{}", b"")
        if not braces:
            return False
    return depth_of(text) > MOST_LEVELS  # there can be brackets in texts


def _in_object(text: bytes, at: int, levels: int) -> Iterator[Edit]:
    members = list(members_of(text, at))
    names: NewNames | None = None
    for key, key_end, start, end in members:
        name = name_of(text[key:key_end]) or ""
        fit = _BARE_DOTS.sub(lambda found: "_" * len(found[0]), name) if name.strip(" ") else "_"
        if fit != name:
            names = names or NewNames(text, members)
            yield key, key_end, names.of(name, fit)
        yield from _in_value(text, start, end, levels - 1)


def _in_value(text: bytes, start: int, end: int, levels: int) -> Iterator[Edit]:
    opening = text[start : start + 1]
    if opening in {b"{", b"["}:
        if levels <= 0:
            yield start, end, as_keyword(text[start:end])
        elif opening == b"{":
            yield from _in_object(text, start, levels)
        else:
            for one, one_end in spans_of(text, start):
                yield from _in_value(text, one, one_end, levels - 1)
    elif opening not in {b'"', b"t", b"f", b"n"} and not _is_number(text[start:end]):
        yield start, end, as_keyword(text[start:end])


def _is_number(text: bytes) -> bool:
    return len(text) <= _LONGEST_NUMBER and math.isfinite(float(text))
