"""How a sender proves who it is, as `source.yaml` describes it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, field_validator, model_validator

from pipeline.event.compiled_source import Signature
from pipeline.event.pseudo_headers import METHOD, QUERY, URL
from pipeline.event.signature_details import DetailedSignature
from settings.faults import refuse
from settings.source.base import SECRET_HEADERS, FieldPath, HeaderName, Model, QueryName

if TYPE_CHECKING:
    from collections.abc import Iterator

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_HEADER = "header."
_DERIVED = re.compile(r":path|:form\..+|:body\..+|:(?:md5|sha1|sha256|sha384|sha512|crc32)\(body\)")
#: What covers all of a body.
_WHOLE = frozenset({"body", "sha1(body)", "sha256(body)", "sha384(body)", "sha512(body)"})
_SECRET = "{secret}"  # noqa: S105 - a placeholder
_AUTHORIZATION = "authorization"
_SEPARATOR = re.compile(r"[ -/:-@\[-`{-~]{1,3}")
#: Schemes of `Authorization` that carry a secret, and no signature (RFC 6750, 7617, 7616).
_CARRY_SECRETS = ("bearer", "basic", "digest")
_SCHEME = re.compile(r"[A-Za-z0-9-]+ ([A-Za-z0-9-]+=)?")
#: What an encoding's texts have beside letters and digits.
_MARKS = {"hex": "", "base64": "+/=", "base64url": "-_="}


_SignatureKind = type[Signature]


class TokenAuthentication(Model):
    """A static token in a header, the query or the path, checked at the door."""

    type: Literal["token"]
    header: HeaderName = "Authorization"
    prefix: str = Field(
        default="", description="what stands before the token, such as 'Bearer '; may be empty"
    )
    query: QueryName | None = Field(
        default=None, description="the parameter of the query that has it, and no header"
    )
    path: bool = Field(
        default=False, description="it follows the source in the path: /<source>/<token>"
    )

    @model_validator(mode="after")
    def _in_one_place(self) -> TokenAuthentication:
        elsewhere = self.query is not None or self.path
        if elsewhere and self.model_fields_set & {"header", "prefix"}:
            raise ValueError("'header' and 'prefix' are not for a token in the query or the path")
        if self.query is not None and self.path:
            raise ValueError("give either 'query' or 'path'")
        return self

    @property
    def in_header(self) -> str:
        """The header that has it; empty where it is elsewhere."""
        return "" if self.query is not None or self.path else self.header

    @property
    def parameter(self) -> Literal["auth_token"]:
        """The last part of the name of the parameter that holds the secret."""
        return "auth_token"

    @property
    def pseudo_headers(self) -> tuple[str, ...]:
        """What must travel beside the headers: nothing, since a token is for the door alone."""
        return ()


class SignatureTimestamp(Model):
    """Where the sender puts the time of signing, and how old it may be."""

    header: HeaderName | None = None
    prefix: str = Field(
        default="", description="what marks it among several values of the header, such as 't='"
    )
    position: int | None = Field(
        default=None,
        ge=1,
        le=20,
        description="which part of the signature's header it is, from 1 on, where it has no prefix",
    )
    path: FieldPath | None = Field(
        default=None, description="in the body, which is read once the signature fits"
    )
    unit: Literal["seconds", "milliseconds", "iso8601"] = "seconds"
    tolerance_seconds: int = Field(default=300, ge=1, le=86_400)

    @model_validator(mode="after")
    def _one_of(self) -> SignatureTimestamp:
        if (self.header is None) == (self.path is None):
            raise ValueError("give either 'header' or 'path'")
        if self.path is not None and (self.prefix or self.position):
            raise ValueError("'prefix' and 'position' are a header's")
        if self.path == ".":
            raise ValueError("'path' names a field of the body")
        if self.prefix and self.position:
            raise ValueError("give either 'prefix' or 'position'")
        return self


class SecretForm(Model):
    """How the key is made from the secret as the sender shows it."""

    prefix: str = Field(default="", description="left out of the key, such as 'whsec_'")
    encoding: Literal["text", "hex", "base64", "base64url"] = "text"
    digest: Literal["sha1", "sha256", "sha384", "sha512"] | None = Field(
        default=None, description="the key is this hash of the secret, as bytes"
    )


class SignedRequest(Model):
    """Where a signature is in a request, and what it is made over."""

    header: HeaderName | None = None
    query: QueryName | None = Field(
        default=None, description="the parameter of the address that is the signature"
    )
    form: str | None = Field(
        default=None, min_length=1, max_length=64, description="the form field that is it"
    )
    path: FieldPath | None = Field(default=None, description="where it is in the body")
    further_headers: tuple[HeaderName, ...] = Field(
        default=(),
        max_length=9,
        description="where a signature may be as well: of all that are there, one must fit",
    )
    prefix: str = ""
    separator: str | None = Field(
        default=None,
        description="one to three characters that part the values of a header, of which one must "
        "fit; those without the prefix are passed over",
    )
    position: int | None = Field(
        default=None,
        ge=1,
        le=20,
        description="the first part that is a signature, from 1 on, where parts have no names; "
        "each later part may be one too",
    )
    encoding: Literal["hex", "base64", "base64url"] = Field(
        default="hex", description="hex in either case; base64 with or without padding"
    )
    signed: str = Field(
        default="{body}",
        description="the string that is signed; {body}, {timestamp}, {header.<name>}, {method}, "
        "{url}, {path}, {query.<name>}, {form.<name>}, {form.sorted}, {body.<path>} and "
        "{sha256(body)} are filled in",
    )
    timestamp: SignatureTimestamp | None = None

    @field_validator("separator")
    @classmethod
    def _parts(cls, separator: str | None) -> str | None:
        if separator is not None and not _SEPARATOR.fullmatch(separator):
            raise ValueError("one to three characters of ASCII that are no letters or digits")
        return separator

    @property
    def named(self) -> list[str]:
        """The placeholders of what is filled in for each request."""
        return _PLACEHOLDER.findall(self.signed)

    @property
    def headers(self) -> list[str]:
        """The headers that must travel in the envelope for the signature to be checked."""
        signed = [name.removeprefix(_HEADER) for name in self.named if name.startswith(_HEADER)]
        when = self.timestamp.header if self.timestamp else None
        return [*self.all_headers, *([when] if when else []), *signed]

    @property
    def place(self) -> str:
        """Where the signature is: a header in lower case, or what has a colon before it."""
        if self.header is not None:
            return self.header.lower()
        if self.query is not None:
            return f"{QUERY}{self.query}"
        return f":form.{self.form}" if self.form is not None else f":body.{self.path}"

    @property
    def pseudo_headers(self) -> tuple[str, ...]:
        """What must travel beside the headers for the signature to be checked."""
        named = [URL if name == "path" else f":{name}" for name in self.named]
        found = [one for one in (*named, self.place) if one in {METHOD, URL} or _is_query(one)]
        return tuple(dict.fromkeys(found))

    @property
    def derived(self) -> tuple[str, ...]:
        """What is made of a request for its signature; `pipeline.event.signed_parts`."""
        named = [*(f":{name}" for name in self.named), self.place]
        return tuple(dict.fromkeys(one for one in named if _DERIVED.fullmatch(one)))

    @property
    def all_headers(self) -> list[str]:
        """The headers that can hold a signature."""
        return [*([self.header] if self.header else []), *self.further_headers]

    @property
    def scheme(self) -> str:
        """What `Authorization` begins with, where it holds the signature; else empty."""
        return self.prefix if _AUTHORIZATION in map(str.lower, self.all_headers) else ""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        refuse(self._faults())
        return self

    def _faults(self) -> Iterator[tuple[str, str]]:
        places = (self.header, self.query, self.form, self.path)
        if sum(one is not None for one in places) != 1:
            yield "header", "give one of 'header', 'query', 'form' and 'path'"
            return
        if self.header is None and self.further_headers:
            yield "further_headers", "are beside a header"
        yield from self._signed_string()
        yield from self._timestamp()
        yield from self._separator()
        yield from self._in_headers()

    def _signed_string(self) -> Iterator[tuple[str, str]]:
        names = _PLACEHOLDER.findall(self.signed)
        yield from _placeholders("signed", names, "body")
        covers = [one for one in names if one == "body" or _DERIVED.fullmatch(f":{one}")]
        covers = [one for one in covers if one != "path"]
        if names.count("body") > 1 or not covers:
            yield "signed", "must contain {body} exactly once, or a part of it"
        if self.place in {f":{name}" for name in names}:
            yield "signed", "a signature cannot be over itself"
        used = "timestamp" in self.named
        if self.timestamp is not None and self.timestamp.path is not None:
            if used:
                yield "signed", "a time in the body is signed with it; leave {timestamp} out"
            if not _WHOLE & set(names) and f"body.{self.timestamp.path}" not in names:
                yield "timestamp.path", f"is not signed; sign {{body.{self.timestamp.path}}}"
        elif used != (self.timestamp is not None):
            yield "signed", "contains {timestamp} if and only if 'timestamp' is set"
        lower = [name.lower() for name in names]
        if any(f"{_HEADER}{header}".lower() in lower for header in self.all_headers):
            yield "signed", "a signature cannot be over its own header"

    def _timestamp(self) -> Iterator[tuple[str, str]]:
        when = self.timestamp
        if when is None or when.header is None:
            return
        shared = when.header.lower() == self.place
        placed = (when.prefix or when.position) and (self.prefix or self.position)
        if shared and not (placed and self.separator):
            both = "in the signature's own header both need a prefix or a position, and a separator"
            yield "timestamp", both
        if shared and self.further_headers:
            yield "timestamp", "where there are several headers, the time has one of its own"
        if not shared and (when.prefix or when.position):
            key = "prefix" if when.prefix else "position"
            yield f"timestamp.{key}", "only in the signature's own header"
        if shared and when.prefix and self.prefix and _overlap(when.prefix, self.prefix):
            yield "timestamp.prefix", "neither prefix may start with the other"
        if when.position is not None and when.position == self.position:
            yield "timestamp.position", "is that of the first signature"

    def _separator(self) -> Iterator[tuple[str, str]]:
        if self.separator is None:
            if self.position is not None:
                yield "position", "needs a separator"
            return
        for prefix in (self.prefix, self.timestamp.prefix if self.timestamp else ""):
            if self.separator in prefix:
                yield "separator", f"prefix {prefix!r} holds it, so no value can fit"
        if set(self.separator) <= set(_MARKS[self.encoding]):
            yield "separator", f"{self.encoding} holds it, so no value can fit"

    def _in_headers(self) -> Iterator[tuple[str, str]]:
        names = [name.lower() for name in self.all_headers]
        if len(set(names)) < len(names):
            yield "further_headers", "name each header once"
        for name in names:
            if name in SECRET_HEADERS and name != _AUTHORIZATION:
                yield "header", f"{name} carries a secret, and is never kept"
        if _AUTHORIZATION in names:
            if not _SCHEME.fullmatch(self.prefix) or self.prefix.lower().startswith(_CARRY_SECRETS):
                yield "prefix", "in Authorization a scheme of its own is needed, such as 'HMAC '"
            if self.separator is not None:
                yield "separator", "Authorization holds one signature"


class HmacAuthentication(SignedRequest):
    """An HMAC over the body, or over a string made with it.

    It is checked by the processor, and by the receiver where the source chooses it.
    """

    type: Literal["hmac"]
    algorithm: Literal["sha1", "sha256", "sha384", "sha512"] = "sha256"
    secret: SecretForm = SecretForm()
    key: str = Field(
        default=_SECRET,
        description="the key, where it is more than the secret; {secret}, {timestamp} and "
        "{header.<name>} are filled in",
    )
    each: FieldPath | None = Field(
        default=None,
        description="a list in the body of which each element is signed: paths begin at it",
    )
    sets: str | None = Field(
        default=None,
        description="what parts several sets in the header, each with its time and signature",
    )

    @property
    def parameter(self) -> Literal["signing_secret"]:
        """The last part of the name of the parameter that holds the secret."""
        return "signing_secret"

    @property
    def named(self) -> list[str]:
        """The placeholders of what is filled in for each request, the key's among them."""
        return [*super().named, *_PLACEHOLDER.findall(self.key)]

    @property
    def compiled_kind(self) -> _SignatureKind:
        """The declaration that has all of these settings: few senders need the wider one."""
        when = self.timestamp
        in_place = when is not None and (when.path is not None or when.position is not None)
        of_secret = self.secret.digest is not None or self.key != _SECRET
        if self.derived or self.each is not None or self.sets is not None:
            return DetailedSignature
        if self.further_headers or self.position is not None or in_place or of_secret:
            return DetailedSignature
        return Signature

    def _faults(self) -> Iterator[tuple[str, str]]:
        yield from super()._faults()
        yield from _placeholders("key", _PLACEHOLDER.findall(self.key), "secret")
        if self.each is not None and self.path is None:
            yield "each", "'path' says where in an element its signature is"
        if self.each is not None and self.timestamp is not None and self.timestamp.path is not None:
            yield "timestamp.path", "is beside the elements, of which each is signed"
        if self.sets is not None and (self.sets == self.separator or not self.separator):
            yield "sets", "another text than 'separator', which parts time and signature"


def _is_query(name: str) -> bool:
    return re.fullmatch(re.escape(QUERY) + r"[A-Za-z0-9._-]{1,64}", name) is not None


def _overlap(one: str, other: str) -> bool:
    return one.startswith(other) or other.startswith(one)


def _placeholders(setting: str, names: list[str], needed: str) -> Iterator[tuple[str, str]]:
    known = f"use {{{needed}}}, {{timestamp}} and {{header.<name>}}"
    if needed == "body":
        known += ", or what docs/source-bodies.md names"
    for name in names:
        if name in {needed, "timestamp"} or name.startswith(_HEADER):
            continue
        one = f":{name}"
        parts = one in {METHOD, URL} or _is_query(one) or _DERIVED.fullmatch(one)
        if needed != "body" or not parts:
            yield setting, f"{{{name}}} is unknown; {known}"
    if needed != "body" and names.count(needed) != 1:
        yield setting, f"must contain {{{needed}}} exactly once"
