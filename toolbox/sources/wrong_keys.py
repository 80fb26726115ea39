"""Public keys that are wrong by their value alone: of the same kind and size as right ones."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

from pipeline.event.encodings import read, write
from pipeline.event.proofs.keys import keys_of

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

_CERTIFICATE = b"-----BEGIN CERTIFICATE-----"
#: The field of P-256 (FIPS 186-5).
_P = 2**256 - 2**224 + 2**192 + 2**96 - 1


def other_key(text: str, algorithm: str) -> str:
    """Return another public key than a text holds, in PEM or as a JWK.

    Parameters
    ----------
    algorithm : str
        As in `pipeline.event.proofs.keys.keys_of`.
    """
    from cryptography.hazmat.primitives import serialization

    if text.lstrip().startswith("{"):
        return json.dumps(_other_jwk(json.loads(text)))
    key = _other(keys_of(text.encode().splitlines(), algorithm)[0])
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return str(key.public_bytes(serialization.Encoding.PEM, form).decode())


def other_document(document: bytes) -> bytes:
    """Return a JSON Web Key Set with other keys, or a certificate of another key."""
    if document.lstrip().startswith(_CERTIFICATE):
        return _other_certificate()
    found = json.loads(document)
    return json.dumps({**found, "keys": [_other_jwk(one) for one in found["keys"]]}).encode()


def _other(
    key: ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | rsa.RSAPublicKey,
) -> ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | rsa.RSAPublicKey:
    """Return the point's negative, or a modulus next to the key's."""
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    if isinstance(key, rsa.RSAPublicKey):
        numbers = key.public_numbers()
        return rsa.RSAPublicNumbers(numbers.e, numbers.n - 2).public_key()
    if isinstance(key, ec.EllipticCurvePublicKey):
        point = key.public_numbers()
        return ec.EllipticCurvePublicNumbers(point.x, _P - point.y, point.curve).public_key()
    raw = key.public_bytes_raw()
    return ed25519.Ed25519PublicKey.from_public_bytes(raw[:-1] + bytes([raw[-1] ^ 0x80]))


def _other_jwk(jwk: dict[str, Any]) -> dict[str, Any]:
    name = {"RSA": "n", "EC": "y", "OKP": "x"}.get(jwk["kty"], "k")
    raw = read(jwk[name], "base64url") or b""
    number = int.from_bytes(raw)
    changed = {"n": number - 2, "y": _P - number, "x": number ^ 0x80, "k": number ^ 1}[name]
    return {**jwk, name: write(changed.to_bytes(len(raw)), "base64url")}


@cache
def _other_certificate() -> bytes:
    from datetime import UTC, datetime

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(65_537, 2_048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "sns.amazonaws.com")])
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    valid = made.not_valid_before(datetime(2000, 1, 1, tzinfo=UTC))
    signed = valid.not_valid_after(datetime(2100, 1, 1, tzinfo=UTC)).sign(key, hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM)
