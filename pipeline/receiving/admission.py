"""Who may send to a source: by address and by token. The authorizer and the receiver ask here."""

from __future__ import annotations

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
        The route as API Gateway names it, such as `/github`.

    Raises
    ------
    UnknownRouteError
        When the route belongs to no source.
    """
    name = resource.strip("/")
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


def has_token(source: CompiledSource, secrets: SecretStore, given: str) -> bool:
    """Tell whether the value of a source's token header is right.

    Parameters
    ----------
    secrets : SecretStore
        Where the tokens are.
    given : str
        The header's value; empty where it is missing.

    Raises
    ------
    SecretError
        When the token cannot be read: nothing is decided.
    """
    if not given.startswith(source.token_prefix):
        return False
    token = given.removeprefix(source.token_prefix).encode(errors="replace")
    for refresh in (False, True):
        known = secrets.secrets(source.name, source.secret_kind, refresh=refresh)
        # Every secret is compared, so that the time taken does not tell which one it was.
        matches = [hmac.compare_digest(token, secret) for secret in known]
        if any(matches):
            return True
    return False
