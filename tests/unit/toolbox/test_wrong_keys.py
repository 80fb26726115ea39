"""Keys that are put in the place of right ones: good keys of the same kind, and others."""

from __future__ import annotations

import base64
import json
from typing import Any

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pipeline.event.proofs.keys import keys_of
from toolbox.sources.wrong_keys import other_document, other_key

KEYS: dict[str, Any] = {
    "ed25519": ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32))),
    "ecdsa-p256-sha256": ec.derive_private_key(20_261_123, ec.SECP256R1()),
    "rsa-sha256": rsa.generate_private_key(65_537, 2_048),
}


def public(algorithm: str) -> Any:
    return KEYS[algorithm].public_key()


def as_jwk(algorithm: str) -> dict[str, Any]:
    kinds = {"ed25519": jwt.algorithms.OKPAlgorithm, "rsa-sha256": jwt.algorithms.RSAAlgorithm}
    kind: Any = kinds.get(algorithm, jwt.algorithms.ECAlgorithm)
    return {**kind.to_jwk(public(algorithm), as_dict=True), "kid": "1"}


@pytest.mark.parametrize("algorithm", sorted(KEYS))
def test_another_key_is_one_of_the_same_kind(algorithm: str) -> None:
    der = public(algorithm).public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    right = base64.b64encode(der).decode()
    (other,) = keys_of(other_key(right, algorithm).encode().splitlines(), algorithm)
    assert other != public(algorithm)
    assert type(other) is type(public(algorithm))


@pytest.mark.parametrize("algorithm", sorted(KEYS))
def test_another_set_of_keys_differs_by_their_values_alone(algorithm: str) -> None:
    document = json.dumps({"keys": [as_jwk(algorithm)]}).encode()
    (other,) = json.loads(other_document(document))["keys"]
    changed = {name for name, value in other.items() if value != as_jwk(algorithm)[name]}
    assert changed == {{"RSA": "n", "EC": "y", "OKP": "x"}[other["kty"]]}
    assert type(jwt.PyJWK(other).key) is type(public(algorithm))
    assert json.loads(other_key(json.dumps(as_jwk(algorithm)), algorithm)) == other


def test_another_certificate_is_valid_and_of_another_key() -> None:
    made = x509.load_pem_x509_certificate(other_document(b"-----BEGIN CERTIFICATE-----\n"))
    assert isinstance(made.public_key(), rsa.RSAPublicKey)
