"""The summary of an event: the line that people read in a chat or a list."""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING, Any

from pipeline.event.fields import ByNames, as_text, find, path_of
from pipeline.event.printable import one_line

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

    from pipeline.event.fields import FieldPath

    #: What kind of value, and where it is: the first part of the path, and what follows it.
    _Way = tuple[str, str, FieldPath]
    _Ways = tuple[_Way, ...]
    #: Placeholders, each after a literal, and the literal at the end.
    _Part = tuple[tuple[tuple[str, _Ways], ...], str]
    #: A literal, what follows it, or what may be left out there as a whole.
    _Field = tuple[str, _Ways, _Part | None]
    #: Source, type, body and fields.
    _Event = tuple[str, str, Any, Mapping[str, Any]]

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_OPTIONAL = re.compile(r"\{\?((?:[^{}]|\{[^{}]*\})*)\}")
_LEADING = re.compile(r"(?:^|\s)(\w+) $")
_LONGEST_VALUE = 200
_SOURCE, _TYPE, _KEYS, _FIELD, _PATH = "source", "type", "$keys", "$", "path"
_NO_FIELDS: Mapping[str, Any] = {}
_MOST_KEYS = 5
_CLOSERS = (":", ",", ";", ".")
#: What joins a part to its neighbour, and dangles where that is missing.
_JOINTS = " :,;-\u2013\u2014"


def placeholders(template: str) -> list[tuple[str, ...]]:
    """Return what each placeholder of a template names, in the order in which it is tried."""
    return [tuple(found.split("|")) for found in _PLACEHOLDER.findall(template)]


def leading_words(template: str) -> list[tuple[str, tuple[str, ...]]]:
    """Return words that are always there, each with the placeholder that it leads to.

    The words at the beginning of a template name its sender, and are none.
    """
    pieces = _PLACEHOLDER.split(_OPTIONAL.sub("", template))
    return [
        (found[1], tuple(names.split("|")))
        for literal, names in zip(pieces[2::2], pieces[3::2], strict=False)
        if (found := _LEADING.search(literal))
    ]


def is_path(name: str) -> bool:
    """Tell whether a placeholder's name is a path of the body."""
    return name not in {_SOURCE, _TYPE} and not name.startswith(_FIELD)


def template_fault(template: str, fields: Container[str] | None = None) -> str | None:
    """Say what is wrong with a template; None for a sound one.

    Parameters
    ----------
    fields : Container[str]
        The names of the fields that events can fill in `details`; None: any.
    """
    for part in _OPTIONAL.findall(template):
        if not _PLACEHOLDER.search(part):
            return f"{{?{part}}} has no placeholder that could be missing, as {{? by {{user}}}} has"
    if "{?" in _OPTIONAL.sub("", template):
        return "an optional part {?…} is not closed, or another one is in it"
    for name in (one for names in placeholders(template) for one in names):
        named = name.startswith(_FIELD) and name != _KEYS
        if named and fields is not None and name[1:] not in fields:
            return f"{{{name}}} is none of the names in 'fields'"
    return None


