"""The model of `source.yaml` (build and command line only: a Lambda never imports this)."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from settings.source.authentication import HmacAuthentication, TokenAuthentication
from settings.source.base import SECRET_HEADERS, FieldPath, HeaderName, Model, SourceName
from settings.source.handshake import Handshake
from settings.source.polling import FEED_HEADER, Polling

__all__ = ["HmacAuthentication", "Source", "SourceName", "TokenAuthentication"]

MediaType = Annotated[str, Field(pattern=r"^[a-z0-9.+-]+/[a-z0-9.+-]+$")]
SEVERITIES = Literal[
    "DEBUG", "INFO", "NOTICE", "WARNING", "ERROR", "CRITICAL", "ALERT", "EMERGENCY"
]


class Headers(Model):
    """Which headers of a request travel in the envelope, and which must be there."""

    keep: tuple[HeaderName, ...] = ()
    require: tuple[HeaderName, ...] = ()

    @field_validator("keep")
    @classmethod
    def _no_secrets(cls, keep: tuple[str, ...]) -> tuple[str, ...]:
        for name in keep:
            if name.lower() in SECRET_HEADERS:
                raise ValueError(f"{name} carries a secret and is never kept")
        return keep


class Locator(Model):
    """A value in a header, or at a dotted path in the body."""

    header: HeaderName | None = None
    path: FieldPath | None = None

    @model_validator(mode="after")
    def _one_of(self) -> Locator:
        if (self.header is None) == (self.path is None):
            raise ValueError("give either 'header' or 'path'")
        return self


class DeliveryId(Model):
    """What tells one event from another: a header, a path, or several paths taken together."""

    header: HeaderName | None = None
    path: FieldPath | None = None
    paths: tuple[FieldPath, ...] = Field(
        default=(), description="joined with '|'; a path without a value counts as empty"
    )

    @model_validator(mode="after")
    def _one_of(self) -> DeliveryId:
        if sum((self.header is not None, self.path is not None, bool(self.paths))) != 1:
            raise ValueError("give either 'header', 'path' or 'paths'")
        return self

    @property
    def all_paths(self) -> tuple[str, ...]:
        """The paths, of which there may be one; empty for a header."""
        return (self.path,) if self.path is not None else self.paths


class Schemas(Model):
    """Which JSON Schema (draft 4, 6 or 7) an event of which type must satisfy."""

    types: dict[str, Path] = Field(default_factory=dict, description="event type: schema file")
    default: Path | None = Field(
        default=None, description="the schema of every type that is not listed"
    )
    unknown_types: Literal["accept", "reject"] = "accept"
    formats: bool = Field(
        default=False, description="check 'format' too; costs time and refuses real events"
    )


class Split(Model):
    """One request that carries many events: where the list of them is."""

    path: FieldPath = Field(description="dotted path to the list; '.' when the body is the list")


class Queue(Model):
    """The queue that MozDef reads; several sources may share one by its name."""

    name: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_-]{1,40}$")
    by_type: dict[str, Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,40}$")]] = Field(
        default_factory=dict
    )


class MozdefMapping(Model):
    """How an event becomes a MozDef event. Everything has a default but `category`'s name."""

    category: str | None = Field(default=None, description="default: the name of the source")
    processname: str | None = Field(default=None, description="default: the name of the source")
    hostname: str | None = Field(default=None, description="default: <source>_host")
    source: str = "api_aws_lambda"
    tags: tuple[str, ...] | None = Field(default=None, description="default: [<source>]")
    severity: SEVERITIES = "INFO"
    severity_by_type: dict[str, SEVERITIES] = Field(default_factory=dict)
    summary: str = Field(
        default="{source} {type}",
        description="text with {source}, {type} and {dotted.paths} of the body",
    )
    timestamp: FieldPath | tuple[FieldPath, ...] = Field(
        default=(),
        description="path of an ISO 8601 time or an epoch, or several of which the first that an "
        "event has is taken; default: the arrival",
    )
    details: Literal["body"] | dict[str, str] = Field(
        default="body",
        description=(
            "'body': the sender's body as it is; or an object whose values are $body, $type, "
            "$delivery_id, $header.<name> or a dotted path of the body"
        ),
    )

    @property
    def timestamps(self) -> tuple[str, ...]:
        """The paths of an event's time, in the order in which they are tried."""
        return (self.timestamp,) if isinstance(self.timestamp, str) else self.timestamp


