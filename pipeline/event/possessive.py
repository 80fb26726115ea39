"""Repeats a group of a pattern so that it gives nothing back."""

from __future__ import annotations

import sys

#: Python 3.11 up to 3.11.4 matches a group wrongly that is repeated possessively and holds
#: alternatives or repeats (CPython, issue 106052); Debian 12 has 3.11.2.
SOUND = sys.version_info >= (3, 11, 5)


def possessive(group: bytes, times: bytes = b"*", *, sound: bool = SOUND) -> bytes:
    """Return the pattern of a group that is repeated, and of which no less is tried afterwards.

    An atomic group says the same. Until it is left, it takes memory for each time that it repeats:
    so a thousand times are a group of their own.
    """
    if sound:
        return b"(?:" + group + b")" + times + b"+"
    if times == b"*":
        group, times = b"(?>(?:" + group + b"){1,1000})", b"*"
    return b"(?>(?:" + group + b")" + times + b")"
