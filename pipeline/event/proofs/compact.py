"""The compact form of a JSON Web Token (RFC 7515, section 7.1): three parts, two of them JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from pipeline.errors import PipelineError
from pipeline.event.encodings import strict_reader

if TYPE_CHECKING:
    from collections.abc import Sequence

#: What a token may have in a header, and its own header in any case, in characters.
LONGEST_TOKEN, LONGEST_HEADER = 10_240, 4_096
_read = strict_reader("base64url")


class CompactError(PipelineError):
    """A text is no JSON Web Token."""


class CompactToken(NamedTuple):
    """A token that nobody has verified."""

    header: dict[str, Any]
    payload: bytes
    signed: bytes
    signature: bytes


def read_compact(text: str) -> CompactToken:
    """Take a token apart.

    Raises
    ------
    CompactError
        When it is none, or a member of its header is there twice.
    """
    head, _, rest = text.partition(".")
    payload, dot, signature = rest.partition(".")
    if not dot or "=" in text or len(head) > LONGEST_HEADER:
        raise CompactError("it has no three parts in base64url")
    try:
        return CompactToken(
            strict_object(_read(head), "its header"),
            _read(payload),
            f"{head}.{payload}".encode("ascii"),
            _read(signature),
        )
    except (ValueError, UnicodeError):
        raise CompactError("it has no three parts in base64url") from None


def strict_object(text: bytes, what: str) -> dict[str, Any]:
    """Return a JSON object in which no member is twice: two readers could see two values.

    Raises
    ------
    CompactError
        When it is none.
    """
    try:
        found = json.loads(text.decode(), object_pairs_hook=_once)
    except (ValueError, RecursionError):
        raise CompactError(f"{what} is no JSON object with each member once") from None
    if not isinstance(found, dict):
        raise CompactError(f"{what} is no JSON object")
    return found


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a member is there twice")
    return found


def payload_of(body: bytes) -> bytes:
    """Return what a body that is a token holds, verified or not.

    Raises
    ------
    CompactError
        When it is none.
    """
    return read_compact(text_of(body)).payload


def text_of(body: bytes) -> str:
    """Return a body as the token that it is, without white space around it."""
    return body.strip(b" \t\r\n").decode("ascii", "replace")
