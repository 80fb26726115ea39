"""Who may send to a source: by address and by token. The authorizer and the receiver ask here."""

from __future__ import annotations

import base64
import hmac
import ipaddress
from typing import TYPE_CHECKING

from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from pipeline.event.compiled_source import Catalog, CompiledSource
    from pipeline.runtime.secret_store import SecretStore


class UnknownRouteError(PipelineError):
    """The stack routed a request here for a source that the catalogue lacks."""


def source_of(catalog: Catalog, resource: str) -> CompiledSource:
    """Return the source that a route belongs to.

    Parameters
    ----------
    resource : str
        The route as API Gateway names it, such as `/github`, or `/github/{token}`.

    Raises
    ------
    UnknownRouteError
        When the route belongs to no source.
    """
    name = resource.strip("/").partition("/")[0]
    source = catalog.get(name)
    if source is None:
        raise UnknownRouteError(f"route /{name}: no such source in the compiled catalogue")
    return source


def from_allowed_network(source: CompiledSource, address: str) -> bool:
    """Tell whether a source takes requests from an address.

    Parameters
    ----------
    source : CompiledSource
        A source without networks takes them from anywhere.
    address : str
        The sender's, IPv4 or IPv6.
    """
    if not source.allowed_networks:
        return True
    sender = ipaddress.ip_address(address)
    return any(sender in ipaddress.ip_network(network) for network in source.allowed_networks)


_BASIC = "basic "
_LONGEST_BASIC = 4_096


def shows_secret(source: CompiledSource) -> bool:
    """Tell whether a sender proves itself by showing a secret."""
    return source.authentication in {"token", "basic"}


def header_of(source: CompiledSource) -> str:
    """Return the header, in lower case, in which a secret is shown; empty where it is elsewhere."""
    return "authorization" if source.authentication == "basic" else source.token_header


def place_of(source: CompiledSource) -> str:
    """Say where the secret is expected, for people."""
    if source.token_in_path:
        return "the path"
    return f"the query's {source.token_query}" if source.token_query else header_of(source)


def has_token(source: CompiledSource, secrets: SecretStore, given: str) -> bool:
    """Tell whether a shown secret is right.

    Parameters
    ----------
    secrets : SecretStore
        Where the tokens are.
    given : str
        The value of the header, query or path; empty where it is missing.

    Raises
    ------
    SecretError
        When the token cannot be read: nothing is decided.
    """
    token = _shown(source, given)
    if token is None:
        return False
    return is_known(source, secrets, token)


def is_known(source: CompiledSource, secrets: SecretStore, token: bytes) -> bool:
    """Tell whether a token is one of a source's, as they are known or as they are now.

    Raises
    ------
    SecretError
        When they cannot be read: nothing is decided.
    """
    for refresh in (False, True):
        known = secrets.secrets(source.name, "auth_token", refresh=refresh)
        # Every secret is compared, so that the time taken does not tell which one it was.
        matches = [hmac.compare_digest(token, secret) for secret in known]
        if any(matches):
            return True
    return False


def _shown(source: CompiledSource, given: str) -> bytes | None:
    """Return the bytes that a sender shows; None where it is in no form that can be right."""
    if source.authentication == "basic":
        if len(given) > _LONGEST_BASIC or not given.lower().startswith(_BASIC):
            return None
        try:
            return base64.b64decode(given[len(_BASIC) :].strip(), validate=True)
        except ValueError:
            return None
    if not given.startswith(source.token_prefix):
        return None
    return given.removeprefix(source.token_prefix).encode(errors="replace")
