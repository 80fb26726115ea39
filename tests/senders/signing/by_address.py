"""Senders that sign the address they were given, a form, or parts of the body."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import parse_qsl

from Adyen.util import generate_notification_sig
from dropbox_sign.event_callback_helper import EventCallbackHelper
from dropbox_sign.models import EventCallbackRequest
from hubspot.utils.signature import Signature
from plivo.utils.signature_v3 import construct_post_url, get_signature_v3
from square.utils.webhooks_helper import verify_signature
from twilio.request_validator import RequestValidator

from tests.senders.signing.made import AT, HEX_KEY, Maker, based, in_body, library, mac, verified

FORM = "application/x-www-form-urlencoded"


def _url(sender: str) -> str:
    return f"https://hooks.example.com/{sender}"


def _fields(body: bytes) -> dict[str, str]:
    return dict(parse_qsl(body.decode(), keep_blank_values=True))


def _twilio(secret: str, body: bytes) -> dict[str, str]:
    signature = RequestValidator(secret).compute_signature(_url("twilio"), _fields(body))
    return {"X-Twilio-Signature": signature, "I-Twilio-Idempotency-Token": "0f3c-1"}


def _hubspot(secret: str, body: bytes) -> dict[str, str]:
    time = f"{AT}000"
    signature = Signature.get_signature(secret, body.decode(), "v3", _url("hubspot"), "POST", time)
    return {"X-HubSpot-Signature-v3": signature, "X-HubSpot-Request-Timestamp": time}


def _plivo(secret: str, body: bytes) -> dict[str, str]:
    nonce = "12345678901234567890"
    address = construct_post_url(_url("plivo"), _fields(body)).decode()
    signature = get_signature_v3(secret.encode(), address, nonce).decode()
    return {"X-Plivo-Signature-V3": signature, "X-Plivo-Signature-V3-Nonce": nonce}


def _square(secret: str, body: bytes) -> dict[str, str]:
    return {"x-square-hmacsha256-signature": based(mac(secret, _url("square"), body))}


def _is_square(secret: str, body: bytes, headers: dict[str, str]) -> object:
    return verify_signature(
        request_body=body.decode(),
        signature_header=headers["x-square-hmacsha256-signature"],
        signature_key=secret,
        notification_url=_url("square"),
    )


def _trello(secret: str, body: bytes) -> dict[str, str]:
    return {"X-Trello-Webhook": based(mac(secret, body, _url("trello"), algorithm="sha1"))}


def _mandrill(secret: str, body: bytes) -> dict[str, str]:
    signed = _url("mandrill") + "".join(f"{k}{v}" for k, v in sorted(_fields(body).items()))
    return {"X-Mandrill-Signature": based(mac(secret, signed, algorithm="sha1"))}


def _pandadoc(secret: str, body: bytes) -> str:
    return f"signature={mac(secret, body).hex()}"


def _detectify(secret: str, body: bytes) -> dict[str, str]:
    signed = f"POST;/detectify;{AT};".encode() + body
    key = base64.b64decode(secret)
    return {"Detectify-Signature": based(mac(key, signed)), "Detectify-Timestamp": str(AT)}


def mailgun_body(secret: str) -> bytes:
    """The whole body: the signature is in it, over two of its fields."""
    token = "1f2e3d4c5b6a79880f1e2d3c4b5a69788796a5b4c3d2e1f001"
    signed = {"timestamp": str(AT), "token": token, "signature": mac(secret, f"{AT}{token}").hex()}
    event = {
        "id": "DACSsAdVSeGpLid7TN03WA",
        "event": "failed",
        "timestamp": 1795462100.1,
        "severity": "permanent",
        "recipient": "alice@example.com",
    }
    return _json({"signature": signed, "event-data": event})


def lever_body(secret: str) -> bytes:
    """The whole body: the signature is in it, over two of its fields."""
    token, time = "0f3c5a5d", AT * 1000
    return _json(
        {
            "id": "43cc8cbc-3c2b-4f4b-9f4c-2c5b6e4d3a11",
            "event": "candidateHired",
            "triggeredAt": time,
            "token": token,
            "signature": mac(secret, f"{token}{time}").hex(),
            "data": {"opportunityId": "8d49b010"},
        }
    )


def adyen_body(secret: str) -> bytes:
    """Two items, each signed by Adyen's library."""
    items = []
    for number in (1, 2):
        item: dict[str, Any] = {
            "pspReference": f"7914073381342{number}84",
            "originalReference": "",
            "merchantAccountCode": "ExampleMerchant",
            "merchantReference": f"TestPayment-{number}",
            "amount": {"value": 1130, "currency": "EUR"},
            "eventCode": "AUTHORISATION",
            "eventDate": "2026-11-23T19:28:20+01:00",
            "success": "true",
        }
        signature = generate_notification_sig(item, secret).decode()
        item["additionalData"] = {"hmacSignature": signature}
        items.append({"NotificationRequestItem": item})
    return _json({"live": "false", "notificationItems": items})


def dropbox_sign_body(secret: str) -> bytes:
    """A form in parts, whose field `json` holds the event and its hash."""
    kind = "signature_request_signed"
    event = {
        "event_time": str(AT),
        "event_type": kind,
        "event_hash": mac(secret, f"{AT}{kind}").hex(),
        "event_metadata": {"related_signature_id": "s1", "reported_for_account_id": "a1"},
    }
    document = {"event": event, "signature_request": {"signature_request_id": "r1"}}
    request = EventCallbackRequest.init(document)
    assert EventCallbackHelper.is_valid(secret, request)
    head = b'--frontier\r\nContent-Disposition: form-data; name="json"\r\n\r\n'
    return head + _json(document) + b"\r\n--frontier--\r\n"


def _json(document: object) -> bytes:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


BY_ADDRESS: dict[str, Maker] = {
    "adyen": Maker(in_body, library("Adyen"), secrets=(HEX_KEY.upper(),), body=adyen_body),
    "detectify": Maker(
        _detectify,
        secrets=(base64.b64encode(b"0f3c-Example-Key").decode(),),
        url=_url("detectify"),
    ),
    "dropbox-sign": Maker(
        in_body,
        library("dropbox-sign"),
        content_type="multipart/form-data; boundary=frontier",
        file="event.txt",
        body=dropbox_sign_body,
    ),
    "hubspot": Maker(_hubspot, library("hubspot-api-client"), url=_url("hubspot")),
    "lever": Maker(in_body, body=lever_body),
    "mailgun": Maker(in_body, body=mailgun_body),
    "mandrill": Maker(_mandrill, content_type=FORM, file="event.txt", url=_url("mandrill")),
    "pandadoc": Maker(in_body, query=_pandadoc),
    "plivo": Maker(
        _plivo, library("plivo"), content_type=FORM, file="event.txt", url=_url("plivo")
    ),
    "square": Maker(verified(_square, _is_square), library("squareup"), url=_url("square")),
    "trello": Maker(_trello, url=_url("trello")),
    "twilio": Maker(
        _twilio, library("twilio"), content_type=FORM, file="event.txt", url=_url("twilio")
    ),
}
