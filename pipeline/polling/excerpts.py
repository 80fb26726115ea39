"""How an answer begins, for the log: printable, and with nothing that was sent as proof."""

from __future__ import annotations

import base64
import binascii
import html
import json
import re
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

LONGEST_EXCERPT = 200
MASK = "***"


def excerpt(body: bytes, secrets: Iterable[str]) -> str:
    """Return the first 200 characters of an answer.

    Parameters
    ----------
    secrets : Iterable[str]
        What must not be in it, nor in one of the forms in which an answer would repeat it.
    """
    forms = sorted({form for secret in secrets for form in _forms(secret)}, key=len, reverse=True)
    # So much that what is cut off at the end is beyond the excerpt, however much is masked.
    looked_at = LONGEST_EXCERPT * max(4, *map(len, forms), 4)
    text = body[: looked_at * 4].decode("utf-8", errors="replace")[:looked_at]
    if forms:
        text = re.sub("|".join(map(re.escape, forms)), MASK, text, flags=re.IGNORECASE)
    return "".join(map(_printable, text[:LONGEST_EXCERPT]))


def parts_of(proof: str) -> Iterator[str]:
    """Return what of a header that proves something is a secret by itself."""
    yield proof
    for word in proof.split():
        yield word
        try:
            plain = base64.b64decode(word, validate=True).decode()
        except (binascii.Error, ValueError):
            continue
        yield from (plain, *plain.split(":", 1))


def _forms(secret: str) -> Iterator[str]:
    if secret:
        yield from (secret, json.dumps(secret)[1:-1], secret.replace("/", "\\/"))
        yield from (quote(secret), quote(secret, safe=""), quote_plus(secret), html.escape(secret))
        yield base64.b64encode(secret.encode(errors="replace")).decode()


def _printable(character: str) -> str:
    if character.isprintable():
        return character
    return character.encode("unicode_escape").decode()
