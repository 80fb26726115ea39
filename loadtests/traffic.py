"""What a load test sends: which source's turn it is, copies, and requests that must be refused."""

from __future__ import annotations

import itertools
import random
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from loadtests.fresh import deliverable, fresh_request
from loadtests.target import TargetError
from pipeline.sources.model import TokenAuthentication

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from loadtests.target import Target
    from pipeline.sources.loader import LoadedSource
    from pipeline.sources.samples import LoadedSample, Request

Kind = Literal["event", "copy", "bad"]
_COPIES_OF_LATEST = 100


@dataclass(frozen=True)
class Sent:
    """A request, and what the front door has to answer."""

    source: str
    kind: Kind
    request: Request
    statuses: tuple[int, ...]

    @property
    def label(self) -> str:
        """Under which name it is counted."""
        return f"/{self.source}" if self.kind == "event" else f"/{self.source} ({self.kind})"


def parse_mix(text: str, known: Sequence[str]) -> dict[str, float]:
    """Read the mix of sources, `github=3,generic=1`; nothing means the same of each.

    Parameters
    ----------
    text : str
        The option.
    known : Sequence[str]
        The sources that there are.

    Raises
    ------
    TargetError
        When it names a source that is not there, or is no mix.
    """
    if not text:
        return dict.fromkeys(known, 1.0)
    mix = {}
    for part in text.split(","):
        name, _, weight = part.strip().partition("=")
        if name not in known:
            raise TargetError(f"--mix: {name!r}: no such source; there are {', '.join(known)}")
        try:
            mix[name] = float(weight or 1)
        except ValueError:
            raise TargetError(f"--mix: {part!r}: expected name=weight") from None
        if not 0 < mix[name] < float("inf"):
            raise TargetError(f"--mix: {part!r}: expected a weight above 0")
    return mix


class Traffic:
    """Gives one request after the other.

    Parameters
    ----------
    target : Target
        Where they are sent.
    mix : Mapping[str, float]
        Source to weight.
    duplicates, bad_requests : float
        The shares of copies, and of requests with a wrong signature or token.
    """

    def __init__(
        self, target: Target, mix: Mapping[str, float], *, duplicates: float, bad_requests: float
    ) -> None:
        self._target = target
        self._names, self._weights = list(mix), list(mix.values())
        self._samples: dict[str, Iterator[LoadedSample]] = {
            name: itertools.cycle(deliverable(target.sources[name])) for name in mix
        }
        self._latest: dict[str, deque[Request]] = {
            name: deque(maxlen=_COPIES_OF_LATEST) for name in mix
        }
        self._duplicates, self._bad = duplicates, bad_requests
        # Its own generator: the requests are no secret, and a test may want them again.
        self._random = random.Random()  # noqa: S311

    def next(self) -> Sent:
        """Give the next request, signed now."""
        (name,) = self._random.choices(self._names, self._weights)
        dice = self._random.random()
        source = self._target.sources[name]
        if dice < self._duplicates and self._latest[name]:
            copy = self._random.choice(self._latest[name])
            return Sent(name, "copy", copy, _taken(source))
        bad = dice >= 1 - self._bad
        fresh = fresh_request(next(self._samples[name]), self._target.secrets[name], forged=bad)
        if bad:
            return Sent(name, "bad", fresh.request, _refused(source))
        self._latest[name].append(fresh.request)
        return Sent(name, "event", fresh.request, _taken(source))


def _taken(source: LoadedSource) -> tuple[int, ...]:
    return (403,) if source.settings.allowed_networks else (200, 204)


def _refused(source: LoadedSource) -> tuple[int, ...]:
    """Give what a bad request is answered: a signature is checked behind the door, if direct."""
    settings = source.settings
    token = isinstance(settings.authentication, TokenAuthentication)
    if token or settings.ingest == "receiver":
        return (401, 403)
    return _taken(source)
