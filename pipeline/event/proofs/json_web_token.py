"""JSON Web Tokens: in a header, with a hash of the body or as a credential, or as the body."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from pipeline.event import encodings
from pipeline.event.outcomes import Reason
from pipeline.event.proof import ProofOfBody
from pipeline.event.proofs.compact import (
    LONGEST_TOKEN,
    CompactError,
    CompactToken,
    read_compact,
    strict_object,
    text_of,
)
from pipeline.event.secrets import SecretUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pipeline.event.compiled_source import CompiledSource
    from pipeline.event.fields import Lower
    from pipeline.event.secrets import SecretsOf

Fault = tuple[Reason, str]
#: What `pipeline.event.proofs.keys` calls the keys of an algorithm (RFC 7518, RFC 8037).
KEY_KINDS = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), "rsa-sha256"),
    "ES256": "ecdsa-p256-sha256",
    "EdDSA": "ed25519",
}
#: The year 5138, in seconds: what a date can be. NaN is in no range.
_LATEST = 10**11


class _Key(NamedTuple):
    id: str | None
    algorithm: str | None
    value: Any


@dataclass(frozen=True, kw_only=True, eq=False)
class JsonWebToken(ProofOfBody):
    """How such a source proves its requests.

    Parameters
    ----------
    header : str | None
        Where the token is; None where it is the body.
    typ : str | None
        What the token's header must say that it is.
    claims : Mapping[str, tuple[str | bool, ...]]
        What claims must be: one of these.
    required : tuple[str, ...]
        What must be there beside.
    max_age_seconds : int | None
        How old a token may be by its `iat`.
    hash_claim : str | None
        Which claim has the hash of the body.
    """

    header: Lower | None
    prefix: str
    algorithms: tuple[str, ...]
    typ: str | None
    keys: tuple[str, ...]
    keys_url: str
    key_prefix: Annotated[str, "secret.prefix"]
    key_encoding: Annotated[str, "secret.encoding"]
    claims: Annotated[Mapping[str, tuple[str | bool, ...]], "allowed_claims"]
    required: tuple[str, ...]
    leeway_seconds: int
    max_age_seconds: int | None
    hash_claim: Annotated[str | None, "body_hash.claim"] = None
    hash_algorithm: Annotated[str, "body_hash.algorithm"] = "sha256"
    hash_encoding: Annotated[str, "body_hash.encoding"] = "hex"

    @property
    def door_header(self) -> str:
        """The header, where its token proves nothing of the body: it is a credential then."""
        return self.header if self.header is not None and self.hash_claim is None else ""

    @property
    def address_of_keys(self) -> str:
        """Where its JSON Web Key Set is, if its settings name it."""
        return self.keys_url

    @property
    def scheme(self) -> str:
        """What a header begins with that holds such a token: each has a brace and a quote first."""
        return f"{self.prefix}eyJ"

    def find_fault(
        self,
        source: CompiledSource,
        secrets_of: SecretsOf,
        headers: Mapping[str, str],
        body: bytes,
        arrived_ms: int,
    ) -> Fault | None:
        """Tell why a request has no valid token of its sender; see `signatures.find_fault`."""
        try:
            token = self._given(headers, body)
            name = self._algorithm(token.header)
            if not self._is_signed(source, secrets_of, token, name):
                return Reason.BAD_SIGNATURE, "the token is signed by none of the source's keys"
            claims = strict_object(token.payload, "its claims")
        except CompactError as error:
            return Reason.BAD_SIGNATURE, f"{self._place}: {error}"
        return self._wrong_claim(claims, body) or self._wrong_time(claims, arrived_ms / 1000)

    @property
    def _place(self) -> str:
        return "the body" if self.header is None else f"header {self.header}"

    def _given(self, headers: Mapping[str, str], body: bytes) -> CompactToken:
        if self.header is None:
            return read_compact(text_of(body))
        value = headers.get(self.header, "")
        if not value.startswith(self.prefix) or len(value) > LONGEST_TOKEN:
            raise CompactError("is missing or has no token")
        return read_compact(value[len(self.prefix) :])

    def _algorithm(self, header: Mapping[str, Any]) -> str:
        """Return the algorithm that a token names; what else it names of keys is not looked at.

        Raises
        ------
        CompactError
            When the source lists no such algorithm, or the token asks for more than is done here.
        """
        name = header.get("alg")
        if not isinstance(name, str) or name not in self.algorithms:
            raise CompactError("its algorithm is none that the source lists")
        if "crit" in header or "b64" in header:
            raise CompactError("its header asks for extensions")
        if self.typ is not None:
            given = header.get("typ")
            if not isinstance(given, str) or _type(given) != _type(self.typ):
                raise CompactError(f"it is no {self.typ}")
        return name

    def _is_signed(
        self, source: CompiledSource, secrets_of: SecretsOf, token: CompactToken, name: str
    ) -> bool:
        algorithm = _algorithms()[name]
        wanted = token.header.get("kid")
        several = [self._static] if self.keys else secrets_of(source, self.keys_url)
        for keys in self.each_made(source, several, self._made):
            fitting = [key.value for key in keys if _is_meant(key, wanted, name)]
            # Each is tried, so that the time taken does not tell which one it was.
            fits = [algorithm.verify(token.signed, key, token.signature) for key in fitting]
            if any(fits):
                return True
        return False

    @cached_property
    def _static(self) -> tuple[bytes, ...]:
        return tuple(key.encode() for key in self.keys)

    def _made(self, known: Sequence[bytes]) -> list[_Key]:
        return list(self._keys_in(known))

    def _keys_in(self, known: Sequence[bytes]) -> Iterator[_Key]:
        from pipeline.event.proofs.keys import key_of_jwk, key_set, keys_of
        from pipeline.event.signatures import signing_key

        if self.algorithms[0].startswith("HS"):
            yield from (_Key(None, None, signing_key(self, one)) for one in known)
        elif self.keys_url:
            if not known:
                raise SecretUnavailableError(f"{self.keys_url}: there are no keys")
            for jwk in (one for document in known for one in key_set(document, self.keys_url)):
                key, id_, algorithm = key_of_jwk(jwk), jwk.get("kid"), jwk.get("alg")
                if key is not None:
                    yield _Key(
                        id_ if isinstance(id_, str) else None,
                        algorithm if isinstance(algorithm, str) else None,
                        key,
                    )
        else:
            for key in keys_of(known, KEY_KINDS[self.algorithms[0]]):
                yield _Key(None, None, key)

    def _wrong_claim(self, claims: Mapping[str, Any], body: bytes) -> Fault | None:
        for name in self.required:
            if name not in claims:
                return Reason.BAD_SIGNATURE, f"the token has no claim {name}"
        for name, allowed in self.claims.items():
            given = claims.get(name)
            # An audience is one or a list of them, of which one must be meant (RFC 7519, 4.1.3).
            values = given if name == "aud" and isinstance(given, list) else [given]
            if not any(
                type(one) is type(known) and one == known for one in values for known in allowed
            ):
                return Reason.BAD_SIGNATURE, f"the token's claim {name} is none of the source's"
        if self.hash_claim is not None and not self._hash_fits(claims.get(self.hash_claim), body):
            return Reason.BAD_SIGNATURE, f"the token's claim {self.hash_claim} is not of this body"
        return None

    def _hash_fits(self, given: Any, body: bytes) -> bool:
        if not isinstance(given, str):
            return False
        try:
            digest = encodings.read(given, self.hash_encoding)
        except ValueError:
            return False
        return hmac.compare_digest(digest, hashlib.new(self.hash_algorithm, body).digest())

    def _wrong_time(self, claims: Mapping[str, Any], arrived: float) -> Fault | None:
        """Judge a token by the time at which it arrived, so that a backlog makes none stale."""
        times = {name: claims[name] for name in ("exp", "nbf", "iat") if name in claims}
        for name, value in times.items():
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not number or not 0 <= value < _LATEST:
                return Reason.STALE_SIGNATURE, f"the token's {name} is no time"
        leeway = self.leeway_seconds
        if "exp" in times and arrived > times["exp"] + leeway:
            return Reason.STALE_SIGNATURE, "the token had expired when it arrived"
        for name in ("nbf", "iat"):
            if name in times and arrived < times[name] - leeway:
                return Reason.STALE_SIGNATURE, f"the token's {name} is later than its arrival"
        if self.max_age_seconds is not None:
            if "iat" not in times:
                return Reason.STALE_SIGNATURE, "the token does not say when it was made"
            if arrived > times["iat"] + self.max_age_seconds:
                return Reason.STALE_SIGNATURE, "the token was too old when it arrived"
        return None


def _is_meant(key: _Key, wanted: Any, algorithm: str) -> bool:
    """Tell whether a key may be that of a token: by its id, its own algorithm and its kind."""
    if key.id is not None and wanted is not None and key.id != wanted:
        return False
    if key.algorithm is not None and key.algorithm != algorithm:
        return False
    if algorithm.startswith("HS"):
        return isinstance(key.value, bytes)
    from pipeline.event.proofs.keys import fits

    return not isinstance(key.value, bytes) and fits(key.value, KEY_KINDS[algorithm])


def _type(text: str) -> str:
    """Return a media type as it is compared (RFC 7515, 4.1.9)."""
    return text.lower().removeprefix("application/")


@cache
def _algorithms() -> dict[str, Any]:
    from jwt.algorithms import get_default_algorithms

    return get_default_algorithms()
