"""The summary of an event: the line that people read in a chat or a list."""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING, Any

from pipeline.event.fields import as_text, find, path_of
from pipeline.event.printable import one_line

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Mapping

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_OPTIONAL = re.compile(r"\{\?((?:[^{}]|\{[^{}]*\})*)\}")
_LONGEST_VALUE = 200
_SOURCE, _TYPE, _KEYS, _FIELD = "source", "type", "$keys", "$"
_NONE: Mapping[str, Any] = {}
_MOST_KEYS = 5
_CLOSERS = (":", ",", ";", ".")
#: What joins a part to its neighbour, and dangles where that is missing.
_JOINTS = " :,;-\u2013\u2014"


def placeholders(template: str) -> list[tuple[str, ...]]:
    """Return what each placeholder of a template names, in the order in which it is tried."""
    return [tuple(found.split("|")) for found in _PLACEHOLDER.findall(template)]


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
        self._parts = [_Part(piece) for piece in pieces]

    def __repr__(self) -> str:
        return f"SummaryTemplate({self._template!r})"

    def render(
        self, source: str, event_type: str, body: Any, fields: Mapping[str, Any] = _NONE
    ) -> str:
        """Fill the placeholders; a value counts for 200 characters at most.

        Parameters
        ----------
        fields : Mapping[str, Any]
            The fields that the event fills in `details`.
        """
        of_the_event = {_SOURCE: source, _TYPE: event_type or find(body, (_TYPE,))}
        line = _Line()
        for number, part in enumerate(self._parts):
            if number % 2 == 0:
                line.fill(part.filled(of_the_event, body, fields))
                continue
            own = _Line()
            own.fill(part.filled(of_the_event, body, fields))
            line.add_optional(own)
        return line.finished() or f"{source} {one_line(event_type, _LONGEST_VALUE)}".strip()


class _Part:
    """Placeholders, each after a literal, and a literal at the end."""

    def __init__(self, text: str) -> None:
        pieces = _PLACEHOLDER.split(text)
        self._last = pieces[-1]
        self._fields = [
            (literal, [(name, path_of(name)) for name in names.split("|")])
            for literal, names in zip(pieces[0::2], pieces[1::2], strict=False)
        ]

    def filled(
        self, of_the_event: Mapping[str, Any], body: Any, fields: Mapping[str, Any]
    ) -> Iterator[tuple[str, str | None]]:
        """Yield each literal, and the value after it: empty where none is, None at the end."""
        for literal, ways in self._fields:
            text = ""
            for name, path in ways:
                if name in of_the_event:
                    value: Any = of_the_event[name]
                elif name == _KEYS:
                    value = _keys(body)
                elif name.startswith(_FIELD):
                    value = fields.get(name[1:])
                else:
                    value = find(body, path)
                if value is not None:
                    text = one_line(
                        value if isinstance(value, str) else as_text(value), _LONGEST_VALUE
                    )
                    if text:
                        break
            yield literal, text
        yield self._last, None


class _Line:
    """A line as it grows."""

    def __init__(self) -> None:
        self.text = ""
        self.complete = True
        #: Up to here it stays; what is behind is the template's.
        self._fixed = 0
        self._missing = False

    def fill(self, pieces: Iterable[tuple[str, str | None]]) -> None:
        """Append literals and values."""
        for literal, value in pieces:
            self._append(literal)
            if value:
                self.text += value
                self._fixed = len(self.text)
                self._missing = False
            elif value is not None:
                self.complete = False
                self._missing = True

    def _append(self, literal: str) -> None:
        if self._missing and literal:
            bare = literal.lstrip(_JOINTS)
            joint = literal[: len(literal) - len(bare)].strip()
            behind = self.text[self._fixed :].rstrip()
            if not self.text.strip():
                literal = bare
            elif joint and behind.endswith(tuple(_JOINTS)):
                literal = " " + bare  # "a - b - c" without b: one of the two hyphens
            elif joint:
                self.text = self.text[: self._fixed] + behind  # "zoom: …" of "{source} {type}: …"
        self.text += literal

    def add_optional(self, part: _Line) -> None:
        """Append a part in which no value is missing; another one is left out."""
        text = part.text if part.complete else ""
        if text.startswith(_CLOSERS):
            self.text = self.text.rstrip()  # "zoom: …" of "{source} {type}{?: …}"
        self.fill([("", text)])

    def finished(self) -> str:
        """Return the line, without what would join what is missing at its end."""
        text = self.text
        if self._missing:
            text = text[: self._fixed] + text[self._fixed :].rstrip(_JOINTS)
        return " ".join(text.split())


def _keys(body: Any) -> str:
    names = (name for name in body if name != _TYPE) if isinstance(body, dict) else ()
    return ", ".join(islice(names, _MOST_KEYS))
