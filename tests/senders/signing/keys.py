"""Private keys of senders, which are the same each time, and what they sign."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from functools import cache
from random import Random

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509.oid import NameOID
from jwcrypto.jwk import JWK
from jwcrypto.jws import JWS

from tests.senders.signing.made import AT

KEY_ID = "key-1"
PublicKey = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | rsa.RSAPublicKey


@cache
def rsa_key() -> rsa.RSAPrivateKey:
    """Return an RSA key of 2,048 bits, for tests alone: whoever reads this has it."""
    random = Random(2_048)
    p, q, e = _prime(random), _prime(random), 65_537
    d = pow(e, -1, (p - 1) * (q - 1))
    numbers = rsa.RSAPrivateNumbers(
        p, q, d, d % (p - 1), d % (q - 1), pow(q, -1, p), rsa.RSAPublicNumbers(e, p * q)
    )
    return numbers.private_key()


@cache
def ec_key() -> ec.EllipticCurvePrivateKey:
    """Return a key on P-256, for tests alone."""
    return ec.derive_private_key(20_261_123, ec.SECP256R1())


@cache
def ed_key() -> ed25519.Ed25519PrivateKey:
    """Return an Ed25519 key, for tests alone."""
    return ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


def sign_rsa(signed: bytes, algorithm: hashes.HashAlgorithm) -> bytes:
    return rsa_key().sign(signed, padding.PKCS1v15(), algorithm)


def sign_ec(signed: bytes) -> bytes:
    scheme = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
    return ec_key().sign(signed, scheme)


def pem(key: PublicKey) -> str:
    return key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    ).decode()


def der(key: PublicKey) -> bytes:
    return key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def raw(key: ed25519.Ed25519PublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)


def jwk(key: PublicKey, **more: str) -> str:
    """Return one JWK of RFC 7517 as JSON."""
    members = json.loads(JWK.from_pyca(key).export_public())
    return json.dumps({**members, "kid": KEY_ID, **more})


def key_set(*known: PublicKey) -> str:
    """Return a JSON Web Key Set."""
    return json.dumps({"keys": [json.loads(jwk(one)) for one in known]})


@cache
def certificate(name: str) -> str:
    """Return a certificate of the RSA key in PEM, the same each time."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    start = datetime(2026, 1, 1, tzinfo=UTC)
    made = x509.CertificateBuilder(
        subject, subject, rsa_key().public_key(), 2_026, start, start + timedelta(days=730)
    )
    signed = made.sign(rsa_key(), hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM).decode()


def token(claims: object, key: object, algorithm: str, **header: str) -> str:
    """Return a JWT that the library jwcrypto signed; a text is a secret."""
    known = JWK.from_password(key) if isinstance(key, str) else JWK.from_pyca(key)
    signed = JWS(json.dumps(claims, separators=(",", ":")).encode())
    protected = {"alg": algorithm, "typ": "JWT", **header}
    signed.add_signature(known, None, json.dumps(protected), None)
    return str(signed.serialize(compact=True))


def token_es256(claims: object) -> str:
    """Return a JWT of the key on P-256, the same each time, which a library would not."""
    parts = ({"alg": "ES256", "kid": KEY_ID, "typ": "JWT"}, claims)
    signed = b".".join(base64url(json.dumps(part).encode()) for part in parts)
    r, s = decode_dss_signature(sign_ec(signed))
    return b".".join((signed, base64url(r.to_bytes(32) + s.to_bytes(32)))).decode()


def base64url(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def lifetime(seconds: int = 300) -> dict[str, int]:
    return {"iat": AT, "exp": AT + seconds}


def _prime(random: Random) -> int:
    """Return the next prime of 1,024 bits (Miller-Rabin, 20 rounds)."""
    number = random.getrandbits(1_024) | 1 << 1_023 | 1 << 1_022 | 1
    while not _is_prime(number, random):
        number += 2
    return number


def _is_prime(number: int, random: Random) -> bool:
    if any(number % small == 0 for small in (3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37)):
        return False
    odd, twos = number - 1, 0
    while not odd & 1:
        odd, twos = odd >> 1, twos + 1
    for _ in range(20):
        power = pow(random.randrange(2, number - 1), odd, number)
        if power in {1, number - 1}:
            continue
        if not any((power := power * power % number) == number - 1 for _ in range(twos - 1)):
            return False
    return True
