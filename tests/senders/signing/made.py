"""What the makers of requests share."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from types import MappingProxyType

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
    """

    sign: Sign
    signed_by: str = OURSELVES
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    secrets: tuple[str, ...] = (TEXT_KEY,)
    content_type: str = "application/json"
    url: str = ""
    query: str = ""
    file: str = "event.json"


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


def with_token(header: str, prefix: str = "") -> Sign:
    """Return what shows the secret itself."""
    return lambda secret, _: {header: prefix + secret}


def _bytes(value: str | bytes) -> bytes:
    return value.encode() if isinstance(value, str) else value
