"""How bytes are written in headers and secrets: hexadecimal, base64, base64url; and lists of them.

A reader takes each spelling of the same bytes that senders use (hexadecimal in either case, padding
or none), so whatever is compared or kept is the bytes, or their one spelling that `write` makes.
"""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64, unhexlify
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

#: How many parts of a header are looked at. API Gateway's headers have 10,240 bytes together, and
#: senders that rotate their secrets list two or three signatures.
MOST_PARTS = 50
#: The white space that HTTP allows around the values of a list (RFC 9110, section 5.6.1).
OPTIONAL_SPACE = " \t"
_FROM_URL, _TO_URL = str.maketrans("-_+/", "+/??"), str.maketrans("+/", "-_")


def read(text: str, encoding: str) -> bytes:
    """Return the bytes that a text stands for.

    Parameters
    ----------
    encoding : str
        `hex`, `base64` or `base64url`.

    Raises
    ------
    ValueError
        When it stands for none: another letter, white space, half a byte.
    """
    if encoding == "hex":
        return unhexlify(text)
    if encoding == "base64url":
        text = text.translate(_FROM_URL)
    return _padded(text)


def strict_reader(encoding: str) -> Callable[[str], bytes]:
    """Return what reads texts that an encoder can have written, and no other.

    It raises `ValueError` as `read` does, and where there are bits after the last byte: no encoder
    sets those that the last letter of a base64 text has over, only who changes a signature does.
    """
    return {"hex": unhexlify, "base64": _base64, "base64url": _base64url}[encoding]


def _base64(text: str) -> bytes:
    value = _padded(text)
    if not b2a_base64(value, newline=False).startswith(text.encode()):
        raise ValueError("bits after the last byte")
    return value


def _padded(text: str) -> bytes:
    missing = -len(text) % 4
    return a2b_base64(text + "=" * missing if missing else text, strict_mode=True)


def _base64url(text: str) -> bytes:
    return _base64(text.translate(_FROM_URL))


def write(value: bytes, encoding: str) -> str:
    """Return the one spelling of bytes: small letters, and with the padding."""
    if encoding == "hex":
        return value.hex()
    text = b2a_base64(value, newline=False).decode()
    return text.translate(_TO_URL) if encoding == "base64url" else text


def parts_of(value: str, separator: str) -> list[str]:
    """Return the parts of a header: `MOST_PARTS` at most, of which the last is the rest."""
    return [part.strip(OPTIONAL_SPACE) for part in value.split(separator, MOST_PARTS - 1)]


def longest(size: int, encoding: str) -> int:
    """Return how many characters the longest spelling of so many bytes has."""
    return 2 * size if encoding == "hex" else -(-size // 3) * 4
