"""Request validation: the headers that a method requires."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local.gateway.errors import GatewayError

if TYPE_CHECKING:
    from local.gateway.exchange import Exchange
    from local.gateway.model import Route


def validate(exchange: Exchange, route: Route) -> None:
    """Check that a request has what its method requires, and that it is not blank.

    Header names are compared as they are written. AWS documents for REST APIs that header names
    are processed case-sensitively (API Gateway Developer Guide, important notes), and there are
    reports of lower-case headers being refused; nothing says otherwise. If AWS should be more
    lenient than this, the only harm is a 400 on a laptop; the other way round it would be events
    lost in production. A source whose senders speak HTTP/2, and so write lower case, must not be
    given a required header.

    Raises
    ------
    GatewayError
        When something is missing; the message is AWS's.
    """
    given = dict(exchange.headers)
    missing = [name for name in route.required_headers if not given.get(name, "").strip()]
    if missing:
        raise GatewayError(
            "BAD_REQUEST_PARAMETERS", f"Missing required request parameters: [{', '.join(missing)}]"
        )
