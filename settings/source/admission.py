"""The proofs that the door takes by itself, beside a token: a password, a network, or none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from settings.source.base import Model

if TYPE_CHECKING:
    from settings.source.model import Source


class _Plain(Model):
    """What needs nothing of the request behind the door, and may have no secret."""

    @property
    def parameter(self) -> Literal["auth_token", ""]:
        """The last part of the name of the parameter that holds the secret; empty without one."""
        return ""

    @property
    def pseudo_headers(self) -> tuple[str, ...]:
        """What must travel beside the headers."""
        return ()


class BasicAuthentication(_Plain):
    """HTTP Basic (RFC 7617): a line of the parameter is `user:password`."""

    type: Literal["basic"]

    @property
    def parameter(self) -> Literal["auth_token"]:
        """The last part of the name of the parameter that holds the secret."""
        return "auth_token"


class NetworkAuthentication(_Plain):
    """The sender's address alone; `allowed_networks` says which."""

    type: Literal["network"]


class NoAuthentication(_Plain):
    """Nothing at all: whoever knows the address makes events."""

    type: Literal["none"]


UNPROVEN = (
    "NOBODY IS ASKED WHO THEY ARE. Whoever knows the address makes events. If the sender can do no "
    "better, give it an address with a token in it ('type: token' with 'path' or 'query'), or let "
    "in its networks alone ('type: network')"
)
"""What is said of a source without authentication, loudly."""

AT_THE_DOOR = frozenset({"token", "basic", "network"})
"""The types of authentication that are settled before a request is on the stream."""


class AuthorizerIdentity(NamedTuple):
    """What a decision of the authorizer depends on, beside the path: what it is cached by."""

    header: str
    query: str
    address: bool
    method: bool


def authorizer_identity(source: Source) -> AuthorizerIdentity:
    """Return what the authorizer of a source decides by.

    All of it must be an identity source: a decision on a token alone would be served from the cache
    to any address. A token in the path is one, since the path always is.
    """
    token = source.token
    header = token.in_header if token else ""
    if source.proof == "basic":
        header = "Authorization"
    query = (token.query or "") if token else ""
    shown = bool(header or query or (token and token.path))
    return AuthorizerIdentity(
        header, query, not shown or bool(source.allowed_networks), len(source.methods) > 1
    )
