"""Fields of a sender's own that have the name of one of MozDef's, and are of another kind.

Where a body is in `details` itself, its `error` of text stands where other events have true or
false. MozDef's index takes one kind for a name, and refuses a document that has another
(mozilla/MozDef, cron/defaultMappingTemplate.json). Such a field gets a name of its own.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pipeline.event.body_rules import BodyRules

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

#: Texts that a field of flags takes.
_FLAG_TEXTS = frozenset({"", "true", "false"})


def renamed(
    text: bytes, body: Mapping[str, Any], source: str, neighbours: frozenset[str] = frozenset()
) -> bytes:
    """Return the JSON of an object in which no field has MozDef's name and another kind.

    Parameters
    ----------
    text : bytes
        The JSON; all that is not renamed stays as it is.
    body : Mapping[str, Any]
        The same, parsed.
    source : str
        What stands before the new name: `generic_error`, `generic_error_flag` and
        `generic_error_object`, for a new name must be of one kind as well.
    neighbours : frozenset[str]
        Names below which other sources' bodies are: what is there is an object of theirs.
    """
    names = [
        name
        for name in _FITS.keys() & body.keys()
        if body[name] is not None and not _FITS[name](body[name])
    ]
    names += neighbours & body.keys()
    if not names:
        return text
    new = ((name, f"{source}_{name}{_kind_of(body[name])}") for name in sorted(names))
    return _rules(tuple(new)).applied(text, body)


@lru_cache(maxsize=64)
def _rules(names: tuple[tuple[str, str], ...]) -> BodyRules:
    return BodyRules(tuple(((name,), "rename", new, "") for name, new in names))


def _kind_of(value: Any) -> str:
    while isinstance(value, list):
        value = next((one for one in value if one is not None), None)
    if isinstance(value, dict):
        return "_object"
    return "_flag" if isinstance(value, bool) else ""


def _is_flag(value: Any) -> bool:
    if isinstance(value, list):
        return all(one is None or _is_flag(one) for one in value)
    return isinstance(value, bool) or (isinstance(value, str) and value in _FLAG_TEXTS)


def _is_scalar(value: Any) -> bool:
    """Tell what a keyword takes: texts and numbers. Flags would make a field of flags of it."""
    if isinstance(value, list):
        return all(one is None or _is_scalar(one) for one in value)
    return isinstance(value, str | int | float) and not isinstance(value, bool)


def _is_object(value: Any) -> bool:
    if isinstance(value, list):
        return all(one is None or _is_object(one) for one in value)
    return isinstance(value, dict)


def _never(_: Any) -> bool:
    """Stand for what MozDef makes itself, of an address."""
    return False


_FITS: Mapping[str, Callable[[Any], bool]] = {
    **dict.fromkeys(("success", "error"), _is_flag),
    **dict.fromkeys(
        (
            # What is no address MozDef's plugin takes away itself, if it is a text.
            "sourceipaddress",
            "destinationipaddress",
            "sourceipv4address",
            "sourceipv6address",
            "destinationipv4address",
            "destinationipv6address",
            "sourceport",
            "destinationport",
            "sourceuri",
            "destinationuri",
            "username",
            "useragent",
            # Those that the built-in sources have beside MozDef's.
            "description",
            "event",
            "eventname",
            "request_id",
            "result",
        ),
        _is_scalar,
    ),
    **dict.fromkeys(("apiversion", "sourceipgeolocation", "destinationipgeolocation"), _is_object),
    **dict.fromkeys(("sourceipgeopoint", "destinationipgeopoint", "requestparameters"), _never),
}
