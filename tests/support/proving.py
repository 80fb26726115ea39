"""Private sources with proofs of their own, taken the whole way in this process."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import yaml

from pipeline.event.envelope import Envelope
from pipeline.event.signatures import find_fault
from pipeline.receiving.answers import Answer
from settings.source.loader import load_source
from toolbox.sources.rehearsal import Rehearsal, compiled
from toolbox.sources.samples import SampleRequest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pipeline.event.compiled_source import CompiledSource
    from pipeline.event.outcomes import Reason
    from pipeline.event.secrets import SecretsOf
    from settings.source.loader import LoadedSource


def written(folder: Path, name: str, **settings: Any) -> LoadedSource:
    """A private source with these settings."""
    document = {"version": 1, "title": name, **settings}
    (folder / name).mkdir(parents=True)
    (folder / name / "source.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    return load_source(folder / name)


class Proving:
    """Sources of one module's tests, compiled once."""

    def __init__(self, folder: Path, stack: ExitStack, sources: Mapping[str, Any]) -> None:
        self.loaded = {
            name: written(folder, name, **settings) for name, settings in sources.items()
        }
        self.catalog = stack.enter_context(compiled(self.loaded))

    def source(self, name: str) -> CompiledSource:
        return self.catalog.sources[name]

    def fault(
        self,
        name: str,
        secrets_of: SecretsOf,
        headers: Mapping[str, str],
        body: bytes,
        at: float | None = None,
    ) -> Reason | None:
        """What the pipeline says of a request's proof."""
        lower = {key.lower(): value for key, value in headers.items()}
        arrived_ms = int((time.time() if at is None else at) * 1000)
        found = find_fault(self.source(name), secrets_of, lower, body, arrived_ms)
        return found[0] if found else None

    def whole(
        self,
        name: str,
        secrets: tuple[str, ...],
        headers: Mapping[str, str],
        body: bytes,
        at: float | None = None,
    ) -> tuple[str, list[bytes]]:
        """How a request ends on its whole way, and the messages that MozDef gets of it."""
        rehearsal = Rehearsal(self.loaded, self.catalog, secrets, now=at)
        request = SampleRequest({"Content-Type": "application/json", **headers}, body)
        ending = rehearsal.take(name, request, "r-1")
        if isinstance(ending.door, Answer):
            return str(ending.door.status), []
        assert isinstance(ending.door, Envelope)
        said = {str(one.reason or one.kind) for one in ending.outcomes}
        return " ".join(sorted(said)), [event.message for event in ending.delivered]
