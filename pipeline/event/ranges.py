"""Which events of a request are meant, as text: numbers from 0 and ranges, as in `0-2,7`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_RANGE = r"(?:0|[1-9][0-9]{0,8})(?:-[1-9][0-9]{0,8})?"
_RANGES = re.compile(rf"{_RANGE}(?:,{_RANGE})*")


def are_ranges(text: str) -> bool:
    """Tell whether a text is of this form."""
    return _RANGES.fullmatch(text) is not None


def write_ranges(numbers: Iterable[int]) -> str:
    """Return the shortest text for some numbers."""
    parts: list[list[int]] = []
    for number in sorted(set(numbers)):
        if parts and number == parts[-1][-1] + 1:
            parts[-1][1:] = [number]
        else:
            parts.append([number])
    return ",".join(["-".join(map(str, part)) for part in parts])


def read_ranges(text: str, end: int) -> list[int]:
    """Return the numbers below `end`, in order.

    Parameters
    ----------
    text : str
        Of this form.
    """
    # A mark for each: work and memory go with the numbers that there are, whatever is named.
    named = bytearray(end)
    for part in text.split(","):
        first, _, last = part.partition("-")
        begin, stop = int(first), min(int(last or first) + 1, end)
        if begin < stop:
            named[begin:stop] = b"\1" * (stop - begin)
    return [number for number, mark in enumerate(named) if mark]
