"""Which of MozDef's alerts can match a document of its index, by `alerts.yaml`."""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: The one field that the index takes apart into words; all others are compared as a whole.
_TEXT = "summary"
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Alert:
    """One of MozDef's alerts.

    Parameters
    ----------
    asks : Mapping[str, Any]
        Field: what its value has to be, as in `alerts.yaml`.
    group : str | None
        The field by which it counts, which has to be there.
    of_settings : bool
        Whether its query is the operator's; then `asks` is the default.
    """

    name: str
    asks: Mapping[str, Any]
    group: str | None
    of_settings: bool

    @property
    def fields(self) -> frozenset[str]:
        """The fields that it reads."""
        return frozenset({*self.asks, *([self.group] if self.group else [])})

    def matches(self, document: Mapping[str, Any]) -> bool:
        """Tell whether one document has all that it asks for."""
        grouped = self.group is None or holds(document, self.group, {"exists": True})
        return grouped and all(holds(document, name, value) for name, value in self.asks.items())

    def could_match(self, document: Mapping[str, Any]) -> bool:
        """Tell the same for a query that the operator writes for this source."""
        if not self.of_settings:
            return self.matches(document)
        return bool(self.fields) and all(
            holds(document, name, {"exists": True}) for name in self.fields
        )


@cache
def alerts() -> tuple[Alert, ...]:
    """Return all alerts, by name."""
    text = (files(__package__) / "alerts.yaml").read_text(encoding="utf-8")
    return tuple(
        Alert(
            name,
            {field: value for field, value in asked.items() if not field.startswith("_")},
            asked.get("_group"),
            asked.get("_settings", False),
        )
        for name, asked in sorted(yaml.safe_load(text).items())
    )


def values_at(document: Any, path: str) -> Iterator[Any]:
    """Yield the scalars at a path as the index sees them: those of a list one by one.

    A name in the document can have dots of its own.
    """
    if isinstance(document, list):
        for one in document:
            yield from values_at(one, path)
    elif not path:
        if document is not None and not isinstance(document, dict):
            yield document
    elif isinstance(document, dict):
        for key, value in document.items():
            if path == key:
                yield from values_at(value, "")
            elif path.startswith(f"{key}."):
                yield from values_at(value, path[len(key) + 1 :])


def holds(document: Mapping[str, Any], path: str, wanted: Any) -> bool:
    """Tell whether a field of a document is what a query wants of it."""
    found = list(values_at(document, path))
    if isinstance(wanted, list):
        return any(holds(document, path, one) for one in wanted)
    if isinstance(wanted, dict):
        ((how, value),) = wanted.items()
        if how == "exists":
            return bool(found)
        if how == "like":
            return any(fnmatch.fnmatchcase(_text(one), value) for one in found)
        wanted = value
    if path == _TEXT:
        return any(_has_words(_text(one), _text(wanted)) for one in found)
    return any(_text(one) == _text(wanted) for one in found)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _has_words(text: str, phrase: str) -> bool:
    words, wanted = (_WORD.findall(one.lower()) for one in (text, phrase))
    return any(words[at : at + len(wanted)] == wanted for at in range(len(words)))
