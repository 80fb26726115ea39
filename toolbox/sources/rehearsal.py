"""Takes requests the way that the pipeline takes them, in this process and with no service."""

from __future__ import annotations

import importlib
import secrets
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from pipeline.aws.limits import RECORD_BYTES
from pipeline.event.compiled_source import Catalog, load_catalog
from pipeline.event.envelope import (
    KEY_PREFIX_CHARACTERS,
    Envelope,
    encode_envelope,
    partition_key,
)
from pipeline.event.events import Event, Outcomes, Record, delivered
from pipeline.event.mozdef_event import write_message
from pipeline.event.outcomes import OutcomeKind, Verdict
from pipeline.event.steps import examine
from pipeline.receiving.answers import Answer, denied
from pipeline.runtime.secret_store import SecretStore
from toolbox.sources.checking_door import Decision, Door

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pipeline.event.events import Outcome
    from settings.source.loader import LoadedSource
    from toolbox.sources.samples import LoadedSample, SampleRequest

#: An address of the documentation range (RFC 5737) stands for the sender's.
SENDER = "192.0.2.1"


@contextmanager
def compiled(sources: Mapping[str, LoadedSource], *, check: bool = True) -> Iterator[Catalog]:
    """Compile sources as the build does; the catalogue serves as long as the context lasts.

    Parameters
    ----------
    check : bool
        Compare the validators with another judge's; not needed where that was done.
    """
    from settings.source.compiler import write_compiled_catalog

    package = f"compiled_for_check_{secrets.token_hex(8)}"
    with TemporaryDirectory() as directory:
        write_compiled_catalog(sources, Path(directory), package, check=check)
        sys.path.insert(0, directory)
        importlib.invalidate_caches()
        try:
            yield load_catalog(package)
        finally:
            sys.path.remove(directory)
            for name in [name for name in sys.modules if name.partition(".")[0] == package]:
                del sys.modules[name]


def make_secret() -> str:
    """Make a throw-away secret that serves as text, as hex and as base64."""
    return secrets.token_hex(24)


@dataclass(frozen=True)
class Ending:
    """How a request ended.

    Parameters
    ----------
    door : Decision
        The front door's answer, or the envelope that was put on the stream.
    outcomes : tuple[Outcome, ...]
        One for each event; none where nothing was put on the stream.
    """

    door: Decision
    outcomes: tuple[Outcome, ...] = ()

    @property
    def accepted(self) -> bool:
        """Whether the sender's request did what it was sent for: nothing of it was turned away."""
        if isinstance(self.door, Answer):
            return self.door.verdict is Verdict.HANDSHAKE
        return all(
            one.kind in {OutcomeKind.DELIVERED, OutcomeKind.IGNORED} for one in self.outcomes
        )

    @property
    def delivered(self) -> list[Event]:
        """The events that reached the queue."""
        return [
            one.event
            for one in self.outcomes
            if one.kind is OutcomeKind.DELIVERED and isinstance(one.event, Event)
        ]


class Rehearsal:
    """The front door and the steps of the fan-out, with secrets of its own.

    Parameters
    ----------
    known_secrets : tuple[str, ...]
        The current secret of each source, and the previous one after it.
    now : float | None
        Epoch seconds; the time of this machine when None.
    fetched : Mapping[str, bytes] | None
        What is at the addresses of public keys.
    """

    def __init__(
        self,
        sources: Mapping[str, LoadedSource],
        catalog: Catalog,
        known_secrets: tuple[str, ...],
        *,
        now: float | None = None,
        fetched: Mapping[str, bytes] | None = None,
    ) -> None:
        self._sources = sources
        self._catalog = catalog
        self.secrets = known_secrets
        self.now = time.time() if now is None else now
        keys = _Fetched(fetched or {})
        self._store = SecretStore(_Parameters(known_secrets), "check", "check", keys=keys)

    def play(self, sample: LoadedSample) -> Ending:
        """Take a sample's request: as it was sent, or signed here as the sample says."""
        if sample.settings.as_sent is not None:
            return self.play_as_sent(sample)
        request = sample.request(self.secrets, self.now)
        return self.take(sample.source.name, request, sample.name)

    def play_as_sent(
        self,
        sample: LoadedSample,
        *,
        secrets_instead: tuple[str, ...] | None = None,
        fetched_instead: Mapping[str, bytes] | None = None,
        body: bytes | None = None,
    ) -> Ending:
        """Take what somebody else signed, at its time and with its secrets.

        Parameters
        ----------
        secrets_instead : tuple[str, ...] | None
            Others than those that it was signed with.
        fetched_instead : Mapping[str, bytes] | None
            Other keys at the addresses of the sender's.
        body : bytes | None
            Another body than was signed.
        """
        sent = sample.settings.as_sent
        if sent is None:
            raise AssertionError("the sample is signed here")
        known = sent.secrets if secrets_instead is None else secrets_instead
        at = sent.at.timestamp()
        fetched = sample.fetched if fetched_instead is None else fetched_instead
        own = Rehearsal(self._sources, self._catalog, known, now=at, fetched=fetched)
        return own.take(sample.source.name, sample.as_sent(body), sample.name)

    def take(self, source: str, request: SampleRequest, name: str) -> Ending:
        """Take a request the whole way, but for the memory of duplicates and the queue."""
        compiled_source = self._catalog.sources[source]
        sender = _allowed_address(compiled_source.allowed_networks)
        door = Door(self._sources[source], compiled_source, self._store)
        decision = door.take(request, name, int(self.now * 1000), sender)
        if not isinstance(decision, Envelope):
            return Ending(decision)
        data = encode_envelope(decision)
        direct = decision.key and self._sources[source].settings.ingest == "direct"
        prefix = KEY_PREFIX_CHARACTERS if direct else 0
        if len(data) + prefix + len(partition_key(decision)) > RECORD_BYTES:
            return Ending(denied(413, "too_large", f"The record would have {len(data):,} bytes."))
        record = Record("1", "shardId-000000000000", self.now, data)
        outcomes = Outcomes()
        events = examine([record], outcomes, self._catalog, self._store.of)
        events = outcomes.each(events, write_message)
        outcomes.add(delivered(event) for event in events)
        return Ending(decision, tuple(outcomes.all))


class _Fetched:
    """Stands for the network: each address has what a sample says."""

    def __init__(self, documents: Mapping[str, bytes]) -> None:
        self._documents = documents

    def at(self, address: str, *, refresh: bool = False, named: bool = True) -> tuple[bytes, ...]:  # noqa: ARG002
        found = self._documents.get(address)
        return () if found is None else (found,)


class _Parameters:
    """Stands for SSM: each parameter holds the same values."""

    def __init__(self, values: tuple[str, ...]) -> None:
        self._value = "\n".join(values)

    def get_parameter(self, *, Name: str, WithDecryption: bool) -> dict[str, Any]:  # noqa: ARG002, N803
        return {"Parameter": {"Value": self._value}}


def _allowed_address(networks: tuple[str, ...]) -> str:
    """Return an address of the sender that the source lets in."""
    return networks[0].partition("/")[0] if networks else SENDER
