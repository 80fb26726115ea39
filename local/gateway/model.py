"""What the template says about a REST API, resolved, checked and compiled."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    import re

    from local.gateway.exchange import Exchange
    from local.vtl import VtlTemplate

#: Gives the value of a mapping expression for a request, None where there is none.
Expression: TypeAlias = Callable[["Exchange"], str | None]
IntegrationType: TypeAlias = Literal["AWS", "AWS_PROXY", "MOCK"]


@dataclass(frozen=True)
class RateLimit:
    """A token bucket: so many requests a second, and so many at once."""

    rate: float
    burst: int


@dataclass(frozen=True)
class AuthorizerSettings:
    """A Lambda authorizer."""

    logical_id: str
    function: str
    identity_sources: tuple[Expression, ...]
    ttl_seconds: int


@dataclass(frozen=True)
class IntegrationResponse:
    """How one kind of backend answer becomes the answer to the sender."""

    status: int
    pattern: re.Pattern[str] | None
    content_handling: str | None
    templates: Mapping[str, VtlTemplate]
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Integration:
    """What a method does with a request: put a record (AWS), call a function, answer by itself."""

    logical_id: str
    type: IntegrationType
    content_handling: str | None
    templates: Mapping[str, VtlTemplate]
    #: What the service gets as Content-Type; None for the sender's own.
    content_type: str | None
    responses: tuple[IntegrationResponse, ...]
    timeout_seconds: float
    function: str = ""


@dataclass(frozen=True)
class Route:
    """One method of one resource."""

    logical_id: str
    resource_path: str
    resource_id: str
    http_method: str
    integration: Integration
    authorizer: AuthorizerSettings | None = None
    required_headers: tuple[str, ...] = ()
    response_statuses: frozenset[int] = frozenset()
    throttle: RateLimit | None = None


@dataclass(frozen=True)
class GatewayResponse:
    """A customised gateway response."""

    response_type: str
    status: int | None
    headers: Mapping[str, Expression]
    templates: Mapping[str, str]


@dataclass(frozen=True)
class Api:
    """A REST API and the one stage that is served."""

    api_id: str
    account: str
    region: str
    stage: str
    #: Whether every media type is binary; else none is.
    binary: bool
    routes: tuple[Route, ...]
    gateway_responses: Mapping[str, GatewayResponse] = field(default_factory=dict)
    deployment: str = "deployment"
