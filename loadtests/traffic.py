"""What a load test sends: which source's turn it is, copies, and requests that must be refused."""

from __future__ import annotations

import itertools
import random
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from loadtests.load.makers import CONTENTS, maker_of
from loadtests.target import NoTargetError
from settings.source.admission import AT_THE_DOOR

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from loadtests.fresh import Fresh
    from loadtests.target import TargetUnderTest
    from settings.source.loader import LoadedSource
    from toolbox.sources.samples import SampleRequest

Kind = Literal["event", "copy", "bad"]
_COPIES_OF_LATEST = 100


@dataclass(frozen=True)
class TrafficRequest:
    """A request, and what the front door has to answer; token and events are those of `Fresh`."""

    source: str
    kind: Kind
    request: SampleRequest
    statuses: tuple[int, ...]
    token: str = ""
    events: int = 1

    @property
    def label(self) -> str:
        """Under which name it is counted."""
        return f"/{self.source}" if self.kind == "event" else f"/{self.source} ({self.kind})"


def parse_mix(text: str, known: Sequence[str]) -> dict[str, float]:
    """Read the mix, `github=3,generic=1`; nothing means the same of each source.

    A source's requests are made of its samples, unless a colon and a word say otherwise:
    `github:real`, `zoom:small`; see `loadtests.load.makers`.

    Raises
    ------
    NoTargetError
        When it names a source that is not there, or is no mix.
    """
    if not text:
        return dict.fromkeys(known, 1.0)
    mix = {}
    for part in text.split(","):
        name, _, weight = part.strip().partition("=")
        source, _, contents = name.partition(":")
        if source not in known:
            raise NoTargetError(f"--mix: {source!r}: no such source; there are {', '.join(known)}")
        if contents and contents not in CONTENTS:
            raise NoTargetError(f"--mix: {part!r}: expected one of {', '.join(CONTENTS)} after ':'")
        try:
            mix[name] = float(weight or 1)
        except ValueError:
            raise NoTargetError(f"--mix: {part!r}: expected name=weight") from None
        if not 0 < mix[name] < float("inf"):
            raise NoTargetError(f"--mix: {part!r}: expected a weight above 0")
    return mix


class Traffic:
    """Gives one request after the other.

    Parameters
    ----------
    target : TargetUnderTest
        Where they are sent.
    mix : Mapping[str, float]
        What `parse_mix` gives.
    duplicates, bad_requests : float
        The shares of copies, and of requests with a wrong signature or token.
    """

    def __init__(
        self,
        target: TargetUnderTest,
        mix: Mapping[str, float],
        *,
        duplicates: float,
        bad_requests: float,
    ) -> None:
        self._target = target
        self._names, self._limits = list(mix), list(itertools.accumulate(mix.values()))
        self._makers = {
            name: maker_of(name, target.sources, target.secrets[name.partition(":")[0]])
            for name in mix
        }
        self._latest: dict[str, deque[Fresh]] = {
            name: deque(maxlen=_COPIES_OF_LATEST) for name in mix
        }
        self._duplicates, self._bad = duplicates, bad_requests
        # Its own generator: the requests are no secret, and a test may want them again.
        self._random = random.Random()  # noqa: S311

    def next(self) -> TrafficRequest:
        """Return the next request, signed now."""
        (name,) = self._random.choices(self._names, cum_weights=self._limits)
        dice = self._random.random()
        source = self._target.sources[name.partition(":")[0]]
        if dice < self._duplicates and self._latest[name]:
            copy = self._random.choice(self._latest[name])
            taken = _taken(source)
            return TrafficRequest(source.name, "copy", copy.request, taken, copy.token, copy.events)
        bad = dice >= 1 - self._bad
        fresh = self._makers[name].make(forged=bad)
        request, token, events = fresh.request, fresh.token, fresh.events
        if bad:
            return TrafficRequest(source.name, "bad", request, _refused(source), token, events)
        if self._duplicates:
            self._latest[name].append(fresh)
        return TrafficRequest(source.name, "event", request, _taken(source), token, events)


def _taken(source: LoadedSource) -> tuple[int, ...]:
    return (403,) if source.settings.allowed_networks else (200, 204)


def _refused(source: LoadedSource) -> tuple[int, ...]:
    """Return what a bad request is answered: a signature is checked behind the door, if direct."""
    settings = source.settings
    if settings.proof in AT_THE_DOOR or settings.ingest == "receiver":
        return (401, 403)
    return _taken(source)
