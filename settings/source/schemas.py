"""Reads JSON Schemas, and sees that the compiler can take them (build and command line only)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import fastjsonschema

from settings.expectations import one_line
from settings.faults import Fault
from settings.source.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DRAFTS = ("draft-04", "draft-06", "draft-07")


def read_schema(path: Path) -> dict[str, Any]:
    """Read one JSON Schema, and see that it can be compiled.

    Raises
    ------
    SourceError
        When it is missing, is no JSON, refers to another document, or is of a draft for which
        there is no compiler (fastjsonschema knows drafts 4, 6 and 7).
    """
    try:
        schema = json.loads(path.read_bytes())
        references = list(_remote_references(schema))
    except FileNotFoundError:
        raise _error(path, "there is no such file") from None
    except OSError as error:
        raise _error(path, f"cannot be read: {error.strerror or error}") from None
    except RecursionError:
        raise _error(path, "nested too deep") from None
    except ValueError as error:
        raise _error(path, f"not JSON: {error}") from None
    if not isinstance(schema, dict):
        raise _error(path, f"a schema is a JSON object, not {type(schema).__name__}")
    draft = schema.get("$schema", "http://json-schema.org/draft-07/schema#")
    if not any(known in str(draft) for known in DRAFTS):
        expected = f"{draft} cannot be compiled; use one of {', '.join(DRAFTS)}"
        raise _error(path, expected, "$schema")
    if references:
        raise _error(path, f"{references[0]} is another document; use '#/…' only", "$ref")
    try:
        fastjsonschema.compile(schema, use_default=False)
    except fastjsonschema.JsonSchemaDefinitionException as error:
        raise _error(path, f"the schema cannot be compiled: {error}") from None
    except Exception as error:  # noqa: BLE001 - it raises whatever its code meets in a bad schema
        raise _error(path, f"the schema cannot be compiled: {error!r}") from None
    return schema


def _remote_references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        reference = node.get("$ref")
        if isinstance(reference, str) and not reference.startswith("#"):
            yield reference
        node = list(node.values())
    if isinstance(node, list):
        for item in node:
            yield from _remote_references(item)


def _error(path: Path, expected: str, key: str = "") -> SourceError:
    return SourceError(Fault(str(path), key, one_line(expected)))
