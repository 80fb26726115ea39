"""Fields of a sender's own that have the name of one of MozDef's, and are of another kind.

Where a body is in `details` itself, its `error` of text stands where other events have true or
false. MozDef's index takes one kind for a name, and refuses a document that has another
(mozilla/MozDef, cron/defaultMappingTemplate.json). A dot in a name is a level of its own there:
`error.code` makes an object of `error`. And MozDef's plugin for addresses takes texts for one that
the index refuses (mq/plugins/ipFixUp.py). Such a field gets a name of its own.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

from pipeline.event.elements import name_of
from pipeline.event.index_limits import MOST_LEVELS, NewNames, with_edits
from pipeline.event.known_members import known_members

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pipeline.event.index_limits import Edit

#: Texts that a field of flags takes.
_FLAG_TEXTS = frozenset({"", "true", "false"})
#: What the index sees of a list or object that is nested too deep.
_TEXT = "[…]"


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
        `generic_error_object`, for a new name must be of one kind as well. A dot in the old name
        is `_` in the new one.
    neighbours : frozenset[str]
        Names below which other sources' bodies are: what is there is an object of theirs.
    """
    names = [name for name in _FITS.keys() & body.keys() if not _FITS[name](body[name])]
    names += neighbours & body.keys()
    names += [name for name in body if "." in name and not _fits_below(name, body, neighbours)]
    if not names:
        return text
    new = {
        name: f"{source}_{name.replace('.', '_')}{_kind_of(body[name])}" for name in sorted(names)
    }
    return with_edits(text, _edits(text, body, new))


def _edits(text: bytes, body: Mapping[str, Any], new: Mapping[str, str]) -> Iterator[Edit]:
    members = known_members(text, text.index(b"{"), len(text.rstrip()), body)
    names = NewNames(text, members)
    for begin, end, _, _ in members:
        name = name_of(text[begin:end]) or ""
        if name in new:
            yield begin, end, names.of(name, new[name])


def _fits_below(name: str, body: Mapping[str, Any], neighbours: frozenset[str]) -> bool:
    """Tell whether a name with dots fits, which is an object of the name before the first one."""
    first, _, rest = name.partition(".")
    return first not in neighbours and (first not in _FITS or _FITS[first]({rest: body[name]}))


def _leaves(value: Any) -> Iterator[Any]:
    """Return what the index sees of a value: it looks through lists, and past what is null.

    Lists and objects that are nested too deep become texts (`index_limits.fitting`).
    """
    waiting = [(value, MOST_LEVELS - 1)]
    while waiting:
        one, levels = waiting.pop()
        if isinstance(one, list | dict) and not levels:
            yield _TEXT
        elif isinstance(one, list):
            waiting += ((inner, levels - 1) for inner in reversed(one))
        elif one is not None:
            yield one


def _kind_of(value: Any) -> str:
    first = next(_leaves(value), None)
    if isinstance(first, dict):
        return "_object"
    return "_flag" if isinstance(first, bool) else ""


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool) or all(
        isinstance(one, bool) or (isinstance(one, str) and one in _FLAG_TEXTS)
        for one in _leaves(value)
    )


def _is_scalar(value: Any) -> bool:
    """Tell what a keyword takes: texts and numbers. Flags would make a field of flags of it."""
    return isinstance(value, str) or not any(isinstance(one, dict | bool) for one in _leaves(value))


def _is_version(value: Any) -> bool:
    """Tell what is an object whose `raw_value` is none: MozDef's template has a keyword there."""
    return all(
        isinstance(one, dict)
        and not any(name.startswith("raw_value.") for name in one)
        and not any(isinstance(leaf, dict) for leaf in _leaves(one.get("raw_value")))
        for one in _leaves(value)
    )


def _is_location(value: Any) -> bool:
    """Tell what is an object of texts and numbers, as MozDef's plugin makes one of an address."""
    return all(
        isinstance(one, dict)
        and all("." not in name and _is_scalar(inner) for name, inner in one.items())
        for one in _leaves(value)
    )


def _is_nothing(value: Any) -> bool:
    """Stand for what MozDef makes itself, of an address."""
    return value is None


def _is_no_trap(value: Any) -> bool:
    """Tell what MozDef's plugin takes for no IPv4 address, or the index for one as well.

    The plugin takes what a C library does: `1.2.3`, `010.1.1.1`, and blanks behind an address.
    """
    if not isinstance(value, str):
        return True
    try:
        socket.inet_aton(value)
    except (OSError, ValueError):
        return True
    try:
        socket.inet_pton(socket.AF_INET, value)
    except OSError:
        return False
    return True


def _is_address(value: Any) -> bool:
    return _is_scalar(value) and _is_no_trap(value)


def _is_forwarded(value: Any) -> bool:
    """Tell what MozDef's plugin can split at commas, which it does with whatever is there."""
    return isinstance(value, str) and _is_no_trap(value.partition(",")[0])


_FITS: Mapping[str, Callable[[Any], bool]] = {
    **dict.fromkeys(("success", "error"), _is_flag),
    **dict.fromkeys(
        (
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
            # Where MozDef's plugin puts an address that is none.
            "source",
            "destination",
            # Those that the built-in sources have beside MozDef's.
            "description",
            "event",
            "eventname",
            "request_id",
            "result",
        ),
        _is_scalar,
    ),
    # What is no address MozDef's plugin takes away itself.
    **dict.fromkeys(("sourceipaddress", "destinationipaddress"), _is_address),
    # Of these it makes the two above.
    **dict.fromkeys(("src", "srcip", "dst", "dstip"), _is_no_trap),
    "http_x_forwarded_for": _is_forwarded,
    "apiversion": _is_version,
    **dict.fromkeys(("sourceipgeolocation", "destinationipgeolocation"), _is_location),
    **dict.fromkeys(
        ("sourceipgeopoint", "destinationipgeopoint", "requestparameters"), _is_nothing
    ),
}
