"""One request on its way through the gateway, and `$context` as templates see it."""

from __future__ import annotations

import base64
import os
import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from local.vtl import VtlError, VtlObject

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from local.gateway.model import Api, Route

_EXTENDED_ID_BYTES = 11
_ENTROPY_BYTES = 4096
_DEFAULT_TYPE = "application/json"


class _Entropy:
    """Random bytes, asked of the kernel for many ids at once: its call costs more than an id."""

    def __init__(self) -> None:
        self._bytes, self._next = b"", 0

    def take(self, count: int) -> bytes:
        start, end = self._next, self._next + count
        if end > len(self._bytes):
            self._bytes, start, end = os.urandom(_ENTROPY_BYTES), 0, count
        self._next = end
        return self._bytes[start:end]


_entropy = _Entropy()


def request_id() -> str:
    """Make an id of the form of `$context.requestId`: a random UUID."""
    return str(uuid.UUID(bytes=_entropy.take(16), version=4))


def extended_request_id() -> str:
    """Make an id of the form that API Gateway gives: base64, 16 characters, one of them `=`."""
    return base64.urlsafe_b64encode(_entropy.take(_EXTENDED_ID_BYTES)).decode()


def media_type(content_type: str | None) -> str:
    """Return the media type alone; a request without a Content-Type is JSON for API Gateway."""
    return (content_type or _DEFAULT_TYPE).partition(";")[0].strip().lower() or _DEFAULT_TYPE


@dataclass(slots=True)
class Exchange:
    """A request, what the steps found out about it, and the override of its templates.

    Parameters
    ----------
    path : str
        As the sender wrote it, still percent-encoded, with the slashes at its beginning and end.
    headers : Sequence[tuple[str, str]]
        As the sender wrote them, in their order, repetitions included.
    """

    api: Api
    http_method: str
    path: str
    headers: list[tuple[str, str]]
    query: list[tuple[str, str]]
    source_ip: str
    protocol: str = "HTTP/1.1"
    body: bytes = b""
    route: Route | None = None
    response_override: dict[str, Any] = field(default_factory=dict)
    request_id: str = field(default_factory=request_id)
    extended_request_id: str = field(default_factory=extended_request_id)
    epoch_ms: int = field(default_factory=lambda: time.time_ns() // 1_000_000)
    error: dict[str, str] = field(default_factory=dict)
    _folded: dict[str, str] | None = None

    def header(self, name: str) -> str | None:
        """Return a header's last value, whatever the case of its name."""
        if self._folded is None:
            self._folded = {key.lower(): value for key, value in self.headers}
        return self._folded.get(name.lower())

    @property
    def media_type(self) -> str:
        """The media type of the request's body."""
        return media_type(self.header("content-type"))

    @property
    def resource_path(self) -> str:
        """The path of the resource, with its parameters unfilled."""
        return self.route.resource_path if self.route else ""

    @property
    def path_parameters(self) -> dict[str, str]:
        """The parameters of the path, decoded: the last part, where the route has one."""
        name = self.resource_path.rpartition("/")[2]
        if not name.startswith("{"):
            return {}
        return {name[1:-1]: unquote(self.path.rstrip("/").rpartition("/")[2])}

    @property
    def context_path(self) -> str:
        """The path as `$context.path` gives it: with the stage in front."""
        return f"/{self.api.stage}{self.path}"

    @property
    def method_arn(self) -> str:
        """What an authorizer's policy allows or denies."""
        api = self.api
        return (
            f"arn:aws:execute-api:{api.region}:{api.account}:{api.api_id}"
            f"/{api.stage}/{self.http_method}/{self.path.strip('/')}"
        )

    def context_value(self, path: str) -> Any:
        """Return what an expression such as `context.identity.sourceIp` stands for.

        Raises
        ------
        VtlError
            For a variable that API Gateway does not have.
        """
        value: Any = ContextObject(self)
        for name in path.split("."):
            value = value.get(name) if isinstance(value, dict) else value.vtl_property(name)
            if value is None or isinstance(value, str | int):
                break
        return value


class _Identity(VtlObject):
    type_name = "$context.identity"

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def vtl_property(self, name: str) -> Any:
        if name == "sourceIp":
            return self._exchange.source_ip
        if name == "userAgent":
            return self._exchange.header("user-agent") or ""
        return super().vtl_property(name)


class ContextObject(VtlObject):
    """`$context`: an unknown variable is an error, where API Gateway prints nothing."""

    type_name = "$context"

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def vtl_property(self, name: str) -> Any:
        """Return a variable.

        Raises
        ------
        VtlError
            For a variable that API Gateway does not have.
        """
        match name:
            case "identity":
                return _Identity(self._exchange)
            case "responseOverride":
                return self._exchange.response_override
            case "error":
                return self._exchange.error
        found = _CONTEXT.get(name)
        if found is None:
            raise VtlError(
                f"$context has no variable {name!r} that the local gateway knows; "
                f"it knows {', '.join(sorted(_CONTEXT))}"
            )
        return found(self._exchange)


def _request_time(exchange: Exchange) -> str:
    return time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(exchange.epoch_ms / 1000))


def is_variable(path: Sequence[str]) -> bool:
    """Tell whether a mapping template has this variable of `$context`, by the names to it.

    What is written below `responseOverride` stays there, as recorded; headers would be sent.
    """
    match path:
        case ("identity", name):
            return name in {"sourceIp", "userAgent"}
        case ("responseOverride", name):
            return name != "header"
    return len(path) == 1 and path[0] in _CONTEXT


_CONTEXT: dict[str, Callable[[Exchange], Any]] = {
    "accountId": lambda exchange: exchange.api.account,
    "apiId": lambda exchange: exchange.api.api_id,
    "deploymentId": lambda exchange: exchange.api.deployment,
    "domainName": lambda exchange: exchange.header("host") or "",
    "domainPrefix": lambda exchange: exchange.api.api_id,
    "extendedRequestId": lambda exchange: exchange.extended_request_id,
    "httpMethod": lambda exchange: exchange.http_method,
    "path": lambda exchange: exchange.context_path,
    "protocol": lambda exchange: exchange.protocol,
    "requestId": lambda exchange: exchange.request_id,
    "requestTime": _request_time,
    "requestTimeEpoch": lambda exchange: exchange.epoch_ms,
    "resourceId": lambda exchange: exchange.route.resource_id if exchange.route else "",
    "resourcePath": lambda exchange: exchange.resource_path,
    "stage": lambda exchange: exchange.api.stage,
}
