"""A validator with fewer steps says of any value what the compiler's own says."""

from __future__ import annotations

from typing import Any

import fastjsonschema
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from settings.source.schema_code import run_code
from settings.source.schema_lean import lean_code

TEXT, NUMBER, NULL = {"type": ["string", "null"]}, {"type": ["number", "string"]}, {"type": "null"}
SCHEMAS: dict[str, dict[str, Any]] = {
    "required, and each kind": {
        "type": "object",
        "required": ["a", "b"],
        "properties": {
            "a": TEXT,
            "b": {"type": "object", "required": ["c"], "properties": {"c": NUMBER, "a": {}}},
            "c": {"type": ["object", "array", "null"], "items": NUMBER},
        },
    },
    "nothing else": {
        "properties": {"a": TEXT, "b": {"properties": {"a": NUMBER, "b": {}}}},
        "additionalProperties": False,
    },
    "else a number": {"properties": {"a": {}}, "additionalProperties": NUMBER},
    "one of two, for the same keys": {
        "anyOf": [
            {"properties": {"a": NUMBER, "b": NULL}, "required": ["a"]},
            {"properties": {"a": NULL, "b": {"minLength": 2, "type": "string"}}},
        ]
    },
    "by pattern as well": {"properties": {"a": TEXT}, "patternProperties": {"^[ab]": NUMBER}},
    "below itself": {"properties": {"a": {"$ref": "#"}, "b": {"type": ["string", "boolean"]}}},
}
NAMES = st.sampled_from(["a", "b", "c", "d"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.floats(-1, 1) | st.text("xy", max_size=2),
    lambda inner: st.dictionaries(NAMES, inner, max_size=4) | st.lists(inner, max_size=2),
    max_leaves=8,
)


def verdict(validate: Any, value: Any) -> tuple[str, Any]:
    try:
        validate(value)
    except fastjsonschema.JsonSchemaValueException as error:
        return error.message, error.rule
    return "", None


@pytest.mark.parametrize("name", SCHEMAS)
def test_fewer_steps_say_the_same(name: str) -> None:
    code = fastjsonschema.compile_to_code(SCHEMAS[name], use_default=False)
    lean = lean_code(code)
    whole, less = run_code(code, "whole"), run_code(lean, "lean")

    @given(VALUES)
    @example({"a": "x", "b": {"c": True}})
    @example({"a": "x", "b": {"c": "1", "a": 1}, "c": [1, None]})
    @example({"a": True})
    @example({"d": "x"})
    def compare(value: Any) -> None:
        assert verdict(less, value) == verdict(whole, value)

    compare()


def test_what_nobody_asks_for_is_not_made() -> None:
    def made(name: str) -> list[str]:
        lean = lean_code(fastjsonschema.compile_to_code(SCHEMAS[name], use_default=False))
        return [line for line in lean.splitlines() if "_keys = set(" in line]

    assert not made("required, and each kind")
    assert made("nothing else")
    assert made("else a number")
