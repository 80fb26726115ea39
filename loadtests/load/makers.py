"""What the requests of a load test hold: samples, real GitHub payloads, events of 1 KB."""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING, Protocol

import orjson

from loadtests.fresh import Fresh, deliverable, fresh_request, new_token
from loadtests.target import NoTargetError
from toolbox.sources.samples import SampleRequest, authenticate, make_distinct
from toolbox.traffic.examples import real_payloads

if TYPE_CHECKING:
    from collections.abc import Mapping

    from settings.source.loader import LoadedSource

SMALL_BYTES = 1_024
_TYPE = {"Content-Type": "application/json"}
_SMALL_EVENT = "meeting.participant_joined"


class Maker(Protocol):
    """Makes requests of one kind."""

    def make(self, *, forged: bool) -> Fresh:
        """Make the next one, signed; with another secret where it is to be forged."""


class Samples:
    """The source's samples in turn, each made an event of its own."""

    def __init__(self, source: LoadedSource, secret: str) -> None:
        self._samples = itertools.cycle(deliverable(source))
        self._secret = secret

    def make(self, *, forged: bool) -> Fresh:
        """Make the next request."""
        return fresh_request(next(self._samples), self._secret, forged=forged)


class RealPayloads:
    """The payloads of @octokit/webhooks-examples in turn; pings, which are ignored, left out."""

    def __init__(self, source: LoadedSource, secret: str) -> None:
        if source.name != "github":
            raise NoTargetError(
                f"--mix: {source.name}:real: there are real payloads of github alone"
            )
        self._source, self._secret = source, secret
        bodies = [(name, orjson.dumps(one)) for name, one in real_payloads() if name != "ping"]
        self._bodies = itertools.cycle(bodies)

    def make(self, *, forged: bool) -> Fresh:
        """Make the next request."""
        name, body = next(self._bodies)
        body = make_distinct(body)
        secret = f"not {self._secret}" if forged else self._secret
        proof = authenticate(self._source, secret, body, now=time.time())
        token = new_token()
        headers = {**_TYPE, "User-Agent": "GitHub-Hookshot/load", "X-GitHub-Event": name, **proof}
        request = SampleRequest({**headers, "X-GitHub-Delivery": str(token)}, body)
        return Fresh(request, renewed=True, events=1, token=token.hex)


class Small:
    """Zoom's event of a participant who joined, with as much text as makes it 1 KB."""

    def __init__(self, source: LoadedSource, secret: str) -> None:
        bodies = [
            sample.body
            for sample in deliverable(source)
            if sample.body.startswith(b"{") and _SMALL_EVENT.encode() in sample.body
        ]
        if not bodies:
            raise NoTargetError(f"--mix: {source.name}:small: no sample of {_SMALL_EVENT}")
        self._source, self._secret = source, secret
        mark = new_token().hex
        document = orjson.loads(bodies[0])
        participant = document["payload"]["object"]["participant"]
        participant |= {"id": mark, "note": ""}
        participant["note"] = "n" * (SMALL_BYTES - len(orjson.dumps(document)))
        self._before, self._after = orjson.dumps(document).split(mark.encode())

    def make(self, *, forged: bool) -> Fresh:
        """Make the next request."""
        token = new_token().hex
        body = b"".join((self._before, token.encode(), self._after))
        secret = f"not {self._secret}" if forged else self._secret
        proof = authenticate(self._source, secret, body, now=time.time())
        return Fresh(SampleRequest({**_TYPE, **proof}, body), renewed=True, events=1, token=token)


CONTENTS: dict[str, type[Samples | RealPayloads | Small]] = {
    "samples": Samples,
    "real": RealPayloads,
    "small": Small,
}
"""What may stand after a source's name in the mix."""


def maker_of(entry: str, sources: Mapping[str, LoadedSource], secret: str) -> Maker:
    """Return the maker of an entry of the mix.

    Parameters
    ----------
    entry : str
        The source's name, and after a colon what its requests hold: one of `CONTENTS`.
    sources : Mapping[str, LoadedSource]
        By name.

    Raises
    ------
    PipelineError
        When the source has nothing of this kind.
    """
    name, _, contents = entry.partition(":")
    return CONTENTS[contents or "samples"](sources[name], secret)
