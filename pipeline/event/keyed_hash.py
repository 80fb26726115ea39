"""HMAC with a key that serves for many messages."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

#: In bytes. For more than that `hashlib` lets other threads run, which takes longer than is saved.
_SHORT = 2_047


def mac_with(key: bytes, algorithm: str) -> Callable[[bytes], bytes]:
    """Return what makes MACs with a key: what they all begin with is made once."""
    begun = hmac.new(key, None, algorithm)

    def mac(message: bytes) -> bytes:
        if len(message) > _SHORT:
            return hmac.digest(key, message, algorithm)
        own = begun.copy()
        own.update(message)
        return own.digest()

    return mac
