"""Proposes rules on the body for what MozDef's index would refuse of the samples."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from pipeline.event.fields import path_text
from toolbox.mozdef.index import kinds_of
from toolbox.sources.index_faults import is_value_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_LONGEST_PATH = 200
_NO_NAME = re.compile(r"[^A-Za-z0-9_-]")
Path = tuple[str, ...]


def propose_rules(events: Iterable[Any]) -> list[dict[str, Any]]:
    """Return rules that make one kind of what has several, and a text of maps without end.

    Returns
    -------
    list[dict[str, Any]]
        As `mozdef.rules` has them.
    """
    kinds: dict[Path, set[str]] = defaultdict(set)
    named: dict[Path, set[Path]] = defaultdict(set)
    found: set[Path] = set()
    for event in events:
        for path, kind in kinds_of(event):
            kinds[path].add(kind)
        for path, value in _containers((), event):
            plain = tuple(part for name in path for part in name.split("."))
            for end in range(1, len(plain) + 1):
                named[plain[:end]].add(path)
            if isinstance(value, dict) and any(map(is_value_name, value)):
                found.add(path)
    dotted: set[Path] = set()
    for path, several in kinds.items():
        if len(several - {""}) > 1 or several == {"", "object"}:
            found |= {one for one in named[path] if _length(one) == len(path)}
            # A dot in a name makes an object, and only another name does not.
            dotted |= {one for one in named[path] if _length(one[:-1]) < len(path) < _length(one)}
    rules = [_renamed(one) for one in sorted(dotted) if _text(one)]
    paths = sorted({text for one in found if (text := _text(one))})
    return [*rules, {"stringify": paths}] if paths else rules


def _length(path: Path) -> int:
    return sum(name.count(".") + 1 for name in path)


def _renamed(path: Path) -> dict[str, Any]:
    name = _NO_NAME.sub("_", path[-1])[:100]
    return {"rename": _text(path), "to": name}


def _containers(path: Path, value: Any) -> Iterator[tuple[Path, Any]]:
    if isinstance(value, list):
        for one in value:
            yield from _containers(path, one)
    else:
        yield path, value
        if isinstance(value, dict):
            for name, one in value.items():
                yield from _containers((*path, name), one)


def _text(path: Path) -> str:
    if not path:
        return "."
    while path:
        # A name that is empty cannot be spelled, and a star stands for any.
        text = path_text(tuple(name or "*" for name in path))
        if len(text) <= _LONGEST_PATH:
            return text
        path = path[:-1]
    return ""
