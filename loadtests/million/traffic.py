"""The mix of the million: which requests are made, and how many of each."""

from __future__ import annotations

import itertools
import random
from collections import Counter, deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import orjson

from loadtests.load.stage import SMALL
from loadtests.million import contents
from loadtests.million.stage import INVENTORY
from loadtests.soak.requests import RequestKind, SoakRequest
from loadtests.soak.saboteur import HANG, POISON

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_COPIES_OF_LATEST = 200
#: Events in a request that carries several: Okta gathers, Logpush uploads a file of lines.
_OKTA_EVENTS, _LOGPUSH_EVENTS = (20, 60), (30, 90)
#: Of a thousand requests.
SHARES = {
    RequestKind.SMALL: 330,
    RequestKind.REAL: 290,
    RequestKind.GENERIC: 90,
    RequestKind.BATCH: 85,
    RequestKind.LINES: 50,
    RequestKind.COPY: 55,
    RequestKind.FORGED: 30,
    RequestKind.BROKEN: 20,
    RequestKind.WRONG: 10,
    RequestKind.DENIED: 10,
    RequestKind.FORMER: 30,
}
_LEVELS = {RequestKind.FORMER: "low", RequestKind.OUTDATED: "low", RequestKind.PRESENT: 3}


def events_of_a_request() -> float:
    """Return how many events an average request carries."""
    several = {RequestKind.BATCH: _OKTA_EVENTS, RequestKind.LINES: _LOGPUSH_EVENTS}
    total = sum(share * sum(several.get(kind, (1, 1))) / 2 for kind, share in SHARES.items())
    return total / sum(SHARES.values())


@dataclass
class Senderside:
    """What the senders know, and what changes for them during a run.

    Parameters
    ----------
    secrets : dict[str, str]
        By source.
    numbers : bool
        Whether the deployment that wants levels as numbers is through.
    rotated : bool
        Whether GitHub signs with the new secret.
    """

    secrets: dict[str, str]
    numbers: bool = False
    rotated: bool = False


class MillionTraffic:
    """Makes requests; the same seed makes the same ones, copies excepted."""

    def __init__(self, senders: Senderside, seed: int) -> None:
        self._senders = senders
        self._seed = seed
        self._dice = random.Random(f"million-{seed}")  # noqa: S311 - to be repeated
        self._number = 0
        self._real = itertools.cycle(contents.real_github())
        self._copied: deque[SoakRequest] = deque(maxlen=_COPIES_OF_LATEST)
        self.signed_anew = 0
        self._makers: Mapping[RequestKind, Callable[[str], SoakRequest]] = {
            RequestKind.SMALL: self._small,
            RequestKind.REAL: self._github,
            RequestKind.GENERIC: self._generic,
            RequestKind.BATCH: self._hook,
            RequestKind.LINES: self._lines,
        }

    def next(self) -> SoakRequest:
        """Make the next request of the mix."""
        kind = self._dice.choices(list(SHARES), list(SHARES.values()))[0]
        if kind is RequestKind.COPY:
            if not self._copied:
                return self.make(RequestKind.REAL)
            return replace(self._dice.choice(self._copied), kind=kind)
        if kind is RequestKind.FORMER and self._senders.numbers:
            kind = self._dice.choice([RequestKind.OUTDATED, RequestKind.PRESENT])
        return self.make(kind)

    def may_be_copied(self, sent: SoakRequest) -> None:
        """Say that a request was made, whatever came of it: senders send such ones again."""
        if sent.kind is RequestKind.REAL:
            self._copied.append(sent)

    def make(self, kind: RequestKind) -> SoakRequest:
        """Make a request of a kind other than a copy."""
        self._number += 1
        token = f"soak-{self._seed}-{self._number}"
        if maker := self._makers.get(kind):
            return maker(token)
        if kind in _LEVELS:
            body = orjson.dumps({"n": token, "level": _LEVELS[kind]})
            headers = contents.token_headers(f"Bearer {self._senders.secrets[INVENTORY]}")
            return SoakRequest(kind, token, INVENTORY, headers, body)
        return self._bad(kind, token)

    def _small(self, token: str) -> SoakRequest:
        body = contents.ZOOM.cast(token)
        headers = contents.zoom_headers(self._senders.secrets[SMALL], body)
        return SoakRequest(RequestKind.SMALL, token, SMALL, headers, body)

    def _github(self, token: str) -> SoakRequest:
        event, body = next(self._real)
        body = contents.with_token(body, token)
        self.signed_anew += self._senders.rotated
        return self._signed(RequestKind.REAL, token, event, body)

    def _generic(self, token: str) -> SoakRequest:
        headers = contents.token_headers(self._senders.secrets["generic"])
        body = contents.GENERIC.cast(token)
        return SoakRequest(RequestKind.GENERIC, token, "generic", headers, body)

    def _hook(self, token: str) -> SoakRequest:
        count = self._dice.randint(*_OKTA_EVENTS)
        body = contents.okta_hook(contents.OKTA.cast(f"{token}.{n}") for n in range(count))
        headers = contents.token_headers(self._senders.secrets["okta"])
        return SoakRequest(RequestKind.BATCH, token, "okta", headers, body, count)

    def _lines(self, token: str) -> SoakRequest:
        count = self._dice.randint(*_LOGPUSH_EVENTS)
        body = b"\n".join(contents.CLOUDFLARE.cast(f"{token}.{n}") for n in range(count)) + b"\n"
        source = "cloudflare-logpush"
        headers = contents.token_headers(self._senders.secrets[source], "X-Logpush-Token")
        return SoakRequest(RequestKind.LINES, token, source, headers, body, count)

    def _bad(self, kind: RequestKind, token: str) -> SoakRequest:
        if kind is RequestKind.DENIED:
            headers = contents.token_headers("not the token")
            body = contents.GENERIC.cast(token)
            return SoakRequest(kind, token, "generic", headers, body)
        marker = {RequestKind.POISON: POISON, RequestKind.HANG: HANG}.get(kind, b"").decode()
        body = orjson.dumps({"n": token, "marker": marker})
        event = "watch"
        if kind is RequestKind.BROKEN:
            body = body[:-1] + self._dice.choice([b"", b" \xff\xfe}\r\n", b",}", b"\x00"])
        elif kind is RequestKind.WRONG:
            event, body = "push", orjson.dumps({"n": token, "ref": 1})
        return self._signed(kind, token, event, body)

    def _signed(self, kind: RequestKind, token: str, event: str, body: bytes) -> SoakRequest:
        secret = self._senders.secrets["github"]
        secret = f"not {secret}" if kind is RequestKind.FORGED else secret
        headers = contents.github_headers(secret, event, token, body)
        return SoakRequest(kind, token, "github", headers, body)


class EventCounts:
    """How many requests and events were accepted, by kind."""

    def __init__(self) -> None:
        self.requests: Counter[str] = Counter()
        self.events: Counter[str] = Counter()

    def add(self, sent: SoakRequest) -> None:
        """Count one that was accepted."""
        self.requests[sent.kind] += 1
        self.events[sent.kind] += sent.events
