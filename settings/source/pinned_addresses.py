"""Addresses of keys: those that a source's settings name, and patterns for those of a request."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated

from pydantic import AfterValidator, Field

_LABEL = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})+")
_PATH = re.compile(r"(?:/[A-Za-z0-9._~*=-]*)+")
#: What `*` stands for, within one part of a path.
_PART = "[A-Za-z0-9_-]{1,128}"


def _checked(address: str, *, pattern: bool) -> str:
    scheme, _, rest = address.partition("://")
    host, slash, path = rest.partition("/")
    if scheme != "https":
        raise ValueError("an address of keys begins with https://")
    if not _HOST.fullmatch(host) or not _PATH.fullmatch(slash + path):
        raise ValueError(
            "give https://, a host's whole name and a path: no user, port, query or fragment"
        )
    if "*" in address and not pattern:
        raise ValueError("'*' is for addresses that a request names")
    if _is_own(host):
        raise ValueError(f"{host} is no host on the internet")
    return address


def _is_own(host: str) -> bool:
    if host.endswith((".local", ".internal", ".localhost", ".lan", ".home", ".corp")):
        return True
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _named(address: str) -> str:
    return _checked(address, pattern=False)


def _pattern(address: str) -> str:
    return _checked(address, pattern=True)


KeyAddress = Annotated[str, Field(max_length=300), AfterValidator(_named)]
"""Where keys are, on the internet."""

AddressPattern = Annotated[str, Field(max_length=300), AfterValidator(_pattern)]
"""The same of which a request names a part: `*` stands for letters, digits and hyphens."""


def expression_of(pattern: str) -> str:
    """Return the regular expression of a pattern, for the whole of an address."""
    return re.escape(pattern).replace(r"\*", _PART)
