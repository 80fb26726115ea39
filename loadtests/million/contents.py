"""What the requests of the million hold: real GitHub payloads, events of 1 KB, lists of events.

Nothing here is the product's own: bodies are put together from bytes, and signed as the senders'
documentation says, so that a request takes some microseconds.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from typing import TYPE_CHECKING

import orjson

from toolbox.traffic.examples import real_payloads

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SMALL_BYTES = 1_024
_MARK = "@token@"
_JSON = {"Content-Type": "application/json"}


class Mould:
    """A JSON document with a place for a token, as bytes.

    Parameters
    ----------
    document : dict[str, object]
        With `@token@` where the token goes, once.
    size : int
        Up to how many bytes `padding` of the document is filled; 0 for as it is.
    """

    def __init__(
        self, document: Mapping[str, object], size: int = 0, padding: str = "note"
    ) -> None:
        if size:
            room = size - len(orjson.dumps({**document, padding: ""}))
            document = {**document, padding: "n" * room}
        self._before, self._after = orjson.dumps(document).split(_MARK.encode())

    def cast(self, token: str) -> bytes:
        """Return the document with a token."""
        return self._before + token.encode() + self._after


#: Of developer.okta.com, "System Log API": the parts that every event has.
_OKTA = {
    "uuid": _MARK,
    "published": "2026-11-26T12:00:00.000Z",
    "eventType": "soak.event",
    "version": "0",
    "severity": "INFO",
    "displayMessage": "User single sign on to app",
    "actor": {
        "id": "00u1a2b3c4d5e6f7g8h9",
        "type": "User",
        "alternateId": "alice@example.com",
        "displayName": "Alice Example",
    },
    "client": {"ipAddress": "192.0.2.7", "device": "Computer"},
    "outcome": {"result": "SUCCESS", "reason": None},
    "target": None,
}
OKTA = Mould(_OKTA, SMALL_BYTES, "debugNote")
#: Of developers.cloudflare.com, "Logpush", the data set http_requests.
_CLOUDFLARE = {
    "RayID": _MARK,
    "EdgeStartTimestamp": "2026-11-26T12:00:00Z",
    "ClientIP": "198.51.100.4",
    "ClientRequestHost": "www.example.com",
    "ClientRequestMethod": "GET",
    "ClientRequestURI": "/products/42?from=search",
    "ClientRequestUserAgent": "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/141.0",
    "EdgeResponseStatus": 200,
    "SecurityAction": "unknown",
    "SecurityRuleDescription": "",
    "ZoneName": "example.com",
}
CLOUDFLARE = Mould(_CLOUDFLARE, SMALL_BYTES, "SecurityRuleDescription")
#: Of developers.zoom.us, "meeting.participant_joined".
_ZOOM = {
    "event": "meeting.participant_joined",
    "event_ts": 1_795_694_400_000,
    "payload": {
        "account_id": "AAAAAABBBB",
        "object": {
            "id": "1234567890",
            "uuid": "4444AAAiAAAAAiAiAiiAii==",
            "host_id": "x1yCzABCDEfg23HiJKl4mN",
            "topic": "Weekly review",
            "type": 8,
            "start_time": "2026-11-26T10:08:23Z",
            "timezone": "America/Los_Angeles",
            "duration": 60,
            "participant": {
                "user_id": "16778240",
                "user_name": "Alice Example",
                "id": _MARK,
                "participant_uuid": "55555AAAiAAAAAiAiAiiAii",
                "date_time": "2026-11-26T10:09:03Z",
                "email": "alice@example.com",
            },
        },
    },
}
ZOOM = Mould(_ZOOM, SMALL_BYTES, "note")
GENERIC = Mould({"event": "login", "n": _MARK}, SMALL_BYTES)


def real_github() -> list[tuple[str, bytes]]:
    """Return event type and body of GitHub's own examples, pings left out: they are ignored."""
    return [(name, orjson.dumps(body)) for name, body in real_payloads() if name != "ping"]


def with_token(body: bytes, token: str) -> bytes:
    """Return a JSON object with one key more, the first."""
    return b'{"soak":"' + token.encode() + b'",' + body[1:]


def okta_hook(events: Iterable[bytes]) -> bytes:
    """Return the body of an event hook: developer.okta.com, "Event hooks"."""
    return b'{"eventType":"com.okta.event_hook","data":{"events":[' + b",".join(events) + b"]}}"


def github_headers(secret: str, event: str, token: str, body: bytes) -> dict[str, str]:
    """Sign as GitHub does: docs.github.com, "Validating webhook deliveries"."""
    return {
        **_JSON,
        "User-Agent": "GitHub-Hookshot/million",
        "X-GitHub-Event": event,
        "X-GitHub-Delivery": token,
        "X-Hub-Signature-256": f"sha256={_hmac(secret, body)}",
    }


def zoom_headers(secret: str, body: bytes) -> dict[str, str]:
    """Sign as Zoom does: developers.zoom.us, "Verify webhook events"."""
    stamp = str(int(time.time()))
    signed = b"v0:" + stamp.encode() + b":" + body
    return {
        **_JSON,
        "x-zm-request-timestamp": stamp,
        "x-zm-signature": f"v0={_hmac(secret, signed)}",
    }


def token_headers(value: str, name: str = "Authorization") -> dict[str, str]:
    """Return the headers of a sender that has a token."""
    return {**_JSON, name: value}


def _hmac(secret: str, signed: bytes) -> str:
    return hmac.digest(secret.encode(), signed, hashlib.sha256).hex()
