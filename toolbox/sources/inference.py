"""Infers from samples of a sender's events what a source's settings and schemas could be.

Samples are untrusted, and whatever JSON they hold must give something that works. What cannot be
told for sure is left out: a field that is not mentioned is accepted.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from pipeline.event.fields import as_text, find, path_of
from toolbox.sources.inference_fields import find_fields
from toolbox.sources.inference_find import (
    MOST_TYPES,
    Found,
    InferenceError,
    find_event_type,
    find_split,
    find_summary,
    find_timestamps,
)
from toolbox.sources.inference_identity import IdentityFound, find_identity_of_events
from toolbox.sources.inference_rules import propose_rules
from toolbox.sources.inference_schema import infer_schema, required_paths

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Found", "InferenceError", "Proposal", "infer", "parse_sample"]

LARGEST_SAMPLE = 1_000_000
DEEPEST_SAMPLE = 100
MOST_EVENTS = 10_000


@dataclass(frozen=True)
class Proposal:
    """What the samples say about a source.

    Parameters
    ----------
    split : str | None
        Where the list of events is, where a request carries many.
    event_counts : tuple[int, ...]
        How many events each sample holds.
    event_type : Found | None
        None where nothing of the kind was found, or a header says it.
    timestamps : tuple[Found, ...]
        One that every event has, or one for each type that has one.
    identity : IdentityFound
        What tells one event from another, and what could where the samples prove nothing.
    summary : tuple[str, ...]
        Paths of texts that say what happened; of several in one (`a|b`) each type has another.
    fields : Mapping[str, Any]
        Where MozDef's fields of `details` are, as `mozdef.fields` has them.
    rules : Sequence[Mapping[str, Any]]
        What is changed in the body for MozDef's index, as `mozdef.rules` has it.
    schemas : Mapping[str, dict[str, Any]]
        A schema for each event type; empty where the default serves them all.
    default_schema : dict[str, Any]
        The schema of every other event.
    """

    split: str | None
    event_counts: tuple[int, ...]
    event_type: Found | None = None
    timestamps: tuple[Found, ...] = ()
    identity: IdentityFound = field(default_factory=IdentityFound)
    summary: tuple[str, ...] = ()
    fields: Mapping[str, Any] = field(default_factory=dict)
    rules: Sequence[Mapping[str, Any]] = ()
    schemas: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    default_schema: dict[str, Any] = field(default_factory=dict)

    @property
    def delivery_id(self) -> Found | None:
        """What the samples prove to tell one event from another."""
        return self.identity.proven

    @property
    def timestamp(self) -> Found | None:
        """When an event happened, or the first of several places of that."""
        return self.timestamps[0] if self.timestamps else None


def parse_sample(name: str, content: bytes) -> Any:
    """Parse a sample as the pipeline parses a body.

    Raises
    ------
    InferenceError
        When the pipeline would reject it, or it is too large or too deep to learn from.
    """
    if len(content) > LARGEST_SAMPLE:
        raise InferenceError(
            f"{name}: {len(content):,} bytes; a request of more than {LARGEST_SAMPLE:,} bytes does "
            "not fit on the stream"
        )
    try:
        document = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise InferenceError(f"{name}: not JSON: {error}") from None
    if not isinstance(document, dict | list):
        kind = type(document).__name__
        raise InferenceError(f"{name}: an object, or a list of objects, is needed, not {kind}")
    if _depth(document) > DEEPEST_SAMPLE:
        raise InferenceError(f"{name}: nested more than {DEEPEST_SAMPLE} deep")
    return document


def _depth(document: Any) -> int:
    depth, level = 0, [document]
    while level and depth <= DEEPEST_SAMPLE:
        depth += 1
        level = [
            child
            for node in level
            if isinstance(node, dict | list)
            for child in (node.values() if isinstance(node, dict) else node)
            if isinstance(child, dict | list)
        ]
    return depth


def infer(documents: Sequence[Any], types: Sequence[str] = ()) -> Proposal:
    """Infer settings and schemas from parsed samples.

    Parameters
    ----------
    documents : Sequence[Any]
        One for each sample, as `parse_sample` gives them.
    types : Sequence[str]
        The type of the events of each, where something beside the bodies says it.

    Raises
    ------
    InferenceError
        When the samples have no form in common that a source could take.
    """
    if not documents:
        raise InferenceError("give one sample or more")
    split = find_split(documents)
    lists = [[one] if split is None else find(one, path_of(split)) for one in documents]
    events = [event for events in lists for event in events]
    if len(events) > MOST_EVENTS:
        raise InferenceError(f"{len(events):,} events in the samples; {MOST_EVENTS:,} are enough")
    if types:
        event_type = None
        kinds = [kind for kind, found in zip(types, lists, strict=True) for _ in found]
    else:
        event_type = find_event_type(events)
        kinds = (
            [as_text(find(one, path_of(event_type.path))) for one in events] if event_type else []
        )
    by_type = _by_type(events, kinds)
    identity = find_identity_of_events(events, kinds)
    timestamps = find_timestamps(events, by_type.values())
    used = {found.path for found in (event_type, identity.proven, *timestamps) if found}
    schemas, default = _schemas(by_type, events, event_type, identity.proven)
    return Proposal(
        split=split,
        event_counts=tuple(map(len, lists)),
        event_type=event_type,
        identity=identity,
        timestamps=timestamps,
        summary=find_summary(events, used, by_type.values()),
        fields=find_fields(events, used),
        rules=propose_rules(events),
        schemas=schemas,
        default_schema=default,
    )


def _by_type(events: Sequence[Any], kinds: Sequence[str]) -> dict[str, list[Any]]:
    """Return the events of each type; nothing where they have none, or too many."""
    if len(set(kinds)) > MOST_TYPES:
        return {}
    by_type: dict[str, list[Any]] = {}
    for kind, event in zip(kinds, events, strict=bool(kinds)):
        by_type.setdefault(kind, []).append(event)
    return by_type


def _schemas(
    by_type: Mapping[str, list[Any]],
    events: Sequence[Any],
    event_type: Found | None,
    delivery_id: Found | None,
) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    if not by_type:
        return {}, infer_schema(events)
    # Of a type that no sample shows, nothing is known but what the settings read.
    paths = [found.path for found in (event_type, delivery_id) if found]
    default = required_paths(paths, events)
    return {name: infer_schema(found) for name, found in sorted(by_type.items())}, default
