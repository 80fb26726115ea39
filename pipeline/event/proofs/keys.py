"""Public keys in the forms that senders give them, made into objects that verify.

Only what is called here imports `cryptography`: it is in a layer that few functions have.
"""

from __future__ import annotations

import re
from base64 import b64decode
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import orjson

from pipeline.event.secrets import SecretUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cryptography import x509

_ARMOUR = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,40})-----(.*?)-----END \1-----", re.DOTALL)
#: White space, and the line ends of a PEM that was put into one line.
_BREAKS = re.compile(rb"\\[nr]|\s+")
_FROM_URL = bytes.maketrans(b"-_", b"+/")
_HEX = re.compile(rb"(?:[0-9A-Fa-f]{2})+")
#: What a key may have, in bytes: RSA of 8,192 bits in PEM has some 1,500.
LONGEST_KEY = 8_192
_RSA_BITS = range(2_048, 8_193)
_RAW_ED25519, _RAW_P256 = 32, {33, 65}
#: How many keys of a set are looked at: senders list two or three.
MOST_KEYS = 20


def keys_of(values: Sequence[bytes], algorithm: str) -> list[Any]:
    """Make the keys of texts: PEM, or hex or base64 of DER or of the raw key.

    Parameters
    ----------
    values : Sequence[bytes]
        A key each; a PEM may lie over several of them, as over the lines of a parameter.
    algorithm : str
        `ed25519`, or what begins with `ecdsa` or `rsa`.

    Raises
    ------
    SecretUnavailableError
        When one is no public key of that kind.
    """
    text = b"\n".join(values)
    if b"-----BEGIN" not in text:
        return [_fitting(_bare(value, algorithm), algorithm) for value in values]
    found = [_armoured(one[1], one[2]) for one in _ARMOUR.finditer(text)]
    if not found or len(found) != text.count(b"-----BEGIN"):
        raise SecretUnavailableError("a public key in PEM is not whole")
    return [_fitting(one, algorithm) for one in found]


def _armoured(kind: bytes, text: bytes) -> Any:
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization

    try:
        der = b64decode(_BREAKS.sub(b"", text), validate=True)
        if kind == b"CERTIFICATE":
            return x509.load_der_x509_certificate(der).public_key()
        if kind == b"RSA PUBLIC KEY":
            lines = b"-----BEGIN RSA PUBLIC KEY-----\n%b\n-----END RSA PUBLIC KEY-----\n"
            wrapped = re.sub(rb"(.{64})", rb"\1\n", _BREAKS.sub(b"", text))
            return serialization.load_pem_public_key(lines % wrapped)
        if kind == b"PUBLIC KEY":
            return serialization.load_der_public_key(der)
    except Exception as error:  # noqa: BLE001 - cryptography raises many kinds
        raise SecretUnavailableError(
            f"a public key in PEM cannot be read ({type(error).__name__})"
        ) from None
    raise SecretUnavailableError(
        f"PEM of a {kind.decode().lower()} is no public key; take the sender's public key"
    )


def _bare(value: bytes, algorithm: str) -> Any:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519

    if value.lstrip().startswith(b"{"):
        return _of_jwk(value)
    for raw in _decoded(value.strip()):
        try:
            if algorithm == "ed25519" and len(raw) == _RAW_ED25519:
                return ed25519.Ed25519PublicKey.from_public_bytes(raw)
            if algorithm.startswith("ecdsa") and len(raw) in _RAW_P256:
                return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), raw)
            return serialization.load_der_public_key(raw)
        except Exception:  # noqa: BLE001, S112 - cryptography raises many kinds
            continue
    raise SecretUnavailableError(
        "the public key is neither PEM, nor a JWK, nor hex or base64 of DER or of the raw key"
    )


def _of_jwk(value: bytes) -> Any:
    try:
        key = key_of_jwk(orjson.loads(value))
    except ValueError:
        key = None
    if key is None:
        raise SecretUnavailableError("the public key is no JSON Web Key in one line")
    return key


def _decoded(value: bytes) -> Iterator[bytes]:
    if len(value) > LONGEST_KEY:
        return
    if _HEX.fullmatch(value):
        yield bytes.fromhex(value.decode())
    with suppress(ValueError):
        padded = value.translate(_FROM_URL) + b"=" * (-len(value) % 4)
        yield b64decode(padded, validate=True)


def _fitting(key: Any, algorithm: str) -> Any:
    """Return a key that an algorithm can use.

    Raises
    ------
    SecretUnavailableError
        When it is of another kind, or too short or too long.
    """
    if not fits(key, algorithm):
        raise SecretUnavailableError(f"the public key is none that {algorithm} takes")
    return key


def fits(key: Any, algorithm: str) -> bool:
    """Tell whether a key is one of an algorithm's, and of a size that is safe and bounded."""
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    if algorithm == "ed25519":
        return isinstance(key, ed25519.Ed25519PublicKey)
    if algorithm.startswith("ecdsa"):
        return isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1)
    return isinstance(key, rsa.RSAPublicKey) and key.key_size in _RSA_BITS


def key_set(document: bytes, where: str) -> list[dict[str, Any]]:
    """Read a JSON Web Key Set (RFC 7517): the public keys in it that sign.

    Parameters
    ----------
    where : str
        Its address, for the error.

    Raises
    ------
    SecretUnavailableError
        When it is none.
    """
    try:
        keys = orjson.loads(document)["keys"]
        found = [key for key in keys if isinstance(key, dict)]
    except (ValueError, TypeError, KeyError):
        raise SecretUnavailableError(f"{where}: there is no JSON Web Key Set") from None
    if len(found) > MOST_KEYS:
        raise SecretUnavailableError(f"{where}: has {len(found)} keys, and {MOST_KEYS} can count")
    # A secret that is published is none, and a private key neither.
    return [
        key
        for key in found
        if key.get("kty") in {"RSA", "EC", "OKP"} and key.get("use", "sig") == "sig"
    ]


def key_of_jwk(jwk: dict[str, Any]) -> Any:
    """Make the key of a JSON Web Key; None where it is of a kind that is not used here."""
    import jwt

    try:
        return jwt.PyJWK(jwk).key
    except (jwt.PyJWTError, ValueError, TypeError, KeyError):
        return None


def certificate_of(document: bytes) -> x509.Certificate | None:
    """Read a certificate in PEM; None where it is none."""
    from cryptography import x509

    try:
        return x509.load_pem_x509_certificate(document)
    except ValueError:
        return None


def verifies(key: Any, algorithm: str, signature: bytes, signed: bytes) -> bool:
    """Tell whether a signature is the key's."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, padding

    try:
        if algorithm == "ed25519":
            key.verify(signature, signed)
        elif algorithm == "ecdsa-p256-sha256":
            key.verify(signature, signed, ec.ECDSA(hashes.SHA256()))
        else:
            # SHA-1 is what a few senders sign with; who could make two bodies of one hash is they.
            digest = hashes.SHA1() if algorithm == "rsa-sha1" else hashes.SHA256()  # noqa: S303
            key.verify(signature, signed, padding.PKCS1v15(), digest)
    except InvalidSignature:
        return False
    return True
