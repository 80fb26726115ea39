"""What the demo sends for senders other than GitHub: their samples, forgeries, handshakes."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import secrets as random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from toolbox.demo.requests import Part
from toolbox.demo.source import SENDERS
from toolbox.sources.samples import SampleRequest, authenticate, load_samples
from toolbox.traffic.sender import Outgoing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from settings.source.loader import LoadedSource
    from toolbox.sources.samples import LoadedSample


@dataclass(frozen=True)
class HandshakeTrial:
    """A sender's question whether an address is ours, and what has to be answered."""

    label: str
    source: str
    request: SampleRequest
    answer: dict[str, str]

    def is_answered(self, api: str) -> bool:
        """Ask it, and tell whether the answer is right."""
        host = api.removeprefix("http://")
        connection = http.client.HTTPConnection(host, timeout=30)
        try:
            request = self.request
            body = request.body if request.method != "GET" else None
            connection.request(request.method, f"/{self.source}", body, request.headers)
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        try:
            return answer.status == 200 and orjson.loads(content) == self.answer
        except orjson.JSONDecodeError:
            return False


def sender_parts(
    sources: Mapping[str, LoadedSource], secrets: Mapping[str, str], now: Callable[[], float]
) -> list[Part]:
    """Make the requests of the other senders, each signed as its sender does.

    Parameters
    ----------
    sources : Mapping[str, LoadedSource]
        By name; all of `SENDERS` must be there.
    now : Callable[[], float]
        Epoch seconds.
    """
    good = [(name, sample) for name in SENDERS for sample in _delivered(sources[name])]
    through_receiver = [
        sample for name, sample in good if sources[name].settings.ingest == "receiver"
    ]
    return [
        Part(
            f"webhooks of {', '.join(SENDERS)}",
            "delivered",
            [_outgoing(sample, secrets[name], now()) for name, sample in good],
            extra=sum(sample.settings.expect.events - 1 for _, sample in good),
        ),
        Part(
            "forged, to those that verify at the door",
            "refused 401",
            [
                _outgoing(sample, "forged" + secrets[sample.source.name], now())
                for sample in through_receiver
            ],
        ),
    ]


def handshakes(
    sources: Mapping[str, LoadedSource], secrets: Mapping[str, str], now: float
) -> list[HandshakeTrial]:
    """Make the handshakes of Okta, Slack and Zoom.

    The answers are worked out here, and not by the code that is asked.

    Parameters
    ----------
    now : float
        Epoch seconds.
    """
    challenge = random.token_urlsafe(24)

    def signed(name: str, document: Any, answer: dict[str, str]) -> HandshakeTrial:
        body = orjson.dumps(document)
        headers = {"Content-Type": "application/json"}
        proof = authenticate(sources[name], secrets[name], body, now=now, headers=headers)
        return HandshakeTrial(
            f"{name.title()}: signed POST", name, SampleRequest(headers | proof, body), answer
        )

    proof = hmac.new(secrets["zoom"].encode(), challenge.encode(), hashlib.sha256).hexdigest()
    asked = {"X-Okta-Verification-Challenge": challenge}
    return [
        HandshakeTrial(
            "Okta: GET", "okta", SampleRequest(asked, b"", "GET"), {"verification": challenge}
        ),
        signed(
            "slack",
            {"type": "url_verification", "challenge": challenge},
            {"challenge": challenge},
        ),
        signed(
            "zoom",
            {"event": "endpoint.url_validation", "payload": {"plainToken": challenge}},
            {"plainToken": challenge, "encryptedToken": proof},
        ),
    ]


def _delivered(source: LoadedSource) -> Iterator[LoadedSample]:
    for sample in load_samples(source):
        settings = sample.settings
        if settings.expect.outcome == "delivered" and settings.sign in {"current", "several"}:
            yield sample


def _outgoing(sample: LoadedSample, secret: str, now: float) -> Outgoing:
    return Outgoing(sample.source.name, sample.name, sample.request((secret,), now))