class Source(Model):
    """One kind of sender: `catalog/<name>/source.yaml`."""

    version: Literal[1]
    title: str = Field(min_length=1, max_length=100)
    documentation: str | None = Field(default=None, description="where the sender documents this")
    ingest: Literal["direct", "receiver", "poll"] = Field(
        default="direct",
        description="'direct': API Gateway puts requests on the stream; 'receiver': a function "
        "verifies and answers each request first; 'poll': events are fetched",
    )
    authentication: (
        Annotated[TokenAuthentication | HmacAuthentication, Field(discriminator="type")] | None
    ) = None
    handshake: Handshake | None = None
    poll: Polling | None = None
    content_types: tuple[MediaType, ...] = ("application/json",)
    form_field: str | None = Field(
        default=None, description="the form field that holds the JSON of a form-encoded delivery"
    )
    headers: Headers = Headers()
    event_type: Locator | None = None
    ignore_types: tuple[str, ...] = Field(
        default=(), description="types that are accepted and not forwarded, such as a ping"
    )
    delivery_id: DeliveryId | None = Field(default=None, description="default: hash of the body")
    deduplication_hours: int = Field(default=168, ge=1, le=24 * 365)
    schemas: Schemas = Schemas()
    split: Split | None = None
    allowed_networks: tuple[str, ...] = ()
    mozdef: MozdefMapping = MozdefMapping()
    queue: Queue = Queue()

    @property
    def parameter(self) -> str:
        """The last part of the name of the parameter that holds the source's secret."""
        owner = self.authentication or self.poll
        if owner is None:
            raise AssertionError("a source has an authentication or polls")
        return owner.parameter

    @field_validator("allowed_networks")
    @classmethod
    def _networks(cls, networks: tuple[str, ...]) -> tuple[str, ...]:
        for network in networks:
            try:
                ipaddress.ip_network(network)
            except ValueError as error:
                raise ValueError(f"{network!r} is no network: {error}") from None
        return networks

    @model_validator(mode="after")
    def _one_way_in(self) -> Source:
        polls = self.ingest == "poll"
        if polls != (self.poll is not None):
            raise ValueError("poll: is set if and only if ingest is 'poll'")
        if polls == (self.authentication is not None):
            raise ValueError("authentication: is set unless ingest is 'poll'")
        if self.handshake and polls:
            raise ValueError("handshake: nothing asks for one where events are fetched")
        if self.handshake and self.handshake.post:
            if self.ingest != "receiver":
                raise ValueError("handshake.post: only the receiver can answer; ingest: receiver")
            hmac = isinstance(self.authentication, HmacAuthentication)
            if "$hmac" in self.handshake.post.answer.values() and not hmac:
                raise ValueError("handshake.post.answer: $hmac needs authentication by hmac")
        if self.ignore_types and self.event_type is None:
            raise ValueError("ignore_types: set event_type, or no event can have a type")
        return self

    @model_validator(mode="after")
    def _headers_are_kept(self) -> Source:
        kept = {name.lower() for name in self.headers.keep}
        needed = {"event_type": self.event_type, "delivery_id": self.delivery_id}
        for key, locator in needed.items():
            if locator and locator.header and locator.header.lower() not in kept:
                raise ValueError(f"{key}: header {locator.header} must be listed in headers.keep")
        if isinstance(self.authentication, HmacAuthentication):
            for name in self.authentication.headers:
                if name.lower() not in kept:
                    raise ValueError(f"authentication: header {name} must be in headers.keep")
        elif self.authentication is not None and self.authentication.header.lower() in kept:
            raise ValueError(f"headers.keep: {self.authentication.header} carries the token")
        if self.poll is not None and kept - {FEED_HEADER.lower()}:
            raise ValueError(f"headers.keep: a fetched event has one header, {FEED_HEADER}")
        form = "application/x-www-form-urlencoded"
        if (form in self.content_types) != (self.form_field is not None):
            raise ValueError(f"form_field is set if and only if content_types has {form}")
        if self.form_field is not None and "content-type" not in kept:
            raise ValueError("form_field: header Content-Type must be listed in headers.keep")
        return self
