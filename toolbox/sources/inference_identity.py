"""Finds in samples what tells one event from another, where the samples prove it.

What names the event and what names the thing that the event is about look alike: both are in each
sample, and never twice in a few. Taken for the delivery id, the second kind loses each further
event about the thing as a duplicate. So an id is proposed for one of two reasons alone:

- Two events are about one thing, which has an id of its own, and differ in this one.
- It has a name that is that of an event (`event_id`, `event.id`), in no object that the event is
  about, and two events or more differ in it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from pipeline.event.fields import as_text, find, path_text
from toolbox.sources import inference_names as names
from toolbox.sources.inference_find import Found, common_paths
from toolbox.sources.inference_values import is_time, name_of_key, name_rank

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pipeline.event.fields import FieldPath

_WORD = re.compile(r"[^A-Za-z0-9]+|(?<=[a-z0-9])(?=[A-Z])")
_PROVEN = "another in two events about the same thing, whose id is at `{}`"
_NAMED = "named as the id of an event, and another in each"
_UNPROVEN = "in every event, and never twice"


@dataclass(frozen=True)
class IdentityFound:
    """What could tell events apart.

    Parameters
    ----------
    proven : Found | None
        What the samples prove.
    unproven : Found | None
        The likeliest of what they do not.
    of_object : bool
        Whether that is within the thing that an event is about.
    """

    proven: Found | None = None
    unproven: Found | None = None
    of_object: bool = False


def find_identity_of_events(events: Sequence[Any], kinds: Sequence[str]) -> IdentityFound:
    """Find the id that the samples prove, or else the likeliest one.

    Parameters
    ----------
    kinds : Sequence[str]
        The type of each event; nothing where they have none.
    """
    typed = _distinct(events, kinds)
    events = [event for event, _ in typed]
    candidates = list(_candidates(events))
    shared = _shared_things(typed)
    for reason in (_proof, _named):
        reasons = [(path, values, reason(path, shared, len(events))) for path, values in candidates]
        proven = [one for one in reasons if one[2]]
        if proven:
            others = tuple(path_text(path) for path, _, _ in proven[1:4])
            path, values, why = proven[0]
            return IdentityFound(Found(path_text(path), values, why, others))
    if not candidates:
        return IdentityFound()
    path, values = candidates[0]
    others = tuple(path_text(path) for path, _ in candidates[1:4])
    likely = Found(path_text(path), values, _UNPROVEN, others)
    return IdentityFound(unproven=likely, of_object=_in_object(path))


def _distinct(events: Sequence[Any], kinds: Sequence[str]) -> list[tuple[Any, str]]:
    """Leave out what was sent again: the same event with the same id is no second one."""
    found = {
        orjson.dumps(event, option=orjson.OPT_SORT_KEYS): (event, kind)
        for event, kind in zip(events, kinds or [""] * len(events), strict=True)
    }
    return list(found.values())


def _candidates(events: Sequence[Any]) -> Iterator[tuple[FieldPath, tuple[str, ...]]]:
    """Return what each event has, and no two have in common; what is beside the event first."""
    ranked = []
    for path in common_paths(events):
        rank = name_rank(path[-1], names.IDS)
        if rank is None or not (names.WRAPPERS | names.OBJECTS).issuperset(path[:-1]):
            continue
        values = [find(event, path) for event in events]
        if any(isinstance(one, bool | float) or one == "" for one in values):
            continue
        # 7 and "7" are two ids.
        apart = len({(type(one), one) for one in values}) == len(events)
        if apart and not any(is_time(one) for one in values if isinstance(one, str)):
            shown = tuple(as_text(one) for one in values)
            ranked.append(((_in_object(path), len(path), rank, path), shown))
    for (_, _, _, path), shown in sorted(ranked):
        yield path, shown


def _in_object(path: FieldPath) -> bool:
    return any(name_of_key(part) in names.OBJECTS for part in path[:-1])


def _named(path: FieldPath, _: Sequence[FieldPath], count: int) -> str:
    # `event.id` says what `event_id` says.
    called = {name_of_key(path[-1]), "_".join(map(name_of_key, path[-2:]))}
    own = not names.EVENT_IDS.isdisjoint(called) and not _in_object(path)
    return _NAMED if own and count > 1 else ""


def _proof(path: FieldPath, shared: Sequence[FieldPath], _: int) -> str:
    if _in_object(path) and name_of_key(path[-1]) not in names.EVENT_IDS:
        return ""
    # The ids of a thing that is shared are in two events, so a candidate is none of them.
    return _PROVEN.format(path_text(shared[0])) if shared else ""


def _shared_things(events: Sequence[tuple[Any, str]]) -> list[FieldPath]:
    """Return where the id of a thing is that two events are about."""
    seen: set[tuple[FieldPath, type, Any]] = set()
    shared: dict[FieldPath, None] = {}
    for event, kind in events:
        for path, value in _things(event, _WORD.split(kind)[0].lower()):
            thing = (path, type(value), value)
            if thing in seen:
                shared[path] = None
            seen.add(thing)
    return list(shared)


def _things(event: Any, named: str) -> Iterator[tuple[FieldPath, Any]]:
    """Return the ids of what an event is about: of its object, or of what its type names."""
    for path in common_paths([event]):
        key, value = name_of_key(path[-1]), find(event, path)
        if isinstance(value, float) or value == "":
            continue
        parent = name_of_key(path[-2]) if len(path) > 1 else ""
        within = parent in names.OBJECTS or (named and parent == named)
        beside = key in {"object_id", "resource_id", "entity_id"}
        if (within and key in names.OBJECT_IDS) or beside or (named and key == f"{named}_id"):
            yield path, value
