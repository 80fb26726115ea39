"""How a sender proves who it is, as `source.yaml` describes it."""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator

from settings.faults import refuse
from settings.source.base import HeaderName, Model

if TYPE_CHECKING:
    from collections.abc import Iterator

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_HEADER = "header."


class TokenAuthentication(Model):
    """A static token in a header, checked at the door."""

    type: Literal["token"]
    header: HeaderName = "Authorization"
    prefix: str = Field(
        default="", description="what stands before the token, such as 'Bearer '; may be empty"
    )

    @property
    def parameter(self) -> Literal["auth_token"]:
        """The last part of the name of the parameter that holds the secret."""
        return "auth_token"


class SignatureTimestamp(Model):
    """Where the sender puts the time of signing, and how old it may be."""

    header: HeaderName
    prefix: str = Field(
        default="", description="what marks it among several values of the header, such as 't='"
    )
    unit: Literal["seconds", "milliseconds", "iso8601"] = "seconds"
    tolerance_seconds: int = Field(default=300, ge=1, le=86_400)


class SecretForm(Model):
    """How the key is made from the secret as the sender shows it."""

    prefix: str = Field(default="", description="left out of the key, such as 'whsec_'")
    encoding: Literal["text", "hex", "base64", "base64url"] = "text"


class HmacAuthentication(Model):
    """An HMAC over the body, or over a string made with it.

    It is checked by the processor, and by the receiver where the source chooses it.
    """

    type: Literal["hmac"]
    header: HeaderName
    prefix: str = ""
    separator: Literal[",", " "] | None = Field(
        default=None,
        description="parts the values of a header that can hold several signatures, of which one "
        "must fit; those without the prefix are passed over",
    )
    algorithm: Literal["sha1", "sha256", "sha384", "sha512"] = "sha256"
    encoding: Literal["hex", "base64", "base64url"] = Field(
        default="hex", description="hex in either case; base64 with or without padding"
    )
    signed: str = Field(
        default="{body}",
        description="the string that is signed; {body}, {timestamp} and {header.<name>} are filled "
        "in",
    )
    timestamp: SignatureTimestamp | None = None
    secret: SecretForm = SecretForm()

    @property
    def parameter(self) -> Literal["signing_secret"]:
        """The last part of the name of the parameter that holds the secret."""
        return "signing_secret"

    @property
    def headers(self) -> list[str]:
        """The headers that must travel in the envelope for the signature to be checked."""
        signed = [
            name.removeprefix(_HEADER)
            for name in _PLACEHOLDER.findall(self.signed)
            if name.startswith(_HEADER)
        ]
        return [self.header, *([self.timestamp.header] if self.timestamp else []), *signed]

    @model_validator(mode="after")
    def _consistent(self) -> HmacAuthentication:
        refuse(itertools.chain(self._signed_string(), self._timestamp(), self._separator()))
        return self

    def _signed_string(self) -> Iterator[tuple[str, str]]:
        names = _PLACEHOLDER.findall(self.signed)
        for name in names:
            if name not in {"body", "timestamp"} and not name.startswith(_HEADER):
                known = "use {body}, {timestamp} and {header.<name>}"
                yield "signed", f"{{{name}}} is unknown; {known}"
        if names.count("body") != 1:
            yield "signed", "must contain {body} exactly once"
        if ("timestamp" in names) != (self.timestamp is not None):
            yield "signed", "contains {timestamp} if and only if 'timestamp' is set"
        if f"{_HEADER}{self.header}".lower() in [name.lower() for name in names]:
            yield "signed", "a signature cannot be over its own header"

    def _timestamp(self) -> Iterator[tuple[str, str]]:
        when = self.timestamp
        if when is None:
            return
        shared = when.header.lower() == self.header.lower()
        if shared and not (when.prefix and self.separator and self.prefix):
            both = "in the signature's own header both need a prefix, and a separator"
            yield "timestamp", both
        if when.prefix and not shared:
            yield "timestamp.prefix", "only in the signature's own header"
        if shared and when.prefix and self.prefix and _overlap(when.prefix, self.prefix):
            yield "timestamp.prefix", "neither prefix may start with the other"

    def _separator(self) -> Iterator[tuple[str, str]]:
        for prefix in (self.prefix, self.timestamp.prefix if self.timestamp else ""):
            if self.separator and self.separator in prefix:
                yield "separator", f"prefix {prefix!r} holds it, so no value can fit"


def _overlap(one: str, other: str) -> bool:
    return one.startswith(other) or other.startswith(one)
