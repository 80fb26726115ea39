"""The requests of a soak run: each with an id of its own that can be found again everywhere."""

from __future__ import annotations

import random
import time
from collections import Counter, deque
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import orjson

from loadtests.soak.saboteur import HANG, POISON
from toolbox.sources.samples import authenticate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from settings.source.loader import LoadedSource

_COPIES_OF_LATEST = 200
_MOST_EVENTS = 5


class RequestKind(StrEnum):
    """What a request is, and so what may become of it."""

    GENERIC = "generic"
    GITHUB = "github"
    BATCH = "batch"
    SMALL = "1 KB"
    REAL = "real GitHub"
    LINES = "lines of JSON"
    POLLED = "polled"
    FORMER = "by the former schema"
    PRESENT = "by the present schema"
    OUTDATED = "by the former schema, too late"
    COPY = "copy"
    FORGED = "forged"
    BROKEN = "broken JSON"
    WRONG = "wrong schema"
    DENIED = "wrong token"
    POISON = "poison"
    HANG = "hang"


_SHARES = {
    RequestKind.GENERIC: 38,
    RequestKind.GITHUB: 38,
    RequestKind.BATCH: 4,
    RequestKind.COPY: 8,
    RequestKind.FORGED: 4,
    RequestKind.BROKEN: 4,
    RequestKind.WRONG: 2,
    RequestKind.DENIED: 2,
}


@dataclass(frozen=True)
class SoakRequest:
    """One request. A copy has the token of what it copies.

    Each event of a batch has a token of its own: the request's, a dot and its number.

    Parameters
    ----------
    events : int
        How many events are in it.
    """

    kind: RequestKind
    token: str
    source: str
    headers: Mapping[str, str]
    body: bytes
    events: int = 1


def bad_requests(accepted: Counter[str]) -> Counter[str]:
    """Return how many of each fault of senders were accepted.

    Parameters
    ----------
    accepted : Counter[str]
        By kind.
    """
    return Counter(
        {
            "bad_signature": accepted[RequestKind.FORGED],
            "broken_json": accepted[RequestKind.BROKEN],
            "wrong_schema": accepted[RequestKind.WRONG] + accepted[RequestKind.OUTDATED],
            "copy": accepted[RequestKind.COPY],
            "poison_record": accepted[RequestKind.POISON],
            "hanging_record": accepted[RequestKind.HANG],
        }
    )


class Requests:
    """Makes requests.

    The same seed makes the same ones in the same order, copies excepted: those depend on what was
    answered by then.

    Parameters
    ----------
    sources : Mapping[str, LoadedSource]
        `generic`, `github` and `okta`, whose requests carry several events.
    """

    def __init__(
        self, sources: Mapping[str, LoadedSource], secrets: Mapping[str, str], seed: int
    ) -> None:
        self._sources = sources
        self._secrets = secrets
        self._seed = seed
        self._dice = random.Random(f"requests-{seed}")  # noqa: S311 - to be repeated
        self._number = 0
        self._copied: deque[SoakRequest] = deque(maxlen=_COPIES_OF_LATEST)

    def next(self) -> SoakRequest:
        """Make the next request of the mix."""
        kind = self._dice.choices(list(_SHARES), list(_SHARES.values()))[0]
        if kind is RequestKind.COPY:
            if not self._copied:
                return self.make(RequestKind.GITHUB)
            copied = self._dice.choice(self._copied)
            return SoakRequest(kind, copied.token, copied.source, copied.headers, copied.body)
        return self.make(kind)

    def may_be_copied(self, sent: SoakRequest) -> None:
        """Say that a request was made, whatever came of it: senders send such ones again."""
        if sent.kind is RequestKind.GITHUB:
            self._copied.append(sent)

    def make(self, kind: RequestKind) -> SoakRequest:
        """Make a request of a kind other than a copy."""
        self._number += 1
        token = f"soak-{self._seed}-{self._number}"
        generic = kind in {RequestKind.GENERIC, RequestKind.DENIED} or (
            kind in {RequestKind.BROKEN, RequestKind.POISON, RequestKind.HANG}
            and self._dice.random() < 0.5
        )
        source = "generic" if generic else "okta" if kind is RequestKind.BATCH else "github"
        events = self._dice.randint(1, _MOST_EVENTS) if kind is RequestKind.BATCH else 1
        body = self._body(kind, token, events)
        secret = self._secrets[source]
        if kind in {RequestKind.FORGED, RequestKind.DENIED}:
            secret = f"not {secret}"
        headers = {"Content-Type": "application/json"}
        if source == "github":
            event = "push" if kind is RequestKind.WRONG else "watch"
            headers |= {"X-GitHub-Event": event, "X-GitHub-Delivery": token}
        headers |= authenticate(self._sources[source], secret, body, now=time.time())
        return SoakRequest(kind, token, source, headers, body, events)

    def _body(self, kind: RequestKind, token: str, events: int) -> bytes:
        filling = "é" * int(self._dice.expovariate(1 / 300))
        if kind is RequestKind.BATCH:
            return orjson.dumps({"data": {"events": self._events(token, filling, events)}})
        marker = {RequestKind.POISON: POISON, RequestKind.HANG: HANG}.get(kind, b"").decode()
        body = orjson.dumps({"n": token, "marker": marker, "filling": filling[:2000]})
        if kind is RequestKind.WRONG:
            return orjson.dumps({"n": token, "ref": 1})
        if kind is RequestKind.BROKEN:
            # Also bytes that are no UTF-8, with white space at the end: kept as they are.
            return body[:-1] + self._dice.choice([b"", b" \xff\xfe}\r\n", b",}", b"\x00"])
        return body

    def _events(self, token: str, filling: str, count: int) -> list[dict[str, Any]]:
        return [
            {
                "uuid": f"{token}.{number}",
                "published": "2026-01-01T00:00:00.000Z",
                "eventType": "soak.event",
                "actor": {"id": "soak"},
                "displayMessage": filling[:500],
            }
            for number in range(count)
        ]
