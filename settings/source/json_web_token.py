"""JSON Web Tokens as proofs: in a header, or as the body."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, StrictBool, model_validator

from pipeline.event.proofs.json_web_token import KEY_KINDS, JsonWebToken
from pipeline.event.proofs.keys import keys_of
from pipeline.event.secrets import SecretError
from settings.faults import refuse
from settings.source.base import HeaderName, Model
from settings.source.pinned_addresses import KeyAddress  # noqa: TC001 - Pydantic reads it
from settings.source.proofs import ProofSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from settings.source.model import Source

_JsonWebTokenKind = type[JsonWebToken]
_Algorithm = Literal[
    "HS256",
    "HS384",
    "HS512",
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "EdDSA",
]
_Claim = Annotated[str, Field(min_length=1, max_length=200)]
_Value = StrictBool | Annotated[str, Field(min_length=1, max_length=1_000)]


class BodyHash(Model):
    """The claim that binds a token to its body."""

    claim: _Claim
    algorithm: Literal["sha1", "sha256", "sha384", "sha512"] = "sha256"
    encoding: Literal["hex", "base64", "base64url"] = "hex"


class SharedSecret(Model):
    """How the key of an HS algorithm is made from the secret as the sender shows it."""

    prefix: str = ""
    encoding: Literal["text", "hex", "base64", "base64url"] = "text"


class JsonWebTokenAuthentication(ProofSettings):
    """A JSON Web Token: with a hash of the body, or the body itself, or a mere credential."""

    type: Literal["jwt"]
    header: HeaderName | None = Field(default=None, description="default: the body is the token")
    prefix: str = Field(
        default="",
        pattern=r"^([A-Za-z0-9_-]{1,40}[ =])?$",
        description="what stands before the token, such as 'Bearer '",
    )
    algorithms: tuple[_Algorithm, ...] = Field(
        min_length=1, description="those that the sender uses, and no other"
    )
    typ: str | None = Field(
        default=None,
        min_length=1,
        max_length=100,
        description="what the token must say that it is, such as secevent+jwt: keys may sign other "
        "tokens too",
    )
    keys: tuple[Annotated[str, Field(min_length=1, max_length=8_192)], ...] = Field(
        default=(),
        max_length=10,
        description="the sender's public keys, as for public_key. Default: the lines of the "
        "source's parameter, which are secrets for HS algorithms",
    )
    keys_url: KeyAddress | Literal[""] = Field(
        default="", description="where the sender's JSON Web Key Set is"
    )
    secret: SharedSecret = SharedSecret()
    claims: dict[_Claim, _Value | tuple[_Value, ...]] = Field(
        default_factory=dict,
        max_length=20,
        description="what claims must be, such as iss and aud: the value, or one of several",
    )
    required: tuple[_Claim, ...] = Field(default=(), description="claims that must be there")
    leeway_seconds: int = Field(default=60, ge=0, le=600, description="for exp, nbf and iat")
    max_age_seconds: int | None = Field(
        default=None, ge=1, le=86_400, description="how old a token may be by its iat"
    )
    body_hash: BodyHash | None = None

    @property
    def parameter(self) -> str:
        """The last part of the name of the parameter with its keys; empty where they are here."""
        return "" if self.keys or self.keys_url else "signing_secret"

    @property
    def said(self) -> str:
        """How a sender proves who it is, in one sentence."""
        algorithms = " or ".join(self.algorithms)
        place = f"in {self.header}" if self.header else "as the body"
        by = f", by the keys at {self.keys_url}" if self.keys_url else ""
        what = f", with the body's {self.body_hash.algorithm}" if self.body_hash else ""
        what = ", which proves any body, and is checked at the door" if self.at_door else what
        return f"a JSON Web Token ({algorithms}) {place}{what}{by}"

    @property
    def key_algorithm(self) -> str:
        """Whose public keys the parameter holds; empty where it holds secrets."""
        return KEY_KINDS.get(self.algorithms[0], "")

    @property
    def headers(self) -> list[str]:
        """The header of the token, where it proves the body and is no credential."""
        return [] if self.header is None or self.at_door else [self.header]

    @property
    def all_headers(self) -> list[str]:
        """The headers that can hold the token."""
        return [] if self.header is None else [self.header]

    @property
    def scheme(self) -> str:
        """What `Authorization` begins with, where the token is there; else empty."""
        kept = self.header is not None and self.header.lower() == "authorization"
        return f"{self.prefix}eyJ" if kept and not self.at_door else ""

    @property
    def at_door(self) -> bool:
        """Whether the token says nothing of the body: who has it can send any."""
        return self.header is not None and self.body_hash is None

    @property
    def compiled_kind(self) -> _JsonWebTokenKind:
        """The declaration that has these settings."""
        return JsonWebToken

    @property
    def allowed_claims(self) -> dict[str, tuple[str | bool, ...]]:
        """The claims with all that each may be."""
        return {
            name: value if isinstance(value, tuple) else (value,)
            for name, value in self.claims.items()
        }

    @model_validator(mode="after")
    def _consistent(self) -> JsonWebTokenAuthentication:
        refuse(self._faults())
        return self

    def _faults(self) -> Iterator[tuple[str, str]]:
        kinds = {KEY_KINDS.get(name, "secret") for name in self.algorithms}
        if "secret" in kinds and len(kinds) > 1:
            yield "algorithms", "HS algorithms have secrets, the others public keys: list one sort"
        elif len(kinds) > 1 and not self.keys_url:
            yield "algorithms", "keys without an address are of one kind: list the algorithms of it"
        if "secret" in kinds and (self.keys or self.keys_url):
            yield "keys", "the secret of an HS algorithm is in the source's parameter alone"
        if self.keys and self.keys_url:
            yield "keys", "give either 'keys' or 'keys_url'"
        if "secret" not in kinds and self.secret != SharedSecret():
            yield "secret", "a public key says itself in which form it is"
        if self.header is None and (self.prefix or self.body_hash):
            yield "header", "is missing: a prefix and a hash of the body are a header's"
        if self.keys_url:
            yield from self._shared_keys()
        if self.keys and len(kinds) == 1 and "secret" not in kinds:
            try:
                keys_of([one.encode() for one in self.keys], kinds.pop())
            except SecretError as error:
                yield "keys", str(error)

    def _shared_keys(self) -> Iterator[tuple[str, str]]:
        """Say where a token that the sender made for something else would be taken."""
        if self.at_door and "aud" not in self.claims:
            yield "claims.aud", "is missing: these keys sign tokens for others, too"
        if self.header is None and not (self.typ or self.claims or self.required):
            users = "these keys sign other tokens, such as users' own"
            yield "required", f"is missing: {users}; give typ, or claims that only events have"

    def faults_of(self, source: Source) -> Iterator[tuple[str, str]]:
        """Return what of the source's other settings does not go with it."""
        is_body = source.body is not None and source.body.format == "jwt"
        if (self.header is None) != is_body:
            yield "body.format", "is 'jwt' if and only if authentication.header is left out"
        if self.at_door and source.ingest != "receiver":
            yield "ingest", "a token without a hash of the body is checked at the door: receiver"
        kept = {name.lower() for name in source.headers.keep}
        if self.at_door and self.header is not None and self.header.lower() in kept:
            yield "headers.keep", f"{self.header} carries a token that proves any body"
