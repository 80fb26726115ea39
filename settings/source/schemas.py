"""Reads JSON Schemas, and compiles each to the validator that ships (build and command line)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from settings.bounded import UnfitFileError, read_bounded
from settings.expectations import one_line
from settings.faults import Fault
from settings.source.errors import SourceError
from settings.source.schema_code import anchored, run_code, validator_code
from settings.source.schema_formats import FORMATS
from settings.source.schema_patterns import slow_pattern
from settings.source.schema_places import SchemaPlaces, SchemaReferenceError, as_pointer
from settings.source.schema_words import draft_of, wrong_words

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


LARGEST_SCHEMA = 1_000_000
"""Bytes; the largest of GitHub's own schemas has a tenth of it."""


@dataclass(frozen=True, eq=False)
class CompiledSchema:
    """A schema file, and the module that ships for it.

    Parameters
    ----------
    file : Path
        Where it was read.
    document : Mapping[str, Any]
        What the file holds.
    places : SchemaPlaces
        The schemas in it.
    draft : int
        4, 6 or 7.
    formats : bool
        Whether `format` is checked.
    code : str
        The module's text, which the compiler writes as it is.
    """

    file: Path
    document: Mapping[str, Any]
    places: SchemaPlaces
    draft: int
    formats: bool
    code: str


def read_schema(
    path: Path, *, formats: bool = False, instead: bytes | None = None
) -> CompiledSchema:
    """Read one JSON Schema and compile it.

    Parameters
    ----------
    formats : bool
        Whether `format` is checked.
    instead : bytes | None
        What the file would hold, in the place of what it holds.

    Raises
    ------
    SourceError
        With every word in it that would be passed over in silence, each with its JSON Pointer, or
        else with what keeps it from being compiled: it is missing, no JSON, refers to another
        document, or is of a draft for which there is no compiler.
    """
    schema = _read(path, instead)
    draft = draft_of(schema)
    if draft is None:
        named = schema["$schema"]
        expected = f"{named} cannot be compiled; use one of draft-04, draft-06, draft-07"
        raise _error(path, expected, "/$schema")
    try:
        places = SchemaPlaces(schema, draft)
        faults = [*_faults(path, places, draft, formats=formats)]
    except SchemaReferenceError as error:
        raise _error(path, str(error), as_pointer(error.pointer)) from None
    except RecursionError:
        raise _error(path, "nested too deep") from None
    if faults:
        raise SourceError(*faults)
    try:
        code = validator_code(places, draft, formats=formats)
        run_code(code, path.name)
    except RecursionError:
        raise _error(path, "nested too deep") from None
    except Exception as error:  # noqa: BLE001 - it raises whatever its code meets in a bad schema
        raise _error(path, f"the schema cannot be compiled: {str(error) or repr(error)}") from None
    return CompiledSchema(path, schema, places, draft, formats, code)


def _read(path: Path, instead: bytes | None) -> dict[str, Any]:
    if instead is not None and len(instead) > LARGEST_SCHEMA:
        raise _error(path, f"at most {LARGEST_SCHEMA:,} bytes")
    try:
        schema = json.loads(read_bounded(path, LARGEST_SCHEMA) if instead is None else instead)
    except UnfitFileError as error:
        raise SourceError(Fault(str(path), "", one_line(str(error)), error.found)) from None
    except RecursionError:
        raise _error(path, "nested too deep") from None
    except ValueError as error:
        raise _error(path, f"not JSON: {error}") from None
    if not isinstance(schema, dict):
        raise _error(path, f"a schema is a JSON object, not {type(schema).__name__}")
    return schema


def _faults(path: Path, places: SchemaPlaces, draft: int, *, formats: bool) -> Iterator[Fault]:
    for pointer, node in places:
        for word, expected in wrong_words(pointer, node, draft):
            yield Fault(str(path), as_pointer((*pointer, word)), one_line(expected))
        for where, pattern in _patterns(node):
            if wrong := slow_pattern(anchored(pattern)):
                yield Fault(str(path), as_pointer((*pointer, *where)), one_line(wrong))
        named = node.get("format")
        if formats and isinstance(named, str) and named not in FORMATS:
            expected = f"the format {named!r} would not be checked; known are {', '.join(FORMATS)}"
            yield Fault(str(path), as_pointer((*pointer, "format")), one_line(expected))


def _patterns(node: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], str]]:
    if isinstance(node.get("pattern"), str):
        yield ("pattern",), node["pattern"]
    named = node.get("patternProperties")
    for pattern in named if isinstance(named, dict) else ():
        yield ("patternProperties", pattern), pattern


def _error(path: Path, expected: str, key: str = "") -> SourceError:
    return SourceError(Fault(str(path), key, one_line(expected)))
