"""The floor: what no design does without."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

import orjson

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def floor(encoded: Sequence[bytes]) -> Callable[[], int]:
    """Return what no design does without: base64, parse, SHA-256, dump.

    Parameters
    ----------
    encoded : Sequence[bytes]
        Bodies in base64.
    """

    def work() -> int:
        for one in encoded:
            body = base64.b64decode(one)
            document = orjson.loads(body)
            hashlib.sha256(body).digest()
            orjson.dumps(document)
        return len(encoded)

    return work
