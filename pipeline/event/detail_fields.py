"""The fields of `details` that MozDef documents, taken from where a sender has them.

Alerts and analysts look for `details.sourceipaddress` or `details.username`, whoever the sender is
(MozDef, `docs/source/usage/json_format.rst` and `alerts/`).
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

from pipeline.event.fields import ByNames, as_text, find
from pipeline.event.json_text import write_json
from pipeline.event.printable import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pipeline.event.fields import FieldPath

    Scalar = str | int | bool
    #: Where a value may stand, `None` for the event's type; what its text stands for; what any
    #: other text stands for.
    Place = tuple[FieldPath | None, Mapping[str, str | bool], str | bool | None]
    FieldPlan = tuple[tuple[str, tuple[Place, ...]], ...]
    #: The same with what makes the value, and the first part of each path before it.
    _Work = tuple[
        tuple[
            str,
            Callable[[Any], Scalar | None],
            tuple[
                tuple[str | None, FieldPath | None, Mapping[str, str | bool], str | bool | None],
                ...,
            ],
        ],
        ...,
    ]

#: In characters. MozDef's index refuses a keyword above 32,766 bytes.
LONGEST_TEXT = 1_024
_LARGEST_PORT = 65_535
_MAPPED = "::ffff:"


class DetailFields:
    """Fields of `details`, and the places of each in the order in which they are tried.

    Parameters
    ----------
    plan : FieldPlan
        Made at build (`settings.source.detail_fields`).
    """

    def __init__(self, plan: FieldPlan) -> None:
        self._plan = plan
        self._work: _Work = tuple(
            (name, _KINDS.get(name, text_of), tuple((_first(place[0]), *place) for place in places))
            for name, places in plan
        )
        self._work_for = ByNames(self._of_names)

    def __repr__(self) -> str:
        return f"DetailFields({self._plan!r})"

    def values(self, event_type: str, body: Any) -> dict[str, Scalar]:
        """Return the fields that an event fills; what is none of its kind is left out."""
        found: dict[str, Scalar] = {}
        for name, kind, places in self._work_for.of(body):
            for _, path, meanings, otherwise in places:
                value = event_type if path is None else find(body, path)
                if value is None:
                    continue
                if meanings:
                    said = as_text(value)
                    if not said:  # an object, a list, an empty text: nothing that has a meaning
                        continue
                    value = meanings.get(said, otherwise)
                made = kind(value)
                if made is not None:
                    found[name] = made
                    break
        return found

    def _of_names(self, body: Any) -> _Work:
        """Return the work on bodies with these names: the places whose first part they have."""
        if type(body) is not dict:
            return self._work
        left = (
            (name, kind, tuple(one for one in places if one[0] is None or one[0] in body))
            for name, kind, places in self._work
        )
        return tuple(one for one in left if one[2])


def _first(path: FieldPath | None) -> str | None:
    return path[0] if path else None


def with_fields(
    fields: Mapping[str, Scalar], document: bytes, filled: bool
) -> Iterator[bytes | memoryview]:
    """Put fields at the front of a JSON object, whose own bytes stay; yield it in pieces.

    Parameters
    ----------
    document : bytes
        The object, with white space before it or not.
    filled : bool
        Whether it has a member.
    """
    if not fields:
        yield document
        return
    yield write_json(fields)[:-1]
    if filled:
        yield b","
    yield memoryview(document)[document.index(b"{") + 1 :]


def text_of(value: Any) -> str | None:
    """Return a scalar as a text of one line; None where it says nothing."""
    return one_line(value if isinstance(value, str) else as_text(value), LONGEST_TEXT) or None


def flag_of(value: Any) -> bool | None:
    """Return what is a flag."""
    return value if isinstance(value, bool) else None


def address_of(value: Any) -> str | None:
    """Return an IPv4 or IPv6 address; None for a name, a network, or an address with a zone.

    MozDef's index refuses a document whose address is none. An IPv4 address that is written as an
    IPv6 one is IPv4: MozDef would put 0.0.0.0 in its place (`mq/plugins/ipFixup.py`).
    """
    if not isinstance(value, str):
        return None
    text = value.strip()
    if text[:7].lower() == _MAPPED and "." in text:
        text = text[7:]
    try:
        socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)
    except (OSError, ValueError):
        return None
    return text


def port_of(value: Any) -> int | None:
    """Return a port as a number; None for what is out of range."""
    if isinstance(value, str):
        value = int(value) if len(value) < 6 and value.isascii() and value.isdigit() else None
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if 0 < value <= _LARGEST_PORT else None


_KINDS: Mapping[str, Callable[[Any], str | int | bool | None]] = {
    "sourceipaddress": address_of,
    "destinationipaddress": address_of,
    "sourceport": port_of,
    "destinationport": port_of,
    "success": flag_of,
    "error": flag_of,
}
