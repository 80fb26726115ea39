"""Numbers with all of their digits, where a double cannot hold them."""

from __future__ import annotations

import json
from typing import Any

import orjson


class ExactNumber(str):
    """A number as it was written."""

    __slots__ = ()


def read_exactly(text: bytes) -> Any:
    """Parse with each number as its text; None where the standard library cannot read it."""
    try:
        return json.loads(
            text, parse_float=ExactNumber, parse_int=ExactNumber, parse_constant=ExactNumber
        )
    except (ValueError, RecursionError):
        return None


def write_exactly(value: Any) -> bytes:
    """Write what was read so; nothing where that cannot be written."""
    try:
        return orjson.dumps(value, fragment_of, orjson.OPT_PASSTHROUGH_SUBCLASS)
    except TypeError:
        return b""


def fragment_of(value: Any) -> Any:
    """Return what writes a number as its text."""
    if type(value) is ExactNumber:
        return orjson.Fragment(str(value))
    raise TypeError
