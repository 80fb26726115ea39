"""Senders whose signatures have details of their own: settings, and how each of them signs.

The signatures are made from the senders' documentation, or by their own libraries, and with
nothing of the pipeline's code. A library is imported when it signs: it takes up to half a second.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple

#: When the requests are made, in seconds since the epoch.
NOW = 1_795_464_503
HEX_KEY = "058bfb6a3d8cfdc4da7c3be5901b16ae11da982b46a25fb2cd7016e97a140a1c"
TEXT_KEY = "0f3c-Example-Key"
BODY = b'{"id": "evt_1", "webhookTimestamp": %d, "text": "Gr\xc3\xb6\xc3\x9fe"}' % (NOW * 1000)
Signer = Callable[[str, bytes], dict[str, str]]


class SigningSender(NamedTuple):
    """One sender.

    Parameters
    ----------
    secret, other : str
        As the sender shows it, and one that is wrong by its value alone.
    sign : Callable[[str, bytes], dict[str, str]]
        The headers for a secret and a body.
    """

    authentication: dict[str, Any]
    sign: Signer
    secret: str = TEXT_KEY
    other: str = "another-Example-Key"


def mac(key: bytes, *signed: bytes, algorithm: str = "sha256") -> bytes:
    return hmac.new(key, b"".join(signed), algorithm).digest()


def based(digest: bytes) -> str:
    return base64.b64encode(digest).decode()


def iso(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _gitguardian(secret: str, body: bytes) -> dict[str, str]:
    digest = mac(f"{NOW}{secret}".encode(), body)
    return {"Gitguardian-Signature": f"sha256={digest.hex()}", "Timestamp": str(NOW)}


def _box(secret: str, body: bytes) -> dict[str, str]:
    """As during a rotation of the primary key: the secondary is the one that is known here."""
    from box_sdk_gen.internal.utils import compute_webhook_signature

    given = {
        "box-delivery-timestamp": iso(NOW),
        "box-signature-version": "1",
        "box-signature-algorithm": "HmacSHA256",
    }
    signed = compute_webhook_signature(body.decode(errors="replace"), given, secret)
    rotated = compute_webhook_signature(body.decode(errors="replace"), given, "a-new-primary-key")
    named = {"BOX-SIGNATURE-PRIMARY": rotated, "BOX-SIGNATURE-SECONDARY": signed}
    return {**{name: str(text) for name, text in named.items()}, "BOX-DELIVERY-TIMESTAMP": iso(NOW)}


def _adyen(secret: str, body: bytes) -> dict[str, str]:
    from Adyen.util import generate_payload_sig

    return {"HmacSignature": generate_payload_sig(body, secret).decode()}


def _paddle(secret: str, body: bytes) -> dict[str, str]:
    from paddle_billing.Notifications.PaddleSignature import PaddleSignature

    digest = PaddleSignature.calculate_hmac(secret, f"{NOW}:".encode() + body).hexdigest()
    return {"Paddle-Signature": f"ts={NOW};h1={'0' * 64};h1={digest}"}


def _sanity(secret: str, body: bytes) -> dict[str, str]:
    digest = mac(secret.encode(), f"{NOW}000.".encode(), body)
    text = base64.urlsafe_b64encode(digest).decode().rstrip("=")
    return {"sanity-webhook-signature": f"t={NOW}000,v1={text}"}


def _recurly(secret: str, body: bytes) -> dict[str, str]:
    """Two signatures while a key rotates: docs.recurly.com, "Signature verification"."""
    digest = mac(secret.encode(), f"{NOW}000.".encode(), body).hex()
    return {"recurly-signature": f"{NOW}000,{'0' * 64},{digest}"}


def _close(secret: str, body: bytes) -> dict[str, str]:
    """developer.close.com, "Webhooks": the key is `bytearray.fromhex(signature_key)`."""
    digest = mac(bytes.fromhex(secret), str(NOW).encode(), body).hex()
    return {"close-sig-hash": digest, "close-sig-timestamp": str(NOW)}


def _bugcrowd(secret: str, body: bytes) -> dict[str, str]:
    digest = mac(secret.encode(), body, f".{NOW}".encode()).hex()
    return {"X-Bugcrowd-Digest": f"timestamp={NOW};sha256={digest}"}


def _docusign(secret: str, body: bytes) -> dict[str, str]:
    return {
        "X-DocuSign-Signature-1": based(mac(b"a-new-key", body)),
        "X-DocuSign-Signature-2": based(mac(secret.encode(), body)),
    }


def _time(header: str, **more: Any) -> dict[str, Any]:
    return {"timestamp": {"header": header, **more}}


SENDERS: dict[str, SigningSender] = {
    "gitguardian": SigningSender(
        {
            "header": "Gitguardian-Signature",
            "prefix": "sha256=",
            "key": "{timestamp}{secret}",
            **_time("Timestamp"),
        },
        _gitguardian,
    ),
    # The string to sign is not in Bugcrowd's public pages; the header's form is.
    "bugcrowd": SigningSender(
        {
            "header": "X-Bugcrowd-Digest",
            "prefix": "sha256=",
            "separator": ";",
            "signed": "{body}.{timestamp}",
            **_time("X-Bugcrowd-Digest", prefix="timestamp="),
        },
        _bugcrowd,
    ),
    "fivetran": SigningSender(
        {"header": "X-Fivetran-Signature-256"},
        lambda secret, body: {"X-Fivetran-Signature-256": mac(secret.encode(), body).hex().upper()},
    ),
    "linear": SigningSender(
        {
            "header": "Linear-Signature",
            "timestamp": {
                "path": "webhookTimestamp",
                "unit": "milliseconds",
                "tolerance_seconds": 60,
            },
        },
        lambda secret, body: {"Linear-Signature": mac(secret.encode(), body).hex()},
    ),
    "box": SigningSender(
        {
            "header": "BOX-SIGNATURE-PRIMARY",
            "further_headers": ["BOX-SIGNATURE-SECONDARY"],
            "encoding": "base64",
            "signed": "{body}{timestamp}",
            **_time("BOX-DELIVERY-TIMESTAMP", unit="iso8601", tolerance_seconds=600),
        },
        _box,
    ),
    "docusign": SigningSender(
        {
            "header": "X-DocuSign-Signature-1",
            "further_headers": [f"X-DocuSign-Signature-{number}" for number in range(2, 6)],
            "encoding": "base64",
        },
        _docusign,
    ),
    "sanity": SigningSender(
        {
            "header": "sanity-webhook-signature",
            "prefix": "v1=",
            "separator": ",",
            "encoding": "base64url",
            "signed": "{timestamp}.{body}",
            **_time("sanity-webhook-signature", prefix="t=", unit="milliseconds"),
        },
        _sanity,
    ),
    "close": SigningSender(
        {
            "header": "close-sig-hash",
            "signed": "{timestamp}{body}",
            "secret": {"encoding": "hex"},
            **_time("close-sig-timestamp"),
        },
        _close,
        HEX_KEY,
        HEX_KEY[::-1],
    ),
    "connectwise": SigningSender(
        {
            "header": "x-content-signature",
            "encoding": "base64",
            "secret": {"digest": "sha256"},
        },
        lambda secret, body: {
            "x-content-signature": based(mac(hashlib.sha256(secret.encode()).digest(), body))
        },
    ),
    "adyen-platform": SigningSender(
        {"header": "HmacSignature", "encoding": "base64", "secret": {"encoding": "hex"}},
        _adyen,
        HEX_KEY.upper(),
        HEX_KEY[::-1],
    ),
    "recurly": SigningSender(
        {
            "header": "recurly-signature",
            "separator": ",",
            "position": 2,
            "signed": "{timestamp}.{body}",
            **_time("recurly-signature", position=1, unit="milliseconds"),
        },
        _recurly,
    ),
    "paddle": SigningSender(
        {
            "header": "Paddle-Signature",
            "prefix": "h1=",
            "separator": ";",
            "signed": "{timestamp}:{body}",
            **_time("Paddle-Signature", prefix="ts=", tolerance_seconds=5),
        },
        _paddle,
    ),
    "authorize-net": SigningSender(
        {"header": "X-ANET-Signature", "prefix": "sha512=", "algorithm": "sha512"},
        lambda secret, body: {
            "X-ANET-Signature": "sha512="
            + mac(secret.encode(), body, algorithm="sha512").hex().upper()
        },
    ),
    "ms-teams": SigningSender(
        {
            "header": "Authorization",
            "prefix": "HMAC ",
            "encoding": "base64",
            "secret": {"encoding": "base64"},
        },
        lambda secret, body: {
            "Authorization": f"HMAC {based(mac(base64.b64decode(secret), body))}"
        },
        based(b"0123456789abcdef0123456789abcdef"),
        based(b"another9abcdef0123456789abcdef01"),
    ),
}
