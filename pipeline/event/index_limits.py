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
from itertools import chain
from typing import TYPE_CHECKING, Any

from pipeline.event.elements import long_strings, members_of, name_of, spans_of
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
#: Dots that no name stands before or behind.
_BARE_DOTS = re.compile(r"^ *\.[ .]*|\.[ .]*$|(?<=\.)[ .]*\.")
#: Of one event, for each takes some 25 µs: no sender in earnest has a name that is none.
MOST_EDITS = 5_000
#: Names that were seen and are fine. A sender can invent names without end and of any length, so
#: these are no more, and no longer, than that: some 4 MB, or 16 MB where they are no Latin.
_FINE: set[str] = set()
_MOST_FINE, _LONGEST_FINE = 20_000, 200
_CONTAINERS = frozenset({dict, list})


def fitting(text: bytes, body: Any, *, strict: bool, containers: int = 0) -> bytes:
    """Return an event's JSON as Elasticsearch takes it.

    Parameters
    ----------
    text : bytes
        The JSON of an object, which is sound; or a text that a rule made of it, which fits.
    body : Any
        The object, parsed. It may have more than `text`, of which rules left something out.
    strict : bool
        Whether it is JSON by the standard; `NaN` is not, nor is a number beyond a double.
    containers : int
        How many there are in the body at the most; 0 where that is not known.
    """
    if text.startswith(b'"'):
        return text
    if not strict or _is_odd(body, containers):
        text = _mended(text)
    return with_short_texts(text)


def _mended(text: bytes) -> bytes:
    """Mend what is odd, place by place; where that is too much, what is below the top, whole."""
    at = text.index(b"{")
    for edits in (_in_object(text, at, MOST_LEVELS), _in_object(text, at, 1)):
        try:
            return with_edits(text, _bounded(edits))
        except _TooOddError:
            continue
    return b'{"_":' + as_keyword(text) + b"}"


def _bounded(edits: Iterable[Edit]) -> Iterator[Edit]:
    for number, edit in enumerate(edits):
        if number == MOST_EDITS:
            raise _TooOddError
        yield edit


def with_short_texts(text: bytes) -> bytes:
    """Return a JSON text with what is too long for a keyword cut. Most texts are shorter whole."""
    return text if len(text) <= LONGEST_KEYWORD else with_edits(text, _long_texts(text))


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


class _TooOddError(Exception):
    pass


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


def _is_odd(body: Any, containers: int = 0) -> bool:
    """Tell whether a name is one that Elasticsearch refuses, or a value is nested too deep.

    To look at the names level by level, and only at those that are new, takes less time than to
    look for a few bytes in the text. Once all containers were met, no value is looked at: most are
    in the last level.
    """
    level, depth, unmet = [body], 0, containers - 1
    while level:
        depth += 1
        if depth > MOST_LEVELS:
            return True
        if not unmet:
            names = set(chain.from_iterable(one for one in level if type(one) is dict))
            return not (_FINE.issuperset(names) or all(map(_is_fine, names)))
        below: list[Any] = []
        for one in level:
            values = one
            if type(one) is dict:
                if not _FINE.issuperset(one) and not all(map(_is_fine, one)):
                    return True
                values = one.values()
            below += [value for value in values if type(value) in _CONTAINERS]
        level = below
        unmet -= len(level)
    return False


def _is_fine(name: str) -> bool:
    fine = _fit_name(name) == name
    if fine and len(name) <= _LONGEST_FINE:
        if len(_FINE) >= _MOST_FINE:
            _FINE.clear()
        _FINE.add(name)
    return fine


def _fit_name(name: str) -> str:
    if "." in name:
        return _BARE_DOTS.sub(lambda found: "_" * len(found[0]), name)
    return name if name.strip(" ") else "_"


def _in_object(text: bytes, at: int, levels: int) -> Iterator[Edit]:
    members = list(members_of(text, at))
    names: NewNames | None = None
    for key, key_end, start, end in members:
        name = name_of(text[key:key_end]) or ""
        fit = _fit_name(name)
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
