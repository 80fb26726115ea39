"""Infers a lean JSON Schema (draft 7) from values: types, and what is always there.

Lean on purpose: nothing is closed, and no value is listed, since a sender adds fields and values
without notice. What is nested deep, or has odd names, is left open.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pipeline.event.fields import path_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

DRAFT = "http://json-schema.org/draft-07/schema#"
#: The generated validator nests a block of Python for each level, and Python has limits there.
DEEPEST = 6
MOST_PROPERTIES = 300
_KEY = re.compile(r"[A-Za-z0-9_@$:/ -]{1,64}")
_ORDER = ("object", "array", "string", "integer", "number", "boolean", "null")


def infer_schema(values: Sequence[Any]) -> dict[str, Any]:
    """Return a schema that accepts each of these objects, and what is like them."""
    return {"$schema": DRAFT, **_Inference().of(values, 0)}


def required_paths(paths: Iterable[str], events: Sequence[Any]) -> dict[str, Any]:
    """Return a schema that asks for these paths and nothing else, with the types that they have.

    Parameters
    ----------
    paths : Iterable[str]
        Dotted paths that each event has.
    """
    schema: dict[str, Any] = {"$schema": DRAFT, "type": "object"}
    for path in paths:
        node, values = schema, list(events)
        for part in path_of(path):
            values = [value[part] for value in values]
            if part not in node.setdefault("required", []):
                node["required"] = sorted([*node["required"], part])
            node = node.setdefault("properties", {}).setdefault(part, _typed(_types(values)))
    return schema


class _Inference:
    def __init__(self) -> None:
        self._left = MOST_PROPERTIES

    def of(self, values: Sequence[Any], depth: int) -> dict[str, Any]:
        types = _types(values)
        if types == ["null"]:
            return {}  # It will be something else one day, and nothing tells what.
        schema = _typed(types)
        objects = [value for value in values if isinstance(value, dict)]
        if objects and depth < DEEPEST:
            schema |= self._properties(objects, depth)
        items = [item for value in values if isinstance(value, list) for item in value]
        if items and depth < DEEPEST and (found := self.of(items, depth + 1)):
            schema["items"] = found
        return schema

    def _properties(self, objects: Sequence[dict[str, Any]], depth: int) -> dict[str, Any]:
        keys = self._keys(objects)
        self._left -= len(keys)
        properties = {
            key: self.of([one[key] for one in objects if key in one], depth + 1) for key in keys
        }
        required = [key for key in keys if all(key in one for one in objects)]
        return {
            **({"required": required} if required else {}),
            **({"properties": properties} if properties else {}),
        }

    def _keys(self, objects: Sequence[dict[str, Any]]) -> list[str]:
        keys = dict.fromkeys(key for one in objects for key in one if _KEY.fullmatch(key))
        # More than that are no fields but entries: ids, addresses, names of people.
        return list(keys) if len(keys) <= self._left else []


def _types(values: Iterable[Any]) -> list[str]:
    found = {_type(value) for value in values}
    if "number" in found:
        found.discard("integer")
    return [name for name in _ORDER if name in found]


def _typed(types: Sequence[str]) -> dict[str, Any]:
    if not types:
        return {}
    return {"type": types[0] if len(types) == 1 else list(types)}


def _type(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    if isinstance(value, float):
        # 1.0 is an integer to JSON Schema, but whoever writes it so will write 1.5 as well.
        return "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object"
