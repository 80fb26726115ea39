"""Any schema is refused, or its shipped validator judges as the reference library does."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from settings.source.errors import SourceError
from settings.source.schema_agreement import check_module, disagreement
from settings.source.schema_code import run_code
from settings.source.schema_words import RULES
from settings.source.schemas import CompiledSchema, read_schema

NAMES = st.sampled_from(
    ["a", "b", "A-b", "a_b", "$ref", "id", "$id", "{x}", '"', "%", "prefixItems"]
)
DATA = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-9, 9)
    | st.sampled_from([0.5, 1.0, 2.5, 1e300, "", "a", "ab", "a\n", "é", "{x}", "\\", '"'])
    | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)
TYPES = st.sampled_from(["object", "array", "string", "integer", "number", "boolean", "null"])
SMALL = st.integers(0, 3)
PATTERNS = st.sampled_from(["^a", "b$", "^[a$]+$", "[0-9]", "^a_", "\\\\$"])
IDENTIFIERS = st.sampled_from(
    [
        "https://example.com/s.json",
        "urn:example:s",
        "s.json",
        "#s",
        "other/",
        "https://example.com/",
    ]
)
REFERENCES = st.sampled_from(
    [
        "#",
        "#/definitions/a",
        "#/definitions/A-b",
        "#/definitions/a_b",
        "s.json",
        "#s",
        "urn:example:s",
        "#/properties/a",
        "https://example.com/s.json#/definitions/a",
        "other/#/definitions/b",
    ]
)


def _words(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    named = st.dictionaries(NAMES, inner, max_size=3)
    listed = st.lists(inner, min_size=1, max_size=3)
    words: dict[str, st.SearchStrategy[Any]] = {
        "type": TYPES | st.lists(TYPES, min_size=1, max_size=3, unique=True),
        "enum": st.lists(DATA, min_size=1, max_size=3),
        "const": DATA,
        "allOf": listed,
        "anyOf": listed,
        "oneOf": listed,
        "not": inner,
        "if": inner,
        "then": inner,
        "else": inner,
        "minLength": SMALL,
        "maxLength": SMALL,
        "pattern": PATTERNS,
        "minimum": st.integers(-3, 3) | st.just(0.5),
        "maximum": st.integers(-3, 3) | st.just(0.5),
        "exclusiveMinimum": st.integers(-3, 3),
        "exclusiveMaximum": st.integers(-3, 3),
        "multipleOf": st.sampled_from([1, 2, 0.5, 0.01]),
        "minItems": SMALL,
        "maxItems": SMALL,
        "uniqueItems": st.booleans(),
        "items": inner | listed,
        "additionalItems": inner,
        "contains": inner,
        "minProperties": SMALL,
        "maxProperties": SMALL,
        "required": st.lists(NAMES, max_size=2, unique=True),
        "properties": named,
        "patternProperties": st.dictionaries(PATTERNS, inner, max_size=2),
        "additionalProperties": inner,
        "propertyNames": inner,
        "dependencies": st.dictionaries(
            NAMES, inner | st.lists(NAMES, max_size=2, unique=True), max_size=2
        ),
        "definitions": named,
        "default": DATA,
        "title": st.text(max_size=3),
    }
    # The words are chosen first: those that are not kept need not be drawn.
    few = st.lists(st.sampled_from(sorted(words)), max_size=4, unique=True)
    return few.flatmap(lambda kept: st.fixed_dictionaries({key: words[key] for key in kept}))


SCHEMAS = st.recursive(
    st.booleans() | st.builds(dict, type=TYPES) | st.builds(lambda to: {"$ref": to}, REFERENCES),
    _words,
    max_leaves=6,
)
ROOTS = st.builds(
    lambda words, named, definitions: {
        **words,
        **({"$id": named} if named else {}),
        "definitions": definitions,
    },
    _words(SCHEMAS),
    st.none() | IDENTIFIERS,
    st.fixed_dictionaries({"a": SCHEMAS, "A-b": SCHEMAS, "a_b": SCHEMAS}),
)


def read_and_checked(directory: str, schema: Any) -> CompiledSchema | SourceError:
    """Take a schema the way of the build: read, written, and held to the reference."""
    path, module = Path(directory) / "event.json", Path(directory) / "module.py"
    path.write_text(json.dumps(schema))
    try:
        compiled = read_schema(path)
        module.write_text(compiled.code)
        check_module(compiled, module, {})
    except SourceError as error:
        return error
    return compiled


@settings(max_examples=250, suppress_health_check=list(HealthCheck))
@given(ROOTS, st.lists(DATA, max_size=5))
def test_a_schema_is_refused_or_its_validator_judges_as_the_reference(
    schema: dict[str, Any], events: list[Any]
) -> None:
    with TemporaryDirectory() as directory:
        taken = read_and_checked(directory, schema)
        if isinstance(taken, SourceError):
            assert {fault.file for fault in taken.faults} == {f"{directory}/event.json"}
            assert all(str(fault).isprintable() for fault in taken.faults)
            assert not any("would ship" in fault.expected for fault in taken.faults)
            return
        validate = run_code((Path(directory) / "module.py").read_text(), "module")
        found = [disagreement(taken, validate, event) for event in events]
        assert [fault for fault in found if fault is not None] == []


@settings(max_examples=150)
@given(st.dictionaries(st.sampled_from(sorted(RULES[7])) | NAMES, DATA, max_size=4))
def test_what_is_no_schema_is_refused_or_harmless(schema: dict[str, Any]) -> None:
    with TemporaryDirectory() as directory:
        taken = read_and_checked(directory, schema)
        if isinstance(taken, SourceError):
            assert {fault.file for fault in taken.faults} == {f"{directory}/event.json"}