class SummaryTemplate:
    """Text with placeholders: {source}, {type} and dotted paths of the body.

    Where an event has no type, `{type}` is what its body calls so. `{$username}` is the field of
    that name in `details`, and `{$keys}` the names of the body's first members. Of `{one|other}`
    the first is taken that an event has. `{? by {user}}` is left out as a whole where an event has
    no user. A placeholder without a value becomes nothing, with the punctuation that joined it, so
    that one template serves every type of event.
    """

    def __init__(self, template: str) -> None:
        self._template = template
        pieces = _OPTIONAL.split(template)
        fields: list[_Field] = []
        literal = ""
        for number, piece in enumerate(pieces):
            if number % 2:
                fields.append((literal, (), _fields_of(piece)))
                literal = ""
            else:
                own, last = _fields_of(piece)
                fields += [(before, ways, None) for before, ways in own]
                literal = last
        self._fields, self._last = tuple(fields), literal
        self._fields_for = ByNames(self._of_names)

    def __repr__(self) -> str:
        return f"SummaryTemplate({self._template!r})"

    def render(
        self, source: str, event_type: str, body: Any, fields: Mapping[str, Any] = _NO_FIELDS
    ) -> str:
        """Fill the placeholders; a value counts for 200 characters at most.

        Parameters
        ----------
        fields : Mapping[str, Any]
            The fields that the event fills in `details`.
        """
        event = (source, event_type, body, fields)
        # Up to `fixed` the line stays; what is behind is the template's.
        text, fixed, missing = "", 0, False
        for literal, ways, part in self._fields_for.of(body):
            if literal:
                text = _joined(text, fixed, literal) if missing else text + literal
            if part is None:
                value = _first(ways, event)
            else:
                value = _optional(part, event)
                if value.startswith(_CLOSERS):
                    text = text.rstrip()  # "zoom: …" of "{source} {type}{?: …}"
            if value:
                text += value
                fixed, missing = len(text), False
            else:
                missing = True
        if self._last:
            text = _joined(text, fixed, self._last) if missing else text + self._last
        if missing:
            text = text[:fixed] + text[fixed:].rstrip(_JOINTS)
        if "  " in text or text[:1] == " " or text[-1:] == " ":
            text = " ".join(text.split())
        return text or f"{source} {one_line(event_type, _LONGEST_VALUE)}".strip()

    def _of_names(self, body: Any) -> tuple[_Field, ...]:
        """Return the fields for bodies with these names: the ways whose first part they have."""
        if type(body) is not dict:
            return self._fields

        def left(ways: _Ways) -> _Ways:
            return tuple(way for way in ways if way[0] is not _PATH or way[1] in body)

        return tuple(
            (
                literal,
                left(ways),
                part and (tuple((before, left(inner)) for before, inner in part[0]), part[1]),
            )
            for literal, ways, part in self._fields
        )


def _fields_of(text: str) -> _Part:
    pieces = _PLACEHOLDER.split(text)
    fields = tuple(
        # The body itself (`.`) is an object, and no text.
        (literal, tuple(_way(name) for name in names.split("|") if name != "."))
        for literal, names in zip(pieces[0::2], pieces[1::2], strict=False)
    )
    return fields, pieces[-1]


def _way(name: str) -> _Way:
    for kind in (_SOURCE, _TYPE, _KEYS):
        if name == kind:
            return kind, "", ()  # the very constant, by which it is told from the others
    if name.startswith(_FIELD):
        return _FIELD, name[1:], ()
    first, *further = path_of(name)
    return _PATH, first, tuple(further)


def _joined(text: str, fixed: int, literal: str) -> str:
    """Append a literal behind something that is missing, without what would join it."""
    bare = literal.lstrip(_JOINTS)
    joint = literal[: len(literal) - len(bare)].strip()
    behind = text[fixed:].rstrip()
    if not text.strip():
        return text + bare
    if joint and behind.endswith(tuple(_JOINTS)):
        return f"{text} {bare}"  # "a - b - c" without b: one of the two hyphens
    if joint:
        return text[:fixed] + behind + literal  # "zoom: …" of "{source} {type}: …"
    return text + literal


def _optional(part: _Part, event: _Event) -> str:
    """Return an optional part; nothing where a value in it is missing."""
    text = ""
    fields, last = part
    for literal, ways in fields:
        value = _first(ways, event)
        if not value:
            return ""
        text += literal + value
    return text + last


def _first(ways: _Ways, event: _Event) -> str:
    """Return the first value that there is, as a text of one line."""
    source, event_type, body, fields = event
    for kind, name, further in ways:
        if kind is _PATH:
            value = _at(body, name)
            for part in further:
                # Most are objects: they take no call.
                value = value.get(part) if type(value) is dict else _at(value, part)
        elif kind is _FIELD:
            value = fields.get(name)
        elif kind is _SOURCE:
            value = source
        elif kind is _TYPE:
            value = event_type or _at(body, _TYPE)
        else:
            value = _keys(body)
        if value is None:
            continue
        text = value if isinstance(value, str) else as_text(value)
        if not text.isprintable() or len(text) > _LONGEST_VALUE:
            text = one_line(text, _LONGEST_VALUE)
        text = text.strip()
        if text:
            return text
    return ""


def _at(value: Any, part: str) -> Any:
    if type(value) is dict:
        return value.get(part)
    return find(value, (part,)) if type(value) is list else None


def _keys(body: Any) -> str:
    names = (name for name in body if name != _TYPE) if isinstance(body, dict) else ()
    return ", ".join(islice(names, _MOST_KEYS))
