"""A model of MozDef's index: what Elasticsearch makes of a document, and when it refuses one.

The rules of dynamic mapping are Elasticsearch's (reference of 7.x: "Dynamic field mapping",
"Mapping limit settings", "Keyword", "Boolean", "IP"); the template is MozDef's
(mozilla/MozDef, cron/defaultMappingTemplate.json and cron/rotateIndexes.conf).
"""

from __future__ import annotations

import ipaddress
import math
import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    Path = tuple[str, ...]

MOST_FIELDS = 1_000
MOST_LEVELS = 20
LONGEST_TERM = 32_766
_OBJECT, _KEYWORD, _FLAG = "object", "keyword", "boolean"
#: What the template has before any document: texts and numbers are keywords, whatever their name.
TEMPLATE: Mapping[str, str] = {
    **dict.fromkeys(
        (
            "type",
            "category",
            "hostname",
            "processid",
            "processname",
            "severity",
            "source",
            "version",
            "details.sourceipv4address",
            "details.sourceport",
            "details.destinationport",
            "details.apiversion.raw_value",
            "details.requestparameters.logstreamname.raw_value",
        ),
        _KEYWORD,
    ),
    **dict.fromkeys(
        (
            "details",
            "details.apiversion",
            "details.requestparameters",
            "details.requestparameters.logstreamname",
        ),
        _OBJECT,
    ),
    **dict.fromkeys(("details.sourceipaddress", "details.destinationipaddress"), "ip"),
    **dict.fromkeys(("details.sourceipgeopoint", "details.destinationipgeopoint"), "geo_point"),
    **dict.fromkeys(("receivedtimestamp", "timestamp", "utctimestamp"), "date"),
    "details.success": _FLAG,
    "summary": "text",
}
_FLAG_TEXTS = frozenset({"true", "false", ""})
_POINT = re.compile(r"-?\d+(\.\d+)?, ?-?\d+(\.\d+)?")


@dataclass(frozen=True)
class Refusal:
    """Why Elasticsearch refuses a document, which MozDef then loses.

    Parameters
    ----------
    path : str
        The field, dotted.
    """

    path: str
    why: str

    def __str__(self) -> str:
        return f"{self.path}: {self.why}"


class _RefusedError(Exception):
    def __init__(self, path: Path, why: str) -> None:
        self.refusal = Refusal(".".join(path), why)
        super().__init__(str(self.refusal))


class Index:
    """An index, which the documents before a document decide about."""

    def __init__(self) -> None:
        self.fields: dict[Path, str] = {
            tuple(name.split(".")): kind for name, kind in TEMPLATE.items()
        }

    def add(self, document: Mapping[str, Any]) -> Refusal | None:
        """Index a document; return why it is refused, in which case it changes nothing."""
        new: dict[Path, str] = {}
        try:
            self._object((), document, new)
        except _RefusedError as error:
            return error.refusal
        if len(self.fields) + len(new) > MOST_FIELDS:
            return Refusal(
                ".".join(next(iter(new))), f"the index would have more than {MOST_FIELDS} fields"
            )
        self.fields |= new
        return None

    def _object(self, path: Path, members: Mapping[str, Any], new: dict[Path, str]) -> None:
        for name, value in members.items():
            *above, last = _parts(path, name)
            place = path
            for part in above:
                place = (*place, part)
                self._is(place, _OBJECT, new)
            self._value((*place, last), value, new)

    def _value(self, path: Path, value: Any, new: dict[Path, str]) -> None:
        if value is None:
            return
        if isinstance(value, list):
            for one in value:
                self._value(path, one, new)
        elif isinstance(value, dict):
            self._is(path, _OBJECT, new)
            self._object(path, value, new)
        else:
            kind = self.fields.get(path) or new.get(path)
            if kind is None:
                kind = new[path] = _FLAG if isinstance(value, bool) else _KEYWORD
            fault = _misfit(kind, value)
            if fault:
                raise _RefusedError(path, fault)

    def _is(self, path: Path, kind: str, new: dict[Path, str]) -> None:
        known = self.fields.get(path) or new.get(path)
        if known is None:
            # The document is the first level, and a field without a dot is in the second.
            if len(path) + 1 > MOST_LEVELS:
                raise _RefusedError(path, f"an object below level {MOST_LEVELS}")
            new[path] = kind
        elif known != kind:
            raise _RefusedError(path, f"an object, where the index has {known}")


def _parts(path: Path, name: str) -> list[str]:
    parts = name.split(".")
    if not all(part.strip(" ") for part in parts):
        raise _RefusedError((*path, name), f"{name!r} is no name of a field")
    return parts


def _misfit(kind: str, value: Any) -> str:
    """Say why a scalar does not fit a kind of field; nothing where it does."""
    if isinstance(value, float) and not math.isfinite(value):
        return "a number that JSON has not"
    if kind == _OBJECT:
        return f"{_name(value)}, where the index has an object"
    if kind == "text":
        return ""
    if kind == _KEYWORD:
        long = isinstance(value, str) and len(value.encode(errors="surrogatepass")) > LONGEST_TERM
        return f"a text above {LONGEST_TERM:,} bytes" if long else ""
    if not _FITS[kind](value):
        return f"{_name(value)}, where the index has {kind}"
    return ""


def _name(value: Any) -> str:
    if isinstance(value, bool):
        return "true or false"
    return "a text" if isinstance(value, str) else "a number"


def _is_address(value: Any) -> bool:
    try:
        ipaddress.ip_address(value if isinstance(value, str) else "")
    except ValueError:
        return False
    return "%" not in value


def _is_date(value: Any) -> bool:
    try:
        datetime.fromisoformat(value if isinstance(value, str) else "")
    except ValueError:
        return False
    return True


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool) or (isinstance(value, str) and value in _FLAG_TEXTS)


def _is_point(value: Any) -> bool:
    return isinstance(value, str) and _POINT.fullmatch(value) is not None


_FITS: Mapping[str, Callable[[Any], bool]] = {
    _FLAG: _is_flag,
    "ip": _is_address,
    "geo_point": _is_point,
    "date": _is_date,
}


def kinds_of(document: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    """Return what a document says of each field's kind: object, boolean or keyword.

    A text that a field of flags takes says less: its kind is empty, and only an object is another.
    """
    yield from _kinds((), document)


def _kinds(path: Path, value: Any) -> Iterator[tuple[Path, str]]:
    if isinstance(value, list):
        for one in value:
            yield from _kinds(path, one)
    elif isinstance(value, dict):
        if path:
            yield path, _OBJECT
        for name, one in value.items():
            parts = name.split(".")
            for end in range(1, len(parts)):
                yield (*path, *parts[:end]), _OBJECT
            yield from _kinds((*path, *parts), one)
    elif isinstance(value, bool):
        yield path, _FLAG
    elif value is not None:
        yield path, "" if value in _FLAG_TEXTS else _KEYWORD
