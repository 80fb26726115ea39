"""Senders that send a JSON Web Token."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

from livekit.api import AccessToken, TokenVerifier, WebhookReceiver
from messagebird.request_validator import RequestValidator
from vonage_jwt.verify_jwt import verify_signature

from tests.senders.signing import keys
from tests.senders.signing.made import (
    AT,
    HEX_KEY,
    OURSELVES,
    Maker,
    Sign,
    based,
    in_body,
    library,
    verified,
)

#: A library of JSON Web Tokens makes the tokens; claims and headers are written here, from the
#: senders' pages. So it is `ourselves` who sign, unless a sender's own library takes the request.
JWT = OURSELVES
#: HS256 wants a key of 256 bits.
LONG_KEY = HEX_KEY
_RSA = keys.rsa_key().public_key()


def _sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def _netlify(secret: str, body: bytes) -> dict[str, str]:
    claims = {"iss": "netlify", "sha256": _sha256(body)}
    return {"X-Webhook-Signature": keys.token(claims, secret, "HS256")}


def _fusionauth(secret: str, body: bytes) -> dict[str, str]:
    claims = {"request_body_sha256": based(hashlib.sha256(body).digest())}
    signed = keys.token(claims, keys.rsa_key(), "RS256", kid=keys.KEY_ID)
    return {"X-FusionAuth-Signature-JWT": signed}


def _vonage(secret: str, body: bytes) -> dict[str, str]:
    claims = {
        "iat": AT,
        "jti": "c5ba8f24-1a14-4c10-bfdf-3fbe8ce511b5",
        "iss": "Vonage",
        "payload_hash": _sha256(body),
        "api_key": "a1b2c3d",
        "application_id": "aaaaaaaa-bbbb-cccc-dddd-0123456789ab",
    }
    return {"Authorization": f"Bearer {keys.token(claims, secret, 'HS256')}"}


def _bird(secret: str, body: bytes) -> dict[str, str]:
    claims = {
        "iss": "MessageBird",
        "nbf": AT,
        "exp": AT + 60,
        "jti": "b1c2",
        "url_hash": _sha256(b"https://hooks.example.com/bird"),
        "payload_hash": _sha256(body),
    }
    return {"MessageBird-Signature-JWT": keys.token(claims, secret, "HS256")}


def _livekit(secret: str, body: bytes) -> dict[str, str]:
    digest = based(hashlib.sha256(body).digest())
    return {"Authorization": AccessToken("APIexample", secret).with_sha256(digest).to_jwt()}


def _monday(secret: str, body: bytes) -> dict[str, str]:
    claims = {"accountId": 1825528, "userId": 4012689, "aud": "https://hooks.example.com/monday"}
    return {"Authorization": keys.token({**claims, **keys.lifetime()}, secret, "HS256")}


def _plaid(secret: str, body: bytes) -> dict[str, str]:
    claims = {"iat": AT, "request_body_sha256": _sha256(body)}
    return {"Plaid-Verification": keys.token_es256(claims)}


def _pubsub(secret: str, body: bytes) -> dict[str, str]:
    """docs, "Authenticate push subscriptions": an OpenID Connect token of the service account."""
    claims = {
        "aud": "https://hooks.example.com/google-pubsub",
        "azp": "113774264463038321964",
        "email": "push@example.iam.gserviceaccount.com",
        "email_verified": True,
        "iss": "https://accounts.google.com",
        "sub": "113774264463038321964",
        **keys.lifetime(3_600),
    }
    signed = keys.token(claims, keys.rsa_key(), "RS256", kid=keys.KEY_ID)
    return {"Authorization": f"Bearer {signed}"}


def _azure_monitor(secret: str, body: bytes) -> dict[str, str]:
    claims = {
        "aud": "api://3f1c9a52-7a84-4a2e-9a0f-5c6d1f5b7e10",
        "iss": "https://sts.windows.net/9c6c5f0e-0c0e-4a8e-9a0f-0a0b0c0d0e0f/",
        "appid": "461e8683-5575-4561-ac7f-899cc907d62a",
        "nbf": AT,
        **keys.lifetime(3_600),
    }
    signed = keys.token(claims, keys.rsa_key(), "RS256", kid=keys.KEY_ID)
    return {"Authorization": f"Bearer {signed}"}


def okta_ssf_body(secret: str) -> bytes:
    """RFC 8417, a security event token, pushed as RFC 8935 says."""
    subject = {"format": "email", "email": "alice@example.com"}
    kind = "https://schemas.openid.net/secevent/caep/event-type/session-revoked"
    claims = {
        "iss": "https://example.okta.com",
        "aud": "https://hooks.example.com/okta-ssf",
        "jti": "24c63fb56e5a2d77a6b512616ca9fa24",
        "iat": AT,
        "sub_id": subject,
        "events": {kind: {"event_timestamp": AT, "reason_admin": {"en": "Policy violation"}}},
    }
    signed = keys.token(claims, keys.rsa_key(), "RS256", kid=keys.KEY_ID, typ="secevent+jwt")
    return signed.encode()


def kinde_body(secret: str) -> bytes:
    claims: dict[str, Any] = {
        "event_id": "event_0190c5c0",
        "event_timestamp": "2026-11-23T19:28:20.000Z",
        "source": "admin",
        "timestamp": "2026-11-23T19:28:20.000Z",
        "type": "user.created",
        "data": {"user": {"id": "kp_1", "email": "alice@example.com"}},
    }
    return keys.token(claims, keys.rsa_key(), "RS256", kid=keys.KEY_ID).encode()


def wix_body(secret: str) -> bytes:
    """The event is JSON in a string, in JSON in a string, in the claim `data`."""
    event = json.dumps({"id": "p1", "kind": "product"})
    data = {"data": event, "instanceId": "i1", "eventType": "wix.stores.v1.product_created"}
    claims = {"data": json.dumps(data), **keys.lifetime()}
    return keys.token(claims, keys.rsa_key(), "RS256").encode()


def _is_livekit(secret: str, body: bytes, headers: dict[str, str]) -> bool:
    receiver = WebhookReceiver(TokenVerifier("APIexample", secret))
    receiver.receive(body.decode(), headers["Authorization"])
    return True


def _is_bird(secret: str, body: bytes, headers: dict[str, str]) -> bool:
    given = headers["MessageBird-Signature-JWT"]
    address = "https://hooks.example.com/bird"
    RequestValidator(secret).validate_signature(given, address, body)
    return True


def _at(
    address: str,
    sign: Sign,
    body: Callable[[str], bytes] | None = None,
    content_type: str = "application/json",
) -> Maker:
    """Return the maker of a JWT whose key is in a set at an address."""
    return Maker(
        sign,
        JWT,
        secrets=(),
        fetched={address: keys.key_set(_RSA)},
        content_type=content_type,
        body=body,
        file="event.txt" if body else "event.json",
    )


BY_JWT: dict[str, Maker] = {
    "azure-monitor": _at(
        "https://login.microsoftonline.com/9c6c5f0e-0c0e-4a8e-9a0f-0a0b0c0d0e0f/discovery/keys",
        _azure_monitor,
    ),
    "bird": Maker(
        verified(_bird, _is_bird),
        library("messagebird"),
        secrets=(LONG_KEY,),
        url="https://hooks.example.com/bird",
    ),
    "fusionauth": _at("https://auth.example.com/.well-known/jwks.json", _fusionauth),
    "google-pubsub": _at("https://www.googleapis.com/oauth2/v3/certs", _pubsub),
    "kinde": _at(
        "https://example.kinde.com/.well-known/jwks", in_body, kinde_body, "application/jwt"
    ),
    "livekit": Maker(
        verified(_livekit, _is_livekit),
        library("livekit-api"),
        secrets=(LONG_KEY,),
        content_type="application/webhook+json",
    ),
    "monday": Maker(_monday, JWT, secrets=(LONG_KEY,)),
    "netlify": Maker(_netlify, JWT, secrets=(LONG_KEY,)),
    "okta-ssf": _at(
        "https://example.okta.com/oauth2/v1/keys",
        in_body,
        okta_ssf_body,
        "application/secevent+jwt",
    ),
    "plaid": Maker(_plaid, JWT, secrets=(based(keys.der(keys.ec_key().public_key())),)),
    "vonage": Maker(
        verified(
            _vonage,
            lambda secret, body, headers: verify_signature(
                headers["Authorization"].removeprefix("Bearer "), secret
            ),
        ),
        library("vonage-jwt"),
        secrets=(LONG_KEY,),
    ),
    "wix": Maker(
        in_body,
        JWT,
        secrets=(based(keys.der(_RSA)),),
        content_type="text/plain",
        file="event.txt",
        body=wix_body,
    ),
}
