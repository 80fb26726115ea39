"""Dotted paths into a parsed body, split once when a source is loaded."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

FieldPath = tuple[str, ...]

T = TypeVar("T")
_MOST_NAMES, _LONGEST_NAMES, _MOST_SETS = 60, 2_000, 500
_PIECE = re.compile(r"\\([\\.])|.", re.DOTALL)
_SCALARS = (str, int, float)  # a union would be made anew at each look


def compile_path(text: str | None) -> FieldPath | None:
    """Split a dotted path where there is one."""
    return None if text is None else path_of(text)


def path_of(text: str) -> FieldPath:
    r"""Split a dotted path; '.' alone is the body itself.

    A key that has a dot itself is written with a backslash before it: `event\.id`; a backslash
    of a key is written twice.
    """
    if text == ".":
        return ()
    if "\\" not in text:
        return tuple(text.split("."))
    parts = [""]
    for found in _PIECE.finditer(text):
        if found[0] == ".":
            parts.append("")
        else:
            parts[-1] += found[1] or found[0]
    return tuple(parts)


def path_text(path: FieldPath) -> str:
    """Write a path as `path_of` reads it."""
    if not path:
        return "."
    return ".".join(part.replace("\\", "\\\\").replace(".", "\\.") for part in path)


Dotted = Annotated[FieldPath, path_of]
"""A path that a setting gives as text; the compiler splits it."""
Lower = Annotated[str, str.lower]
"""A header's name, which the compiler makes lower case."""


def find(body: Any, path: FieldPath) -> Any:
    """Return the value at a path, or None where there is none.

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


@dataclass(slots=True)
class _Node:
    """A place in the tree of many paths: which of them end here, and what goes on from here."""

    ends: list[int] = field(default_factory=list)
    children: dict[str, _Node] = field(default_factory=dict)


class PathSet:
    """Many paths that are looked up together: only what a body has is visited.

    A sender without a delivery id can need a hundred paths to tell its events apart, of which an
    event has a dozen.

    Parameters
    ----------
    paths : Sequence[FieldPath]
        In the order of the values.
    """

    def __init__(self, paths: Sequence[FieldPath]) -> None:
        self._paths = tuple(paths)
        self._root = _Node()
        for place, path in enumerate(paths):
            node = self._root
            for part in path:
                node = node.children.setdefault(part, _Node())
            node.ends.append(place)

    def __repr__(self) -> str:
        return f"PathSet({self._paths!r})"

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, place: int) -> FieldPath:
        return self._paths[place]

    def scalars(self, body: Any) -> dict[int, str | int | float | bool]:
        """Return the scalars that are there, by the places of their paths; none of them is ''."""
        found: dict[int, str | int | float | bool] = {}
        _visit(self._root, body, found)
        return found


def _visit(node: _Node, value: Any, found: dict[int, str | int | float | bool]) -> None:
    if isinstance(value, dict):
        _visit_members(node.children, value, found)
    elif isinstance(value, list):
        for key, child in node.children.items():
            _visit(child, find(value, (key,)), found)
    elif node.ends and isinstance(value, _SCALARS) and value != "":
        for place in node.ends:
            found[place] = value


def _visit_members(
    children: dict[str, _Node], value: dict[str, Any], found: dict[int, str | int | float | bool]
) -> None:
    for key in value if len(value) < len(children) else children:
        child = children.get(key)
        if child is None or (inner := value.get(key, "")) == "":
            continue
        # Most of what is there is a text at the end of a path: it takes no call.
        if child.ends and isinstance(inner, _SCALARS):
            for place in child.ends:
                found[place] = inner
        elif child.children:
            _visit(child, inner, found)


class ByNames(Generic[T]):
    """What is to be done for bodies that have the same names, which is made once.

    Settings name many places in a body, and a body has the first part of a few. A sender chooses
    its names, so this is kept for so many sets of so many characters.

    Parameters
    ----------
    make : Callable[[Any], T]
        Makes it of a body, by no more than its names and whether it is an object.
    """

    def __init__(self, make: Callable[[Any], T]) -> None:
        self._make = make
        self._known: dict[tuple[str, ...], T] = {}

    def of(self, body: Any) -> T:
        """Return what is to be done for a body."""
        if type(body) is not dict or len(body) > _MOST_NAMES:
            return self._make(body)
        names = tuple(body)
        found = self._known.get(names)
        if found is None:
            found = self._make(body)
            if sum(map(len, names)) <= _LONGEST_NAMES:
                if len(self._known) >= _MOST_SETS:
                    self._known.clear()
                self._known[names] = found
        return found


def as_text(value: Any) -> str:
    """Return a scalar as text; nothing for null, objects and lists."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    return ""
