"""The model of `source.yaml` (build and command line only: a Lambda never imports this)."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

SourceName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,39}$")]
HeaderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,64}$")]
FieldPath = Annotated[str, Field(min_length=1, max_length=200)]
MediaType = Annotated[str, Field(pattern=r"^[a-z0-9.+-]+/[a-z0-9.+-]+$")]

SECRET_HEADERS = frozenset(
    {"authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key", "x-gitlab-token"}
)
SEVERITIES = Literal[
    "DEBUG", "INFO", "NOTICE", "WARNING", "ERROR", "CRITICAL", "ALERT", "EMERGENCY"
]
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TokenAuthentication(_Model):
    """A static token in the Authorization header, checked by the authorizer."""

    type: Literal["token"]
    header: Literal["Authorization"] = "Authorization"
    prefix: str = Field(
        default="", description="what stands before the token, such as 'Bearer '; may be empty"
    )

    @property
    def parameter(self) -> Literal["auth_token"]:
        """The last part of the name of the parameter that holds the secret."""
        return "auth_token"


class SignatureTimestamp(_Model):
    """Where the sender puts the time of signing, and how old it may be."""

    header: HeaderName
    tolerance_seconds: int = Field(default=300, ge=1, le=86_400)


class HmacAuthentication(_Model):
    """An HMAC over the body (or a string made with it), checked by the processor."""

    type: Literal["hmac"]
    header: HeaderName
    prefix: str = ""
    algorithm: Literal["sha1", "sha256", "sha512"] = "sha256"
    encoding: Literal["hex", "base64"] = "hex"
    signed: str = Field(
        default="{body}",
        description="the string that is signed; {body} and {timestamp} are filled in",
    )
    timestamp: SignatureTimestamp | None = None

    @property
    def parameter(self) -> Literal["signing_secret"]:
        """The last part of the name of the parameter that holds the secret."""
        return "signing_secret"

    @model_validator(mode="after")
    def _signed_string(self) -> HmacAuthentication:
        names = _PLACEHOLDER.findall(self.signed)
        if unknown := set(names) - {"body", "timestamp"}:
            raise ValueError(
                f"signed: {{{min(unknown)}}} is unknown; use {{body}} and {{timestamp}}"
            )
        if names.count("body") != 1:
            raise ValueError("signed: must contain {body} exactly once")
        if ("timestamp" in names) != (self.timestamp is not None):
            raise ValueError("signed contains {timestamp} if and only if 'timestamp' is set")
        return self


class Headers(_Model):
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


class Locator(_Model):
    """A value in a header, or at a dotted path in the body."""

    header: HeaderName | None = None
    path: FieldPath | None = None

    @model_validator(mode="after")
    def _one_of(self) -> Locator:
        if (self.header is None) == (self.path is None):
            raise ValueError("give either 'header' or 'path'")
        return self


class Schemas(_Model):
    """Which JSON Schema (draft 4, 6 or 7) an event of which type must satisfy."""

    types: dict[str, Path] = Field(default_factory=dict, description="event type: schema file")
    default: Path | None = Field(
        default=None, description="the schema of every type that is not listed"
    )
    unknown_types: Literal["accept", "reject"] = "accept"
    formats: bool = Field(
        default=False, description="check 'format' too; costs time and refuses real events"
    )


class Split(_Model):
    """One request that carries many events: where the list of them is."""

    path: FieldPath = Field(description="dotted path to the list; '.' when the body is the list")


class Queue(_Model):
    """The queue that MozDef reads; several sources may share one by its name."""

    name: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_-]{1,40}$")
    by_type: dict[str, Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,40}$")]] = Field(
        default_factory=dict
    )


class MozdefMapping(_Model):
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
    timestamp: FieldPath | None = Field(
        default=None, description="path of an ISO 8601 time or an epoch; default: the arrival"
    )
    details: Literal["body"] | dict[str, str] = Field(
        default="body",
        description=(
            "'body': the sender's body as it is; or an object whose values are $body, $type, "
            "$delivery_id, $header.<name> or a dotted path of the body"
        ),
    )


class Source(_Model):
    """One kind of sender: `pipeline/catalog/<name>/source.yaml`."""

    version: Literal[1]
    title: str = Field(min_length=1, max_length=100)
    documentation: str | None = Field(default=None, description="where the sender documents this")
    authentication: Annotated[TokenAuthentication | HmacAuthentication, Field(discriminator="type")]
    content_types: tuple[MediaType, ...] = ("application/json",)
    form_field: str | None = Field(
        default=None, description="the form field that holds the JSON of a form-encoded delivery"
    )
    headers: Headers = Headers()
    event_type: Locator | None = None
    delivery_id: Locator | None = Field(default=None, description="default: hash of the body")
    deduplication_hours: int = Field(default=168, ge=1, le=24 * 365)
    schemas: Schemas = Schemas()
    split: Split | None = None
    allowed_networks: tuple[str, ...] = ()
    mozdef: MozdefMapping = MozdefMapping()
    queue: Queue = Queue()

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
    def _headers_are_kept(self) -> Source:
        kept = {name.lower() for name in self.headers.keep}
        needed = {"event_type": self.event_type, "delivery_id": self.delivery_id}
        for key, locator in needed.items():
            if locator and locator.header and locator.header.lower() not in kept:
                raise ValueError(f"{key}: header {locator.header} must be listed in headers.keep")
        signed = self.authentication
        if isinstance(signed, HmacAuthentication):
            names = [signed.header, *([signed.timestamp.header] if signed.timestamp else [])]
            for name in names:
                if name.lower() not in kept:
                    raise ValueError(f"authentication: header {name} must be in headers.keep")
        form = "application/x-www-form-urlencoded"
        if (form in self.content_types) != (self.form_field is not None):
            raise ValueError(f"form_field is set if and only if content_types has {form}")
        if self.form_field is not None and "content-type" not in kept:
            raise ValueError("form_field: header Content-Type must be listed in headers.keep")
        return self
