"""Senders that sign with a private key."""

from __future__ import annotations

import hashlib
import zlib
from urllib.parse import parse_qsl

from cryptography.hazmat.primitives import hashes
from discord_interactions import verify_key
from telnyx.lib.webhook_verification import verify_webhook_signature

from tests.senders.signing import keys
from tests.senders.signing.made import (
    AT,
    Maker,
    based,
    iso,
    library,
    verified,
)

_ED = keys.ed_key().public_key()
_RSA = keys.rsa_key().public_key()


def _discord(secret: str, body: bytes) -> dict[str, str]:
    signature = keys.ed_key().sign(str(AT).encode() + body).hex()
    return {"X-Signature-Ed25519": signature, "X-Signature-Timestamp": str(AT)}


def _telnyx(secret: str, body: bytes) -> dict[str, str]:
    signature = keys.ed_key().sign(f"{AT}|".encode() + body)
    return {"telnyx-signature-ed25519": based(signature), "telnyx-timestamp": str(AT)}


def _wise(secret: str, body: bytes) -> dict[str, str]:
    return {"X-Signature-SHA256": based(keys.sign_rsa(body, hashes.SHA256()))}


def _travis(secret: str, body: bytes) -> dict[str, str]:
    """docs, "Verifying webhook requests": over the decoded form field `payload`."""
    payload = dict(parse_qsl(body.decode()))["payload"]
    return {"Signature": based(keys.sign_rsa(payload.encode(), hashes.SHA1()))}


def _fal(secret: str, body: bytes) -> dict[str, str]:
    """docs, "Webhooks": four lines, the last of which is the hash of the body."""
    named = {
        "X-Fal-Webhook-Request-Id": "req-1",
        "X-Fal-Webhook-User-Id": "user-1",
        "X-Fal-Webhook-Timestamp": str(AT),
    }
    signed = "\n".join([*named.values(), hashlib.sha256(body).hexdigest()])
    return {**named, "X-Fal-Webhook-Signature": keys.ed_key().sign(signed.encode()).hex()}


_PAYPAL_CERTIFICATE = "https://api.paypal.com/v1/notifications/certs/CERT-360caa42-fca2a594"


def _paypal(secret: str, body: bytes) -> dict[str, str]:
    """docs, "Validate a message": id, time, the webhook's id and the checksum of the body."""
    named = {
        "PAYPAL-TRANSMISSION-ID": "69cd13f0-d67a-11e5-baa3-778b53f4ae55",
        "PAYPAL-TRANSMISSION-TIME": iso(),
    }
    signed = "|".join([*named.values(), "4JH86294D6297924G", str(zlib.crc32(body))])
    return {
        **named,
        "PAYPAL-CERT-URL": _PAYPAL_CERTIFICATE,
        "PAYPAL-AUTH-ALGO": "SHA256withRSA",
        "PAYPAL-TRANSMISSION-SIG": based(keys.sign_rsa(signed.encode(), hashes.SHA256())),
    }


def _is_telnyx(secret: str, body: bytes, headers: dict[str, str]) -> bool:
    verify_webhook_signature(body.decode(), headers, secret)
    return True


BY_KEY: dict[str, Maker] = {
    "discord": Maker(
        verified(
            _discord,
            lambda secret, body, headers: verify_key(
                body, headers["X-Signature-Ed25519"], headers["X-Signature-Timestamp"], secret
            ),
        ),
        library("discord-interactions"),
        secrets=(keys.raw(_ED).hex(),),
    ),
    "fal-ai": Maker(
        _fal,
        secrets=(),
        fetched={"https://rest.alpha.fal.ai/.well-known/jwks.json": keys.key_set(_ED)},
    ),
    "paypal": Maker(
        _paypal,
        secrets=(),
        fetched={_PAYPAL_CERTIFICATE: keys.certificate("messageverificationcerts.example.com")},
    ),
    "telnyx": Maker(
        verified(_telnyx, _is_telnyx), library("telnyx"), secrets=(based(keys.raw(_ED)),)
    ),
    "travis-ci": Maker(
        _travis,
        secrets=(based(keys.der(_RSA)),),
        content_type="application/x-www-form-urlencoded",
        file="event.txt",
    ),
    "wise": Maker(_wise, secrets=(based(keys.der(_RSA)),)),
}
