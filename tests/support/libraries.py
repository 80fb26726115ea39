"""The senders' own libraries, behind one interface."""

from __future__ import annotations

import hmac
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from gidgethub.sansio import validate_event
from slack_sdk.signature import SignatureVerifier
from standardwebhooks import Webhook
from stripe import WebhookSignature

from tests.support.bench import SECRET

if TYPE_CHECKING:
    from collections.abc import Callable

FRESH = {"webhook-id": "msg_1"}
Headers = dict[str, str]


@dataclass(frozen=True)
class Library:
    """A sender's library: the name of its signature header, how it verifies and how it signs."""

    name: str
    header: str
    verify: Callable[[str, Headers, bytes], object]
    sign: Callable[[str, bytes, int], Headers]

    def accepts(self, headers: Headers, body: bytes, secret: str = SECRET) -> bool:
        # Hostile input makes the libraries raise all sorts of errors; each means "not accepted".
        with suppress(Exception):
            return self.verify(secret, headers, body) is not False
        return False


def _verify_slack(secret: str, headers: Headers, body: bytes) -> object:
    return SignatureVerifier(secret).is_valid_request(body, headers)


def _verify_stripe(secret: str, headers: Headers, body: bytes) -> object:
    return WebhookSignature.verify_header(body, headers["stripe-signature"], secret, 300)


def _verify_github(secret: str, headers: Headers, body: bytes) -> object:
    validate_event(body, signature=headers["x-hub-signature-256"], secret=secret)
    return True


def _sign_slack(secret: str, body: bytes, at: int) -> Headers:
    value = SignatureVerifier(secret).generate_signature(timestamp=str(at), body=body)
    assert value is not None
    return {"x-slack-request-timestamp": str(at), "x-slack-signature": value}


def _sign_stripe(secret: str, body: bytes, at: int) -> Headers:
    value = WebhookSignature.generate_signature_header(body.decode(), secret, timestamp=at)
    return {"stripe-signature": value}


def _sign_standard(secret: str, body: bytes, at: int) -> Headers:
    when = datetime.fromtimestamp(at, UTC)
    value = Webhook(secret).sign(FRESH["webhook-id"], when, body.decode())
    return {**FRESH, "webhook-timestamp": str(at), "webhook-signature": value}


def _sign_github(secret: str, body: bytes, _: int) -> Headers:
    """gidgethub does not sign; this is GitHub's documentation, "Validating webhook deliveries"."""
    digest = hmac.new(secret.encode(), body, "sha256").hexdigest()
    return {"x-hub-signature-256": f"sha256={digest}"}


LIBRARIES = {
    library.name: library
    for library in (
        Library("github", "x-hub-signature-256", _verify_github, _sign_github),
        Library("slack", "x-slack-signature", _verify_slack, _sign_slack),
        Library(
            "standard-webhooks",
            "webhook-signature",
            lambda secret, headers, body: Webhook(secret).verify(body, headers, json_parse=False),
            _sign_standard,
        ),
        Library("stripe", "stripe-signature", _verify_stripe, _sign_stripe),
    )
}
NAMES = sorted(LIBRARIES)
