"""What the makers of requests share."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from importlib.metadata import version
from types import MappingProxyType, SimpleNamespace
from typing import Self
from unittest.mock import patch

#: When every request is sent, in seconds since the epoch.
AT = 1_795_464_503
#: A secret that is good as text; HEX_KEY is good as hex, BASE64_KEY as base64.
TEXT_KEY = "0f3c-Example-Key"
HEX_KEY = "058bfb6a3d8cfdc4da7c3be5901b16ae11da982b46a25fb2cd7016e97a140a1c"
BASE64_KEY = base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
WHSEC_KEY = f"whsec_{BASE64_KEY}"
OURSELVES = "ourselves"

#: From a secret and a body to the headers that prove them.
Sign = Callable[[str, bytes], dict[str, str]]


@dataclass(frozen=True)
class Maker:
    """How one sender makes its request.

    Parameters
    ----------
    sign : Sign
        The headers that prove the request.
    signed_by : str
        'ourselves', 'library <name> <version>' or 'documentation <address>'.
    headers : Mapping[str, str]
        What it sends beside them.
    secrets : tuple[str, ...]
        The lines of the source's parameter; `sign` is given the first.
    url, query : str
        The address that it was signed for, and what follows it; most signatures cover neither.
    body : Callable[[str], bytes] | None
        Makes the body from the secret, where the proof is in it; else it is in a file.
    fetched : Mapping[str, str]
        What is at the addresses of its keys.
    """

    sign: Sign
    signed_by: str = OURSELVES
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    secrets: tuple[str, ...] = (TEXT_KEY,)
    content_type: str = "application/json"
    url: str = ""
    query: str | Callable[[str, bytes], str] = ""
    file: str = "event.json"
    body: Callable[[str], bytes] | None = None
    fetched: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


def library(name: str) -> str:
    """Name a library with the version that is installed."""
    return f"library {name} {version(name)}"


def mac(key: str | bytes, *signed: str | bytes, algorithm: str = "sha256") -> bytes:
    return hmac.new(_bytes(key), b"".join(map(_bytes, signed)), algorithm).digest()


def hexed(digest: bytes) -> str:
    return digest.hex()


def based(digest: bytes) -> str:
    return base64.b64encode(digest).decode()


def iso(seconds: int = AT) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def over_body(
    header: str,
    prefix: str = "",
    *,
    algorithm: str = "sha256",
    write: Callable[[bytes], str] = hexed,
    key: Callable[[str], bytes] = str.encode,
) -> Sign:
    """Return what signs a body as it is, in one header."""
    return lambda secret, body: {
        header: prefix + write(mac(key(secret), body, algorithm=algorithm))
    }


def in_body(secret: str, body: bytes) -> dict[str, str]:
    """Return no headers: the proof is in the body, or in the query."""
    return {}


class _Then(datetime):
    """A clock that has stopped."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Self:
        return cls.fromtimestamp(AT, tz)


@contextmanager
def at_that_time() -> Iterator[None]:
    """Let the libraries think that it is when the requests are sent."""
    module = SimpleNamespace(datetime=_Then, timedelta=timedelta, timezone=timezone)
    with (
        patch("time.time", lambda: float(AT)),
        patch("jwt.api_jwt.datetime", _Then),
        patch("livekit.api.access_token.datetime", module),
    ):
        yield


class NotVerifiedError(Exception):
    """A sender's library does not take what was signed here."""


def verified(sign: Sign, verify: Callable[[str, bytes, dict[str, str]], object]) -> Sign:
    """Return the same, where the library's verdict comes first: it is not False, nor an error."""

    def checked(secret: str, body: bytes) -> dict[str, str]:
        with at_that_time():
            headers = sign(secret, body)
            taken = verify(secret, body, headers) is not False
        if not taken:
            raise NotVerifiedError(f"{headers} is refused")
        return headers

    return checked


def with_token(header: str, prefix: str = "") -> Sign:
    """Return what shows the secret itself."""
    return lambda secret, _: {header: prefix + secret}


def _bytes(value: str | bytes) -> bytes:
    return value.encode() if isinstance(value, str) else value
