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
class Throttle:
    """A token bucket: so many requests a second, and so many at once."""

    rate: float
    burst: int


@dataclass(frozen=True)
class AuthorizerSettings:
    """A Lambda authorizer."""

    logical_id: str
    function: str
    type: Literal["REQUEST", "TOKEN"]
    identity_sources: tuple[Expression, ...]
    ttl_seconds: int
    token_pattern: re.Pattern[str] | None = None


@dataclass(frozen=True)
class IntegrationResponse:
    """How one kind of backend answer becomes the answer to the sender."""

    status: int
    pattern: re.Pattern[str] | None
    content_handling: str | None
    templates: Mapping[str, VtlTemplate]
    headers: Mapping[str, Expression]


@dataclass(frozen=True)
class Integration:
    """What a method does with a request."""

    logical_id: str
    type: IntegrationType
    passthrough: str
    content_handling: str | None
    templates: Mapping[str, VtlTemplate]
    headers: Mapping[str, Expression]
    responses: tuple[IntegrationResponse, ...]
    timeout_seconds: float
    service: str = ""
    action: str = ""
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
    required: tuple[tuple[str, str], ...] = ()
    response_statuses: frozenset[int] = frozenset()
    throttle: Throttle | None = None


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
    stage_variables: Mapping[str, str]
    binary_media_types: tuple[str, ...]
    routes: tuple[Route, ...]
    gateway_responses: Mapping[str, GatewayResponse] = field(default_factory=dict)

    def is_binary(self, content_type: str) -> bool:
        """Tell whether the API treats this media type as binary."""
        kind, _, _ = content_type.partition("/")
        return any(
            binary in {"*/*", content_type, f"{kind}/*"} for binary in self.binary_media_types
        )
