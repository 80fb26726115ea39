"""Senders whose own library signs, or says that what was signed here is right.

The libraries are the dependency group `senders` of pyproject.toml; nothing else needs them.
"""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from castle.configuration import Configuration
from castle.webhooks.verify import WebhooksVerify
from coinbase_commerce.webhook import WebhookSignature as CoinbaseSignature
from elevenlabs.webhooks_custom import WebhooksClient as ElevenLabs
from gocardless_pro import webhooks as gocardless
from linebot.v3.webhook import SignatureValidator
from openai import OpenAI
from pyairtable.models.webhook import WebhookNotification
from pywa.utils import webhook_updates_validator
from razorpay.utility.utility import Utility
from sinch.domains.authentication.sinch_events.v1 import authentication_validation as sinch
from standardwebhooks import Webhook
from svix.webhooks import Webhook as SvixWebhook
from workos.webhooks._verification import verify_header

from tests.senders.signing.made import (
    AT,
    BASE64_KEY,
    WHSEC_KEY,
    Maker,
    Sign,
    based,
    library,
    mac,
    over_body,
    verified,
)

_ID = "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W"


def _whsec(webhook: type[Webhook | SvixWebhook], name: str) -> Sign:
    def sign(secret: str, body: bytes) -> dict[str, str]:
        when = datetime.fromtimestamp(AT, UTC)
        signature = webhook(secret).sign(_ID, when, body.decode())
        return {f"{name}-id": _ID, f"{name}-timestamp": str(AT), f"{name}-signature": signature}

    return sign


def _verify_castle(secret: str, body: bytes, headers: dict[str, str]) -> object:
    settings = Configuration()
    settings.api_secret = secret
    request: Any = SimpleNamespace(data=body, headers=headers)
    WebhooksVerify.call(request, settings)
    return True


def _verify_workos(secret: str, body: bytes, headers: dict[str, str]) -> object:
    signature = headers["WorkOS-Signature"]
    verify_header(event_body=body, event_signature=signature, secret=secret, tolerance=180)
    return True


def _elevenlabs(secret: str, body: bytes) -> dict[str, str]:
    return {"ElevenLabs-Signature": f"t={AT},v0={mac(secret, f'{AT}.', body).hex()}"}


def _sinch(secret: str, body: bytes) -> dict[str, str]:
    nonce = "01FJA8B4A7BM43YGWSG9GBV067"
    signed = sinch.compute_signed_data(body.decode(), nonce, str(AT))
    return {
        "x-sinch-webhook-signature": sinch.calculate_sinch_event_signature(signed, secret),
        "x-sinch-webhook-signature-algorithm": "HmacSHA256",
        "x-sinch-webhook-signature-nonce": nonce,
        "x-sinch-webhook-signature-timestamp": str(AT),
    }


def _workos(secret: str, body: bytes) -> dict[str, str]:
    return {"WorkOS-Signature": f"t={AT}000, v1={mac(secret, f'{AT}000.', body).hex()}"}


_SVIX = Maker(_whsec(SvixWebhook, "svix"), library("svix"), secrets=(WHSEC_KEY,))
_STANDARD = Maker(_whsec(Webhook, "webhook"), library("standardwebhooks"), secrets=(WHSEC_KEY,))

BY_LIBRARY: dict[str, Maker] = {
    "airtable": Maker(
        verified(
            over_body("X-Airtable-Content-MAC", "hmac-sha256=", key=base64.b64decode),
            lambda secret, body, headers: WebhookNotification.from_request(
                body.decode(), headers["X-Airtable-Content-MAC"], secret
            ),
        ),
        library("pyairtable"),
        secrets=(BASE64_KEY,),
    ),
    "brex": Maker(_whsec(Webhook, "Webhook"), library("standardwebhooks"), secrets=(BASE64_KEY,)),
    "castle": Maker(
        verified(over_body("X-Castle-Signature", write=based), _verify_castle), library("castle")
    ),
    "clerk": _SVIX,
    "coinbase": Maker(
        verified(
            over_body("X-CC-Webhook-Signature"),
            lambda secret, body, headers: CoinbaseSignature.verify_sig_header(
                body.decode(), headers["X-CC-Webhook-Signature"], secret
            ),
        ),
        library("coinbase-commerce"),
    ),
    "elevenlabs": Maker(
        verified(
            _elevenlabs,
            lambda secret, body, headers: ElevenLabs.construct_event(
                None, body.decode(), headers["ElevenLabs-Signature"], secret
            ),
        ),
        library("elevenlabs"),
    ),
    "gocardless": Maker(
        verified(
            over_body("Webhook-Signature"),
            lambda secret, body, headers: gocardless.parse(
                body, secret, headers["Webhook-Signature"]
            ),
        ),
        library("gocardless-pro"),
    ),
    "incident-io": _STANDARD,
    "line": Maker(
        verified(
            over_body("x-line-signature", write=based),
            lambda secret, body, headers: SignatureValidator(secret).validate(
                body.decode(), headers["x-line-signature"]
            ),
        ),
        library("line-bot-sdk"),
    ),
    "openai": Maker(
        verified(
            _STANDARD.sign,
            lambda secret, body, headers: OpenAI(api_key="-").webhooks.verify_signature(
                body, headers, secret=secret
            ),
        ),
        library("openai"),
        secrets=(WHSEC_KEY,),
    ),
    "razorpay": Maker(
        verified(
            over_body("X-Razorpay-Signature"),
            lambda secret, body, headers: Utility().verify_webhook_signature(
                body.decode(), headers["X-Razorpay-Signature"], secret
            ),
        ),
        library("razorpay"),
        headers={"x-razorpay-event-id": "evt_0001"},
    ),
    "render": _STANDARD,
    "resend": _SVIX,
    "sinch": Maker(_sinch, library("sinch")),
    "stytch": _SVIX,
    "vanta": _SVIX,
    "whatsapp": Maker(
        verified(
            over_body("X-Hub-Signature-256", "sha256="),
            lambda secret, body, headers: webhook_updates_validator(
                secret, body, headers["X-Hub-Signature-256"]
            ),
        ),
        library("pywa"),
    ),
    "workos": Maker(verified(_workos, _verify_workos), library("workos")),
}
