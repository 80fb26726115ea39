"""Signatures that a public key verifies: Ed25519, ECDSA over P-256, RSA."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Annotated, Any

from pipeline.event.outcomes import Reason
from pipeline.event.proof import ProofOfBody
from pipeline.event.secrets import SecretUnavailableError
from pipeline.event.signature_details import DetailedSignature

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pipeline.event.compiled_source import CompiledSource
    from pipeline.event.fields import Lower
    from pipeline.event.secrets import SecretsOf

#: Bytes of the longest signature: RSA with 8,192 bits; ECDSA in DER, P-256.
_LONGEST = {"ed25519": 64, "ecdsa-p256-sha256": 72, "rsa-sha1": 1_024, "rsa-sha256": 1_024}


@dataclass(frozen=True, kw_only=True, eq=False)
class PublicKeySignature(DetailedSignature, ProofOfBody):
    """How such a source signs its requests.

    Parameters
    ----------
    keys : tuple[str, ...]
        The sender's public keys; where there are none, they are in the source's parameter.
    keys_url : str
        Where its JSON Web Key Set is.
    certificate_header : str | None
        Which header says where its certificate is.
    certificate_addresses : tuple[str, ...]
        Regular expressions, of which that address must fit one as a whole.
    """

    keys: tuple[str, ...] = ()
    keys_url: str = ""
    certificate_header: Annotated[Lower | None, "certificate.header"] = None
    certificate_addresses: Annotated[tuple[str, ...], "certificate.patterns"] = ()

    @property
    def address_of_keys(self) -> str:
        """Where its JSON Web Key Set is, if its settings name it."""
        return self.keys_url

    @cached_property
    def digest_size(self) -> int:
        """How many bytes a signature has at the most."""
        return _LONGEST[self.algorithm]

    def find_fault(
        self,
        source: CompiledSource,
        secrets_of: SecretsOf,
        headers: Mapping[str, str],
        body: bytes,
        arrived_ms: int,
    ) -> tuple[Reason, str] | None:
        """Tell why a request is not signed by its sender's key; see `signatures.find_fault`."""
        from pipeline.event.proofs.keys import verifies
        from pipeline.event.signatures import given_in, none_given, stale, string_to_sign

        if self.derived:
            from pipeline.event.json_text import BodyError
            from pipeline.event.signed_parts import with_parts

            try:
                headers = with_parts(source, self.derived, headers, body)
            except BodyError as error:
                return Reason.BAD_SIGNATURE, str(error)
        given = given_in(self, headers)
        if not given:
            return Reason.BAD_SIGNATURE, none_given(self, headers)
        address = self.keys_url
        if self.certificate_header is not None:
            address = headers.get(self.certificate_header, "")
            if not is_pinned(address, self.certificate_addresses):
                return Reason.BAD_SIGNATURE, "the certificate's address is none of the sender's"
        signed = string_to_sign(self, body, headers)
        for keys in self._keys(source, secrets_of, address, arrived_ms):
            if any(verifies(key, self.algorithm, one, signed) for key in keys for one in given):
                fault = stale(source, self, headers, body, arrived_ms)
                return (Reason.STALE_SIGNATURE, fault) if fault else None
        return Reason.BAD_SIGNATURE, f"{self.where} fits none of the sender's public keys"

    def _keys(
        self, source: CompiledSource, secrets_of: SecretsOf, address: str, arrived_ms: int
    ) -> Iterable[list[Any]]:
        """Return the keys as they are known, then as they are now."""
        several = [self._static] if self.keys else secrets_of(source, address)
        for keys in self.each_made(source, several, partial(self._made, address=address)):
            if self.certificate_header is None:
                yield keys
                continue
            certified = [one.public_key() for one in keys if is_valid(one, arrived_ms)]
            yield [key for key in certified if self._fits(key)]

    @cached_property
    def _static(self) -> tuple[bytes, ...]:
        return tuple(key.encode() for key in self.keys)

    def _made(self, known: Sequence[bytes], address: str) -> list[Any]:
        from pipeline.event.proofs.keys import certificate_of, key_of_jwk, key_set, keys_of

        if self.certificate_header is not None:
            return [one for one in map(certificate_of, known) if one is not None]
        if not self.keys_url:
            return keys_of(known, self.algorithm)
        if not known:
            raise SecretUnavailableError(f"{address}: there are no keys")
        found = [key_of_jwk(jwk) for document in known for jwk in key_set(document, address)]
        return [key for key in found if key is not None and self._fits(key)]

    def _fits(self, key: Any) -> bool:
        from pipeline.event.proofs.keys import fits

        return fits(key, self.algorithm)


def is_pinned(address: str, patterns: Sequence[str]) -> bool:
    """Tell whether an address is one that the settings pin.

    Parameters
    ----------
    patterns : Sequence[str]
        Regular expressions for the whole of it, as `settings.source.pinned_addresses` writes them.
    """
    return len(address) <= 300 and any(re.fullmatch(one, address, re.ASCII) for one in patterns)


def is_valid(certificate: Any, arrived_ms: int) -> bool:
    """Tell whether a certificate was valid when the request arrived."""
    first, last = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return bool(first.timestamp() <= arrived_ms / 1000 <= last.timestamp())
