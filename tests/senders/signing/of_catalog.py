"""Signs the catalogue's samples anew: `python -m tests.senders.signing.of_catalog [SOURCE …]`.

A body is `samples/signed-….json` (or `.txt`); the sample is written beside it. `forged.json` is
signed, and sent with a signature over other bytes. Bodies that hold their proof are in
`of_catalog_bodies`. How a sample must end, and its description, stay
as they are.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import yaml
from sendgrid.helpers.eventwebhook import EventWebhook

from settings.source.loader import CATALOG
from tests.senders.signing import keys
from tests.senders.signing.__main__ import makers, name_of, written
from tests.senders.signing.made import AT, Maker, based, library, verified
from tests.senders.signing.of_catalog_bodies import BODIES

if TYPE_CHECKING:
    from pathlib import Path

_NAME = "X-Twilio-Email-Event-Webhook"

#: A source of the catalogue, and the sender of the table that signs like it.
SIGNED_LIKE = {
    "adyen-platform": "adyen-platform",
    "aws-sns": "aws-sns",
    "box": "box",
    "castle": "castle",
    "clerk": "clerk",
    "discord": "discord",
    "hubspot": "hubspot",
    "incident-io": "incident-io",
    "linear": "linear",
    "meta": "whatsapp",
    "netlify": "netlify",
    "notion": "notion",
    "okta-ssf": "okta-ssf",
    "openai": "openai",
    "paddle": "paddle",
    "render": "render",
    "resend": "resend",
    "sendgrid": "sendgrid",
    "shopify": "shopify",
    "svix": "clerk",
    "twilio": "twilio",
    "workos": "workos",
}


def _sendgrid(_: str, body: bytes) -> dict[str, str]:
    signature = based(keys.sign_ec(str(AT).encode() + body))
    return {f"{_NAME}-Signature": signature, f"{_NAME}-Timestamp": str(AT)}


def _is_sendgrid(secret: str, body: bytes, headers: dict[str, str]) -> object:
    signature, time = headers[f"{_NAME}-Signature"], headers[f"{_NAME}-Timestamp"]
    return EventWebhook(secret).verify_signature(body.decode(), signature, time)


SENDGRID = Maker(
    verified(_sendgrid, _is_sendgrid),
    library("sendgrid"),
    secrets=(based(keys.der(keys.ec_key().public_key())),),
)


def sign(maker: Maker, file: Path) -> None:
    """Write the sample of one body."""
    path = file.with_suffix(".yaml")
    known: dict[str, Any] = {"expect": {"outcome": "delivered"}}
    if path.exists():
        known = yaml.safe_load(path.read_text(encoding="utf-8"))
    body = file.read_bytes()
    secret = maker.secrets[0] if maker.secrets else ""
    signed = maker.sign(secret, body + b" " * (file.stem == "forged"))
    text = written(replace(maker, file=file.name, sign=lambda *_: signed), body, known["expect"])
    if description := known.get("description"):
        text = f"description: {description}\n{text.partition(chr(10))[2]}"
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    every = {**makers(), "sendgrid": SENDGRID}
    for name in sys.argv[1:] or sorted(SIGNED_LIKE):
        samples = CATALOG / name / "samples"
        for stem, made in BODIES.get(name, {}).items():
            (samples / f"{stem}.txt").write_bytes(made)
        for url, document in every[SIGNED_LIKE[name]].fetched.items():
            (samples / name_of(url)).write_text(document, encoding="utf-8")
        for body_file in sorted([*samples.glob("*.json"), *samples.glob("*.txt")]):
            if body_file.stem.startswith(("signed-", "forged")):
                sign(every[SIGNED_LIKE[name]], body_file)
