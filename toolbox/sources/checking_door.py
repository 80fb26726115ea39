"""What the front door decides about a request, in this process.

The decisions are those of the receiver and the authorizer (`pipeline.receiving`). What API Gateway
and its mapping template decide by themselves is restated: methods, content types, required headers,
and the envelope.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from pipeline.event.compiled_poll import FEED_HEADER
from pipeline.event.envelope import Envelope
from pipeline.event.outcomes import Verdict
from pipeline.receiving.acceptance import make_envelope
from pipeline.receiving.admission import (
    from_allowed_network,
    has_token,
    place_of,
    shows_secret,
)
from pipeline.receiving.answers import Answer, denied
from pipeline.receiving.handshake import answer_handshake, answer_unproven
from pipeline.receiving.learning import Learning
from pipeline.receiving.request import Request, refuse_forgery, refuse_stranger
from pipeline.receiving.subscribing import confirm_subscription
from toolbox.sources.captured.request import unpacked
from toolbox.sources.sample_file import address_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.event.compiled_source import CompiledSource
    from pipeline.runtime.secret_store import SecretStore
    from settings.source.loader import LoadedSource
    from toolbox.sources import samples

Decision = Answer | Envelope
_ASKING = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True)
class Door:
    """The front door of one source.

    Parameters
    ----------
    loaded, source : LoadedSource, CompiledSource
        The source, as its settings and compiled.
    """

    loaded: LoadedSource
    source: CompiledSource
    secrets: SecretStore

    def take(
        self, sent: samples.SampleRequest, name: str, arrived_ms: int, sender: str
    ) -> Decision:
        """Return the answer to a request, or its envelope where it is put on the stream.

        Parameters
        ----------
        arrived_ms : int
            When it comes, in milliseconds since the epoch.
        """
        lower = {key.lower(): value for key, value in sent.headers.items()}
        try:
            body = unpacked(sent.body, lower.get("content-encoding", ""))
        except ValueError as error:
            return denied(415, "unsupported_media_type", f"{error}.")
        request = Request(
            self.source,
            name,
            arrived_ms,
            sender,
            lower,
            body,
            method=sent.method,
            query=dict(parse_qsl(sent.query, keep_blank_values=True)),
            path_token=sent.path_token,
            url=sent.url or address_of(self.source.name),
        )
        if self.source.ingest == "poll":
            return _polled(request)
        if sent.method == "GET" and (mirror := self.loaded.settings.mirror):
            return _mirrored(lower, *mirror)
        if sent.method in _ASKING:
            return answer_unproven(request, self.secrets, _Taught()) or _no_route(sent.method)
        if sent.method not in self.loaded.settings.methods:
            return _no_route(sent.method)
        if self.source.ingest == "receiver":
            return self._receive(request)
        return self._authorize(request) or _put_by_template(request)

    def _authorize(self, request: Request) -> Answer | None:
        source = self.source
        given, by_token = request.shown_secret, shows_secret(source)
        if by_token and not given:
            return denied(401, "unauthorized", f"There is no token in {place_of(source)}.")
        if not from_allowed_network(source, request.ip):
            return denied(403, "forbidden", f"{request.ip} is not in allowed_networks.")
        if by_token and not has_token(source, self.secrets, given):
            return denied(403, "forbidden", f"The token in {place_of(source)} is wrong.")
        return None

    def _receive(self, request: Request) -> Decision:
        return (
            answer_unproven(request, self.secrets, _Taught())
            or refuse_stranger(request)
            or refuse_forgery(request, self.secrets)
            or answer_handshake(request, self.secrets)
            or confirm_subscription(request, lambda _: b"")
            or make_envelope(request)
        )


def _mirrored(lower: Mapping[str, str], header: str, field: str) -> Answer:
    challenge = lower.get(header.lower(), "")
    if not challenge:
        return denied(400, "bad_request", f"The header {header} is missing.")
    return Answer(200, {field: challenge}, Verdict.HANDSHAKE)


def _no_route(method: str) -> Answer:
    # What API Gateway says of a route without the method (gateway responses,
    # MISSING_AUTHENTICATION_TOKEN).
    return denied(403, "forbidden", f"The source takes no {method}.")


class _Taught(Learning):
    """Learns whatever it is told, and writes it nowhere: a window is the operator's to open."""

    def __init__(self) -> None:
        """Make it; there is nothing to read."""

    def learn(self, request: Request, given: object) -> None:
        """Keep nothing."""


def _put_by_template(request: Request) -> Decision:
    # The network was allowed before: what is left is the content type and the required headers.
    refused = refuse_stranger(request)
    if refused is not None:
        return refused
    name = request.source.delivery_id_header
    return _envelope(request, request.kept.get(name, "") if name else "", request.kept)


def _polled(request: Request) -> Envelope:
    name = FEED_HEADER.lower()
    feed = {name: request.headers[name]} if name in request.headers else {}
    return _envelope(request, make_envelope(request).key, feed)


def _envelope(request: Request, key: str, headers: Mapping[str, str]) -> Envelope:
    return Envelope(
        request.id, request.arrived_ms, request.source.name, request.ip, request.body, key, headers
    )


def is_handshake(answer: Answer) -> bool:
    """Tell the answer to a handshake from a refusal."""
    return answer.verdict is Verdict.HANDSHAKE
