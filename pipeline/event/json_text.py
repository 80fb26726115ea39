"""Reads JSON as MozDef does: with Python's `json`, which takes more than the standard allows.

Half a surrogate pair, `NaN` and numbers beyond a double are read by MozDef, and so they are here.
What it cannot read is refused here: in its worker it would end the process.
"""

from __future__ import annotations

import codecs
import json
from typing import Any

import orjson

from pipeline.errors import PipelineError
from pipeline.event.elements import depth_of

#: How deep an event may be nested. MozDef's worker parses a message, walks through it to choose its
#: plugins and writes it again, each a call deeper for each level. Tried under Python's limit of
#: 1,000: 979 levels pass, and with more the worker ends.
DEEPEST = 900
#: orjson reads 1,024 levels (its README, "Deserialize"): so many stand above those allowed.
_LISTS, _ENDS = b"[" * (1_024 - DEEPEST), b"]" * (1_024 - DEEPEST)
_CONTAINERS = frozenset({dict, list})
#: Below so many objects and lists of one level none are looked for, and so deep.
_FEW, _NEAR_LEVELS = 64, 20
#: In bytes: what a longer one holds is not held a second time, meanwhile.
_LONGEST_TWICE = 1_024 * 1_024
#: Python's limit of the digits of a whole number; MozDef's own Python (3.6) has none.
_MOST_DIGITS = 4_000
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class NoJsonError(PipelineError):
    """A text is no JSON."""


class BodyError(PipelineError):
    """There is no JSON in a body."""


class TooDeepError(PipelineError):
    """A text is nested deeper than MozDef can read."""


def read_json(text: bytes) -> tuple[bytes, Any]:
    """Parse a JSON text that MozDef can read; see `parse_json` and `check_depth`."""
    text, value, _ = parse_json(text)
    check_depth(text, value, containers_in(text))
    return text, value


def parse_json(text: bytes) -> tuple[bytes, Any, bool]:
    """Parse a JSON text.

    Returns
    -------
    tuple[bytes, Any, bool]
        The text as UTF-8 without a byte order mark, its value, and whether it is JSON by the
        standard, and has no number beyond a double.

    Raises
    ------
    NoJsonError, TooDeepError
        When MozDef could not read it. What is only too deep for MozDef can be read here.
    """
    try:
        return text, orjson.loads(text), True
    except orjson.JSONDecodeError as error:
        return *_read_otherwise(text, str(error)), False


def containers_in(text: bytes) -> int:
    """Count the brackets that open an object or a list, those in texts as well."""
    # `replace` looks for a byte with memchr, and takes a third of the time of `count`.
    return 2 * len(text) - len(text.replace(b"{", b"")) - len(text.replace(b"[", b""))


def check_depth(text: bytes, value: Any, containers: int) -> None:
    """See that a JSON text is no deeper than MozDef can read.

    Parameters
    ----------
    value : Any
        The same, parsed. It has not what stands under a name that comes again.
    containers : int
        How many there are in it: to count them costs less than to follow them.

    Raises
    ------
    TooDeepError
        When it is deeper.
    """
    if containers <= DEEPEST or _all_are_near(value, containers) or _fits_below(text):
        return
    if depth_of(text) > DEEPEST:
        raise _too_deep()


def _all_are_near(value: Any, containers: int) -> bool:
    """Tell whether so many objects and lists are in the first levels of a value, most in one."""
    level = [value] if type(value) in _CONTAINERS else []
    for _ in range(_NEAR_LEVELS):
        containers -= len(level)
        if len(level) > _FEW or not containers:
            break
        level = [
            inner
            for one in level
            for inner in (one.values() if type(one) is dict else one)
            if type(inner) in _CONTAINERS
        ]
    return not containers


def _fits_below(text: bytes) -> bool:
    """Tell whether orjson reads a sound text below so many lists that it is no deeper than allowed.

    It reads a seventh of the time that brackets can be followed in. What it refuses may be fine: it
    reads JSON by the standard alone.
    """
    if len(text) > _LONGEST_TWICE:
        return False
    try:
        orjson.loads(b"".join((_LISTS, text, _ENDS)))
    except orjson.JSONDecodeError:
        return False
    return True


def as_utf8(text: bytes) -> bytes:
    """Return a text without its byte order mark, from UTF-16 where that says so.

    Raises
    ------
    NoJsonError
        When it is not in the encoding that its mark names.
    """
    try:
        if text.startswith(_UTF16):
            return text.decode("utf-16").encode()
    except ValueError as error:
        raise NoJsonError(str(error)) from None
    return text.removeprefix(codecs.BOM_UTF8)


def _read_otherwise(text: bytes, why: str) -> tuple[bytes, Any]:
    text = as_utf8(text)
    try:
        value = json.loads(text.decode(), parse_int=_whole_number)
    except RecursionError:
        raise _too_deep() from None
    except ValueError:  # no JSON, no UTF-8
        raise NoJsonError(why) from None
    return text, value


def _whole_number(digits: str) -> int | float:
    return int(digits) if len(digits) <= _MOST_DIGITS else float(digits)


def _too_deep() -> TooDeepError:
    return TooDeepError(f"nested more than {DEEPEST} levels deep, which MozDef cannot read")


def write_json(value: Any) -> bytes:
    """Write a value as JSON. What orjson refuses (half a surrogate pair, depth) is ASCII then."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return json.dumps(value, separators=(",", ":")).encode()


def printable_text(text: str) -> str:
    """Return a text that can be written as UTF-8: half a surrogate pair becomes an escape."""
    if text.isascii():
        return text
    return text.encode(errors="backslashreplace").decode()
