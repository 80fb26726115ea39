"""Bodies of the catalogue's samples that hold their own proof: SNS messages, and event tokens."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives import hashes

from tests.senders.signing import keys
from tests.senders.signing.made import AT, based, iso

if TYPE_CHECKING:
    from collections.abc import Mapping

CERTIFICATE_URL = (
    "https://sns.eu-central-1.amazonaws.com/SimpleNotificationService-0f3c5a5d7b9e.pem"
)
_TOPIC = "arn:aws:sns:eu-central-1:123456789012:guardduty"


def _finding(updated: str, count: int) -> dict[str, Any]:
    detail = {
        "id": "16afba5c5c43e07c9e3e5e2e544e95df",
        "type": "UnauthorizedAccess:IAMUser/ConsoleLoginSuccess.B",
        "title": "A sign-in to the console from somewhere new",
        "severity": 8,
        "accountId": "123456789012",
        "region": "eu-central-1",
        "updatedAt": updated,
        "service": {
            "count": count,
            "action": {
                "actionType": "AWS_API_CALL",
                "awsApiCallAction": {"remoteIpDetails": {"ipAddressV4": "192.0.2.110"}},
            },
        },
        "resource": {"accessKeyDetails": {"userName": "alice"}},
    }
    return {
        "version": "0",
        "id": f"00000000-0000-4000-8000-00000000000{count}",
        "detail-type": "GuardDuty Finding",
        "source": "aws.guardduty",
        "account": "123456789012",
        "time": updated,
        "region": "eu-central-1",
        "resources": [],
        "detail": detail,
    }


def _message(message: str, number: int, kind: str = "Notification", **more: str) -> bytes:
    """AWS, "Verifying the signatures of Amazon SNS messages": the named fields, in their order."""
    fields = {
        "Message": message,
        "MessageId": f"00000000-0000-4000-8000-0000000001{number:02}",
        **more,
        "Timestamp": iso().replace("Z", ".000Z"),
        "TopicArn": _TOPIC,
        "Type": kind,
    }
    signed = "".join(f"{name}\n{value}\n" for name, value in sorted(fields.items()))
    signature = based(keys.sign_rsa(signed.encode(), hashes.SHA256()))
    proof = {"SignatureVersion": "2", "Signature": signature, "SigningCertURL": CERTIFICATE_URL}
    return json.dumps(fields | proof).encode()


def _token(number: int, event: str, **details: Any) -> bytes:
    """RFC 8417 and 8935: a token with one event, which is the body."""
    claims = {
        "iss": "https://example.okta.com",
        "aud": "https://hooks.example.com/okta-ssf",
        "jti": f"24c63fb56e5a2d77a6b512616ca9fa{number:02}",
        "iat": AT,
        "sub_id": {"format": "email", "email": "alice@example.com"},
        "events": {event: {"event_timestamp": AT, **details}},
    }
    signed = keys.token(claims, keys.rsa_key(), "RS256", kid=keys.KEY_ID, typ="secevent+jwt")
    return signed.encode()


_CAEP = "https://schemas.openid.net/secevent/caep/event-type"
_RISC = "https://schemas.openid.net/secevent/risc/event-type"
_SSF = "https://schemas.openid.net/secevent/ssf/event-type"

#: Source, then the sample's name, then its body.
BODIES: Mapping[str, Mapping[str, bytes]] = {
    "aws-sns": {
        "signed-finding": _message(json.dumps(_finding("2026-11-23T20:08:20Z", 1)), 1),
        "signed-finding-again": _message(json.dumps(_finding("2026-11-23T20:08:22Z", 2)), 2),
        "signed-words": _message("The disk is full.", 3, Subject="Alarm"),
        "signed-confirmation": _message(
            "You have chosen to subscribe to the topic.",
            4,
            "SubscriptionConfirmation",
            SubscribeURL="https://sns.eu-central-1.amazonaws.com/?Action=ConfirmSubscription"
            f"&TopicArn={_TOPIC}&Token=2336412f37fb687f5d51e6e2425f0000",
            Token="2336412f37fb687f5d51e6e2425f0000",
        ),
    },
    "okta-ssf": {
        "signed-session-revoked": _token(
            1, f"{_CAEP}/session-revoked", reason_admin={"en": "Policy violation"}
        ),
        "signed-credential-change": _token(
            2, f"{_CAEP}/credential-change", credential_type="password", change_type="update"
        ),
        "signed-account-disabled": _token(3, f"{_RISC}/account-disabled", reason="hijacking"),
        "signed-verification": _token(4, f"{_SSF}/verification", state="example"),
    },
}
