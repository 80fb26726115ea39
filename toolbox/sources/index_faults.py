"""What MozDef's index would refuse of the samples of sources that share it, by a model of it.

A message counts as delivered when SQS took it. MozDef writes all of them into one index, and what
does not fit there is lost without a word; what fits is known from the samples.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.event.fields import path_text
from toolbox.mozdef.index import MOST_FIELDS, Index, kinds_of
from toolbox.mozdef.worker import handled

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from collections.abc import Set as AbstractSet

    from toolbox.mozdef.worker import Handled

_UUID = r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"
#: Names that are values: numbers, UUIDs, hashes, ids with digits in them, addresses, days, URLs.
_VALUE = re.compile(
    rf"\d+|{_UUID}|\d{{4}}-\d\d-\d\d.*|.+@.*|.*/.*|(?:\d{{1,3}}\.){{3}}\d{{1,3}}"
    r"|(?=.*\d)[0-9a-f]{12,}|(?=.*\d)(?=.*[A-Z])[A-Z0-9]{6,}"
    r"|[a-z]{1,10}_(?=[A-Za-z0-9]*\d)[A-Za-z0-9]{8,}",
    re.DOTALL,
)
_KINDS = {"object": "an object", "boolean": "true or false", "keyword": "a text or number"}


@dataclass(frozen=True)
class Seen:
    """A sample's event as MozDef takes it."""

    source: str
    sample: str
    handled: Handled

    @property
    def where(self) -> str:
        """Say whose it is."""
        return f"{self.source} ({self.sample})"


@dataclass(frozen=True)
class IndexFault:
    """A conflict in the index, with every source that has a part in it."""

    sources: tuple[str, ...]
    path: str
    text: str

    def __str__(self) -> str:
        return f"{self.path}: {self.text}"


def seen(source: str, sample: str, messages: Iterable[Any]) -> list[Seen]:
    """Give the messages of a sample to the model of MozDef."""
    return [Seen(source, sample, handled(message)) for message in messages]


def message_faults(message: Any) -> Iterator[str]:
    """Say what MozDef loses of one message, whatever else is in its index."""
    found = handled(message)
    if found.document is None:
        yield f"lost: {found.why}"
        return
    if refusal := Index().add(found.document):
        yield f"lost: MozDef's index refuses it: {refusal}"
    for path, name in _unbounded((), found.document.get("details", {})):
        place = ".".join(("details", *path))
        yield (
            f"{place}: names such as {name!r} have no end, and MozDef's index takes "
            f"{MOST_FIELDS:,} fields; settle it with mozdef.rules (stringify "
            f"{path_text(path[1:])!r}, or drop)"
        )


def is_value_name(name: str) -> bool:
    """Tell whether a field's name is an id, an address or a day: of such there is no end."""
    return _VALUE.fullmatch(name) is not None


def _unbounded(path: tuple[str, ...], value: Any) -> Iterator[tuple[tuple[str, ...], str]]:
    if isinstance(value, list):
        for one in value:
            yield from _unbounded(path, one)
    elif isinstance(value, dict):
        odd = next(filter(is_value_name, value), None)
        if odd is not None:
            yield path, odd
            return
        for name, one in value.items():
            yield from _unbounded((*path, name), one)


def index_faults(all_seen: Sequence[Seen], names: AbstractSet[str]) -> list[IndexFault]:
    """Return the conflicts in one index for all of these, in which sources of `names` have a part.

    Whether a document is refused goes by those that came before it. So each pair that can meet
    in one order or the other counts.
    """
    places: dict[tuple[str, ...], dict[str, dict[str, Seen]]] = defaultdict(dict)
    for one in all_seen:
        for path, kind in kinds_of(one.handled.document or {}):
            places[path].setdefault(kind, {}).setdefault(one.source, one)
    faults = []
    for path, kinds in sorted(places.items()):
        either = kinds.pop("", {})
        if either and "object" in kinds:
            kinds["keyword"] = either | kinds.get("keyword", {})
        involved = sorted({source for by_source in kinds.values() for source in by_source})
        if len(kinds) > 1 and not names.isdisjoint(involved):
            said = "; ".join(
                f"{_KINDS[kind]} in {', '.join(one.where for one in by_source.values())}"
                for kind, by_source in sorted(kinds.items())
            )
            text = f"{said}. MozDef's index refuses one of them: settle it with mozdef.rules"
            faults.append(IndexFault(tuple(involved), ".".join(path), text))
    return faults


def fields_of(all_seen: Iterable[Seen]) -> int:
    """Count the fields that all of these make in one index, with those of its template."""
    made = {path for one in all_seen for path, _ in kinds_of(one.handled.document or {})}
    return len(made | Index().fields.keys())
