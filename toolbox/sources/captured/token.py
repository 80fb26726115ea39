"""Finds a fixed token in the headers of caught requests."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from toolbox.sources.captured.places import is_of_the_way, may_be_secret

if TYPE_CHECKING:
    from collections.abc import Sequence

    from toolbox.sources.captured.request import CapturedRequest

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9-]{0,20} )(\S+)")
_JWT = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]*")


@dataclass(frozen=True)
class TokenFound:
    """Where a token is; its value is nowhere in this.

    Parameters
    ----------
    proved : bool
        Whether it is the secret that was given.
    """

    settings: dict[str, Any]
    evidence: str
    proved: bool = False


def find_token(requests: Sequence[CapturedRequest], secrets: Sequence[str]) -> TokenFound | None:
    """Return where a token is that is the same in each request; None where there is none."""
    return _given(requests[0], secrets) or _in_query(requests[0], secrets) or _guessed(requests)


def _given(request: CapturedRequest, secrets: Sequence[str]) -> TokenFound | None:
    for name, value in request.headers:
        for secret in secrets:
            if secret and value.endswith(secret) and not is_of_the_way(name):
                settings = _settings(name, value.removesuffix(secret))
                text = f"header {name} has the secret that was given"
                return TokenFound(settings, text, proved=True)
    return None


def _in_query(request: CapturedRequest, secrets: Sequence[str]) -> TokenFound | None:
    for name, value in parse_qsl(request.query[:8_000], max_num_fields=100):
        if value in secrets or (not secrets and may_be_secret(name)):
            text = f"parameter {name} of the query"
            return TokenFound({"type": "token", "query": name}, text, proved=value in secrets)
    return None


def _guessed(requests: Sequence[CapturedRequest]) -> TokenFound | None:
    for name, value in requests[0].headers:
        if not may_be_secret(name) or name.lower() == "cookie":
            continue
        found = _SCHEME.fullmatch(value)
        prefix, rest = (found[1], found[2]) if found else ("", value)
        if _JWT.fullmatch(rest):
            text = f"header {name} has a JWT, which each request has anew: see type: jwt in "
            return TokenFound(_settings(name, prefix), text + "docs/source-authentication.md")
        if any(one.header(name) != value for one in requests):
            continue
        if prefix.lower() == "basic ":
            text = f"header {name} has a user and a password, the same in each request"
            return TokenFound({"type": "basic"}, text)
        text = f"header {name}, the same in each request ({len(requests)}): a guess"
        return TokenFound(_settings(name, prefix), text)
    return None


def _settings(name: str, prefix: str) -> dict[str, Any]:
    return {"type": "token", "header": name, **({"prefix": prefix} if prefix else {})}
