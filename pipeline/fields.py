"""Dotted paths into a parsed body, split once when a source is loaded."""

from __future__ import annotations

import re
from typing import Any

FieldPath = tuple[str, ...]

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_LONGEST_VALUE = 200


def compile_path(text: str | None) -> FieldPath | None:
    """Split a dotted path where there is one."""
    return None if text is None else path_of(text)


def path_of(text: str) -> FieldPath:
    """Split a dotted path; '.' alone is the body itself."""
    return () if text == "." else tuple(text.split("."))


def find(body: Any, path: FieldPath) -> Any:
    """Give the value at a path, or None where there is none.

    A part that is a number picks an element of a list.
    """
    for part in path:
        if isinstance(body, dict):
            body = body.get(part)
        elif isinstance(body, list) and part.isascii() and part.isdigit():
            index = int(part[:9])
            body = body[index] if index < len(body) else None
        else:
            return None
    return body


def as_text(value: Any) -> str:
    """Give a scalar as text; nothing for null, objects and lists."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    return ""


class SummaryTemplate:
    """Text with placeholders: {source}, {type} and dotted paths of the body.

    A placeholder for which an event has no value becomes nothing, and the white space around it
    is folded, so that one template serves every type of event.
    """

    def __init__(self, template: str) -> None:
        pieces = _PLACEHOLDER.split(template)
        self._literals = pieces[0::2]
        self._paths = [(name, tuple(name.split("."))) for name in pieces[1::2]]

    def render(self, source: str, event_type: str, body: Any) -> str:
        """Fill the placeholders; a value counts for 200 characters at most."""
        parts = [self._literals[0]]
        for (name, path), literal in zip(self._paths, self._literals[1:], strict=True):
            if name == "source":
                value = source
            elif name == "type":
                value = event_type
            else:
                value = as_text(find(body, path))
            parts += (value[:_LONGEST_VALUE], literal)
        return " ".join("".join(parts).split())
