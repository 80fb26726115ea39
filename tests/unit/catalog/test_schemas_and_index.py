"""Schemas are no stricter than MozDef's index: a text and a number are one kind there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from settings.source.loader import CATALOG

if TYPE_CHECKING:
    from collections.abc import Iterator

FILES = sorted(CATALOG.glob("*/schemas/*.json"))
SCALARS = {"string", "number"}


def too_strict(schema: Any, path: str = "") -> Iterator[str]:
    if isinstance(schema, list):
        for number, one in enumerate(schema):
            yield from too_strict(one, f"{path}/{number}")
    if not isinstance(schema, dict):
        return
    types = schema.get("type", [])
    named = {types} if isinstance(types, str) else set(types) if isinstance(types, list) else set()
    if "pattern" not in schema and ("integer" in named or len(named & SCALARS) == 1):
        yield f"{path}: {sorted(named)}"
    for key, one in schema.items():
        yield from too_strict(one, f"{path}/{key}")


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parts[-3]}-{file.stem}")
def test_a_text_and_a_number_are_taken_alike(file: Path) -> None:
    assert list(too_strict(json.loads(file.read_bytes()))) == []
