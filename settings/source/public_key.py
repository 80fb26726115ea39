"""Signatures that a public key of the sender verifies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from pipeline.event.proofs.keys import keys_of
from pipeline.event.proofs.public_key import PublicKeySignature
from pipeline.event.secrets import SecretError
from settings.source.authentication import SecretForm, SignedRequest
from settings.source.base import HeaderName, Model
from settings.source.pinned_addresses import AddressPattern, KeyAddress, expression_of
from settings.source.proofs import ProofSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

_PublicKeyKind = type[PublicKeySignature]


class CertificateByAddress(Model):
    """A request names where the certificate of its key is: one of the sender's addresses."""

    header: HeaderName
    addresses: tuple[AddressPattern, ...] = Field(
        min_length=1, description="which addresses it may name; '*' is a part without dots"
    )

    @property
    def patterns(self) -> tuple[str, ...]:
        """The addresses as regular expressions."""
        return tuple(map(expression_of, self.addresses))


class PublicKeyAuthentication(SignedRequest, ProofSettings):
    """A signature by the sender's private key."""

    type: Literal["public_key"]
    algorithm: Literal["ed25519", "ecdsa-p256-sha256", "rsa-sha256", "rsa-sha1"]
    keys: tuple[Annotated[str, Field(min_length=1, max_length=8_192)], ...] = Field(
        default=(),
        max_length=10,
        description="the sender's public keys, where all of its customers have the same: PEM, or "
        "hex or base64 of DER or of the raw key. Default: the lines of the source's parameter",
    )
    keys_url: KeyAddress | None = Field(
        default=None, description="where the sender's JSON Web Key Set is"
    )
    certificate: CertificateByAddress | None = None

    @property
    def secret(self) -> SecretForm:
        """A public key says itself in which form it is."""
        return SecretForm()

    @property
    def parameter(self) -> str:
        """The last part of the name of the parameter with its keys; empty where they are here."""
        return "" if self.keys or self.keys_url or self.certificate else "signing_secret"

    @property
    def said(self) -> str:
        """How a sender proves who it is, in one sentence."""
        where = " or ".join(self.all_headers)
        when = self.timestamp
        age = f", at most {when.tolerance_seconds} s old" if when else ""
        key = f", by {_words(self)}"
        return f"{self.algorithm} over {self.signed}, {self.encoding}, in {where}{key}{age}"

    @property
    def key_algorithm(self) -> str:
        """Whose public keys the parameter holds."""
        return self.algorithm

    @property
    def compiled_kind(self) -> _PublicKeyKind:
        """The declaration that has these settings."""
        return PublicKeySignature

    def _faults(self) -> Iterator[tuple[str, str]]:
        yield from super()._faults()
        if sum(map(bool, (self.keys, self.keys_url, self.certificate))) > 1:
            yield "keys", "give one of 'keys', 'keys_url' and 'certificate'"
        if self.certificate and self.algorithm.startswith("ed25519"):
            yield "certificate", "an Ed25519 key comes by itself, or in a JSON Web Key Set"
        try:
            keys_of([one.encode() for one in self.keys], self.algorithm)
        except SecretError as error:
            yield "keys", str(error)

    @property
    def headers(self) -> list[str]:
        """The headers that must travel in the envelope for the signature to be checked."""
        named = [self.certificate.header] if self.certificate else []
        return [*super().headers, *named]


def _words(how: PublicKeyAuthentication) -> str:
    if how.certificate:
        return f"the certificate at the address in {how.certificate.header}"
    if how.keys_url:
        return f"the keys at {how.keys_url}"
    return "the keys in its settings" if how.keys else "the public key in its parameter"
