"""For how long the deduplication table remembers the events of an archived request."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.event.fields import as_text, find

if TYPE_CHECKING:
    from pipeline.event.compiled_source import Catalog
    from pipeline.event.envelope import Envelope
    from pipeline.event.fields import FieldPath


@dataclass(frozen=True)
class DeduplicationWindow:
    """How long a source's events are remembered: by their ids, or by their bodies without one.

    Parameters
    ----------
    ids, bodies : float
        In seconds.
    header : str | None
        The delivery id's header, in lower case.
    needed, optional : tuple[FieldPath, ...]
        Where each event has parts of its id, and where it has one at least.
    split : FieldPath | None
        Where a request has its events.
    """

    ids: float = 0.0
    bodies: float = 0.0
    header: str | None = None
    needed: tuple[FieldPath, ...] = ()
    optional: tuple[FieldPath, ...] = ()
    split: FieldPath | None = None

    def forgets(self, envelope: Envelope, age: float) -> bool:
        """Tell whether one of a request's events is forgotten when it is so many seconds old."""
        if age >= self.ids or (not self.header and not self.needed and not self.optional):
            return age >= min(self.ids, self.bodies)
        return age >= self.bodies and not self._has_ids(envelope)

    def _has_ids(self, envelope: Envelope) -> bool:
        if self.header:
            return bool(envelope.headers.get(self.header))
        try:
            document = json.loads(envelope.body)
        except (ValueError, RecursionError):
            return False
        found = document if self.split is None else find(document, self.split)
        elements = found if self.split is not None and isinstance(found, list) else [found]
        return all(map(self._has_id, elements))

    def _has_id(self, element: Any) -> bool:
        def has(path: FieldPath) -> bool:
            return as_text(find(element, path)) != ""

        return all(map(has, self.needed)) and (not self.optional or any(map(has, self.optional)))


def windows_of_catalog(catalog: Catalog) -> dict[str, DeduplicationWindow]:
    """Return the windows of a deployment's sources, by name."""
    windows = {}
    for name, source in catalog.sources.items():
        paths, needed = source.delivery_id_paths, source.delivery_id_needed
        windows[name] = DeduplicationWindow(
            ids=float(source.deduplication_seconds),
            bodies=float(source.body_hash_seconds),
            header=source.delivery_id_header,
            needed=tuple(paths[place] for place in range(needed)),
            optional=tuple(paths[place] for place in range(needed, len(paths))),
            split=source.split,
        )
    return windows
