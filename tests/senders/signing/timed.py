"""Senders that sign a time, or further headers, with the body."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.senders.signing.made import AT, Maker, Sign, based, mac
from tests.support import signing_senders

if TYPE_CHECKING:
    from collections.abc import Mapping

_UUID = "3f1c9a52-7a84-4a2e-9a0f-5c6d1f5b7e10"


def _named(header: str, time: str, signature: str, dot: str = ".", comma: str = ",") -> Sign:
    """Return what signs '<time><dot><body>' and writes both into one header."""
    return lambda secret, body: {
        header: f"{time}{AT}{comma}{signature}{mac(secret, str(AT), dot, body).hex()}"
    }


def _crowdstrike(secret: str, body: bytes) -> dict[str, str]:
    time = "2026-11-23T20:08:23Z"
    return {
        "X-Cs-Primary-Signature": based(mac(secret, body, time)),
        "X-Cs-Delivery-Timestamp": time,
    }


def _customerio(secret: str, body: bytes) -> dict[str, str]:
    digest = mac(secret, f"v0:{AT}:", body).hex()
    return {"X-CIO-Signature": digest, "X-CIO-Timestamp": str(AT)}


def _front(secret: str, body: bytes) -> dict[str, str]:
    digest = based(mac(secret, f"{AT}000:", body))
    return {"X-Front-Signature": digest, "X-Front-Request-Timestamp": f"{AT}000"}


def _twitch(secret: str, body: bytes) -> dict[str, str]:
    name, time = "befa7b53-d79d-478f-86b9-120f112b044e", "2026-11-23T20:08:23.123456789Z"
    return {
        "Twitch-Eventsub-Message-Id": name,
        "Twitch-Eventsub-Message-Timestamp": time,
        "Twitch-Eventsub-Message-Signature": f"sha256={mac(secret, name, time, body).hex()}",
    }


def _grafana(secret: str, body: bytes) -> dict[str, str]:
    digest = mac(secret, f"{AT}:", body).hex()
    return {"X-Grafana-Alerting-Signature": digest, "X-Grafana-Alerting-Timestamp": str(AT)}


def _zendesk(secret: str, body: bytes) -> dict[str, str]:
    time = "2026-11-23T20:08:23Z"
    return {
        "X-Zendesk-Webhook-Signature": based(mac(secret, time, body)),
        "X-Zendesk-Webhook-Signature-Timestamp": time,
    }


TIMED: dict[str, Maker] = {
    "buildkite": Maker(
        _named("X-Buildkite-Signature", "timestamp=", "signature="),
        headers={"X-Buildkite-Event": "build.finished", "X-Buildkite-Request": _UUID},
    ),
    "calendly": Maker(_named("Calendly-Webhook-Signature", "t=", "v1=")),
    "crowdstrike": Maker(_crowdstrike),
    "customerio": Maker(_customerio),
    "front": Maker(_front),
    "grafana": Maker(_grafana),
    "persona": Maker(_named("Persona-Signature", "t=", "v1=")),
    "rootly": Maker(_named("X-Rootly-Signature", "t=", "v1=", dot="")),
    "tailscale": Maker(_named("Tailscale-Webhook-Signature", "t=", "v1=")),
    "twitch": Maker(
        _twitch,
        headers={
            "Twitch-Eventsub-Message-Type": "notification",
            "Twitch-Eventsub-Subscription-Type": "channel.follow",
        },
    ),
    "zendesk": Maker(_zendesk, headers={"X-Zendesk-Webhook-Invocation-Id": "01FFMJ1Q2NGN"}),
}

#: Beside what `tests.support.signing_senders` signs.
_HEADERS: Mapping[str, Mapping[str, str]] = {
    "box": {"BOX-DELIVERY-ID": _UUID},
    "recurly": {"recurly-notification-id": "pvdgm6a0fq5t"},
}
_BY: Mapping[str, str] = {"adyen-platform": "Adyen", "box": "boxsdk", "paddle": "paddle-python-sdk"}


def with_details(library: Mapping[str, str]) -> dict[str, Maker]:
    """Return the makers for the senders of `tests.support.signing_senders`.

    Parameters
    ----------
    library : Mapping[str, str]
        Who signed, for a library's name.
    """
    return {
        name: Maker(
            sender.sign,
            library[_BY[name]] if name in _BY else "ourselves",
            headers=_HEADERS.get(name, {}),
            secrets=(sender.secret,),
        )
        for name, sender in signing_senders.SENDERS.items()
    }
