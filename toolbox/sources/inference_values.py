"""What a name or a value looks like: an id, a time, something that a path can name."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

#: Short enough that a path of the deepest kind fits into 200 characters, which a setting may have,
#: also where a dot takes a backslash.
_PART = re.compile(r"(?=.{1,40}$)[A-Za-z_@][A-Za-z0-9_@-]*(?:\.[A-Za-z0-9_@-]+){0,4}")
_DEEPEST = 4
_IDENTIFIER = re.compile(
    r"[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}"  # a UUID
    r"|[0-9a-fA-F]{20,}"  # a digest or an object id
    r"|[0-9]{6,}"
    r"|[0-9A-HJKMNP-TV-Z]{26}"  # a ULID
)
#: 2000-01-01 to 2100-01-01, in seconds.
_CENTURY = (946_684_800, 4_102_444_800)
_WORDS = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])|_+|@+")


def scalar_paths(
    event: Any, prefix: tuple[str, ...] = (), *, flags: bool = False
) -> Iterator[tuple[str, ...]]:
    """Return the paths of the texts and numbers in an event that a dotted path can name.

    Parameters
    ----------
    flags : bool
        Those of true and false as well.
    """
    if not isinstance(event, dict):
        return
    for key, value in event.items():
        # A key that a template would read otherwise cannot be named.
        if not _PART.fullmatch(key):
            continue
        path = (*prefix, key)
        if isinstance(value, dict) and len(path) < _DEEPEST:
            yield from scalar_paths(value, path, flags=flags)
        elif isinstance(value, str | int | float) and (flags or not isinstance(value, bool)):
            yield path


def name_rank(key: str, names: Sequence[str]) -> int | None:
    """Return the place of a key among the names that are looked for, as snake or camel case."""
    plain = name_of_key(key)
    return names.index(plain) if plain in names else None


def name_of_key(key: str) -> str:
    """Return a key in snake case: eventId, event-id and event.id are event_id."""
    key = key.replace("-", "_").replace(".", "_")
    if key.islower():
        return key
    words = (word.lower() for word in _WORDS.findall(key))
    return "_".join(word for word in words if word.strip("_"))


def is_identifier(text: str) -> bool:
    """Tell whether a text looks like a UUID, a ULID, a digest or a number."""
    return _IDENTIFIER.fullmatch(text) is not None


def is_time(value: Any) -> bool:
    """Tell whether a value is an ISO 8601 time with an offset, or an epoch of this century."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 14:
        value = int(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return any(_CENTURY[0] * unit <= value < _CENTURY[1] * unit for unit in (1, 1000))
    if not isinstance(value, str) or len(value) > 40:
        return False
    try:
        when = datetime.fromisoformat(value)
    except ValueError:
        return False
    return when.tzinfo is not None and 1970 <= when.year < 9999
