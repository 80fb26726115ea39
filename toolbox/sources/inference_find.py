"""Finds in samples where a sender puts the type, the id and the time of an event."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from pipeline.errors import PipelineError
from pipeline.event.fields import as_text, find, path_of, path_text
from toolbox.sources import inference_names as names
from toolbox.sources.inference_values import is_identifier, is_time, name_rank, scalar_paths

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

#: A type of which there are more than these gets no schema of its own.
MOST_TYPES = 8
_LONGEST_TYPE = 64
_MOST_IN_SUMMARY = 3
_LONGEST_IN_SUMMARY = 120
_MOST_TITLES = 4
_MOST_TIMES = 8


class InferenceError(PipelineError):
    """Nothing can be inferred from a sample."""


@dataclass(frozen=True)
class Found:
    """A path that was found in the samples, and why it was taken.

    Parameters
    ----------
    values : tuple[str, ...]
        What stands there: distinct values, the first few.
    others : tuple[str, ...]
        Other paths that could be meant.
    """

    path: str
    values: tuple[str, ...]
    why: str
    others: tuple[str, ...] = ()


def find_split(documents: Sequence[Any]) -> str | None:
    """Return where the list of events is; None where each request is one event.

    Raises
    ------
    InferenceError
        When some samples are lists and others are not, or a list holds something else than objects.
    """
    if any(isinstance(document, list) for document in documents):
        if all(_is_list_of_events(document) for document in documents):
            return "."
        raise InferenceError(
            "a sample is a list: then each must be a list of JSON objects, with one or more in it"
        )
    for name in names.LISTS:
        for path in (name, f"data.{name}"):
            if all(_dominates(document, path) for document in documents):
                return path
    return None


def _is_list_of_events(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, dict) for one in value)


def _dominates(document: Any, path: str) -> bool:
    events = find(document, path_of(path))
    if not _is_list_of_events(events):
        return False
    return len(orjson.dumps(events)) * 2 >= len(orjson.dumps(document))


def find_event_type(events: Sequence[Any]) -> Found | None:
    """Propose where the type of an event is: a short text with a telling name and few values."""

    def fits(values: Sequence[Any]) -> bool:
        texts = [value for value in values if isinstance(value, str)]
        few = len(set(texts)) <= max(MOST_TYPES, len(texts) // 2)
        return (
            len(texts) == len(events)
            and few
            and all(0 < len(text) <= _LONGEST_TYPE and text.isprintable() for text in texts)
            and not any(is_identifier(text) or is_time(text) for text in texts)
        )

    return _propose(events, names.TYPES, fits, "a short text with few values")


def find_timestamps(events: Sequence[Any], by_type: Collection[Sequence[Any]]) -> tuple[Found, ...]:
    """Propose when an event happened: at one place, or at another for each type."""
    if found := _timestamp(events):
        return (found,)
    each = [found for one in by_type if (found := _timestamp(one))]
    return tuple({found.path: found for found in each}.values())[:_MOST_TIMES]


def _timestamp(events: Sequence[Any]) -> Found | None:
    """Find ISO 8601 with an offset, or an epoch of this century, in each of some events."""

    def fits(values: Sequence[Any]) -> bool:
        return len(values) == len(events) and all(map(is_time, values))

    return _propose(events, names.TIMES, fits, "a time in every event")


def _propose(
    events: Sequence[Any],
    wanted: Sequence[str],
    fits: Callable[[Sequence[Any]], bool],
    why: str,
) -> Found | None:
    candidates = []
    for parts in common_paths(events):
        rank = name_rank(parts[-1], wanted)
        if rank is None or not names.WRAPPERS.issuperset(parts[:-1]):
            continue
        if fits(values := _values(events, parts)):
            candidates.append((len(parts), rank, path_text(parts), values))
    if not candidates:
        return None
    candidates.sort(key=lambda candidate: candidate[:3])
    _, _, path, values = candidates[0]
    shown = dict.fromkeys(as_text(value) for value in values)
    others = tuple(candidate[2] for candidate in candidates[1:4])
    return Found(path, tuple(shown), why, others)


def common_paths(events: Sequence[Any]) -> list[tuple[str, ...]]:
    """Return the paths of texts and numbers that each event has."""
    counts: Counter[tuple[str, ...]] = Counter()
    for event in events:
        counts.update(scalar_paths(event))
    return sorted(path for path, count in counts.items() if count == len(events))


def _values(events: Sequence[Any], path: tuple[str, ...]) -> list[Any]:
    return [value for event in events if (value := find(event, path)) is not None]


def find_summary(
    events: Sequence[Any], used: set[str], by_type: Collection[Sequence[Any]]
) -> tuple[str, ...]:
    """Propose short texts that say what happened, but for those that serve otherwise."""
    common = _texts(events, used)
    titles = dict.fromkeys(path for one in by_type for path in _texts(one, used)[:1])
    if len(titles) < 2:
        return common
    # What all have would stand before what the later ones have of their own.
    first = "|".join(sorted(titles, key=common.__contains__)[:_MOST_TITLES])
    return (first, *(path for path in common if path not in titles))[:_MOST_IN_SUMMARY]


def _texts(events: Sequence[Any], used: set[str]) -> tuple[str, ...]:
    ranked = []
    for path in common_paths(events):
        rank = name_rank(path[-1], names.TEXTS)
        values = _values(events, path)
        short = all(isinstance(one, str) and len(one) <= _LONGEST_IN_SUMMARY for one in values)
        if rank is not None and short and path_text(path) not in used:
            ranked.append((rank, len(path), path_text(path)))
    return tuple(path for _, _, path in sorted(ranked)[:_MOST_IN_SUMMARY])
