"""Schemas: identifiers, references, and words that the compiler would pass over in silence."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from fastjsonschema import JsonSchemaValueException

from settings.source.errors import SourceError
from settings.source.schema_agreement import check_module
from settings.source.schema_code import anchored, compiled_pattern, run_code
from settings.source.schema_formats import FORMATS, NO_FORMAT
from settings.source.schemas import CompiledSchema, read_schema

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DRAFT_4 = {"$schema": "http://json-schema.org/draft-04/schema#"}
DRAFT_6 = {"$schema": "http://json-schema.org/draft-06/schema#"}
IDENTIFIERS = [
    "https://example.com/schemas/event.json",
    "https://example.com/schemas/event.json#",
    "urn:example:event",
    "tag:example.com,2026:event",
    "event.json",
    "../a b/event.json",
    "#event",
]

type_of = {"A-b": {"type": "string"}, "a_b": {"type": "integer"}}


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., CompiledSchema]:
    def read_one(schema: Any, *, formats: bool = False) -> CompiledSchema:
        path = tmp_path / "event.json"
        path.write_text(json.dumps(schema))
        return read_schema(path, formats=formats)

    return read_one


@pytest.fixture
def shipped(read: Any, tmp_path: Path) -> Callable[..., Callable[[Any], bool]]:
    """Compile a schema, hold its module to the reference, and return what it says."""

    def ship(schema: Any, *, formats: bool = False) -> Callable[[Any], bool]:
        compiled = read(schema, formats=formats)
        module = tmp_path / "module.py"
        module.write_text(compiled.code)
        check_module(compiled, module, {})
        validate = run_code(module.read_text(), "module")

        def accepts(event: Any) -> bool:
            try:
                validate(event)
            except JsonSchemaValueException:
                return False
            return True

        return accepts

    return ship


def refusals(read: Any, schema: Any, **options: Any) -> list[tuple[str, str]]:
    with pytest.raises(SourceError) as caught:
        read(schema, **options)
    assert all(fault.file.endswith("event.json") for fault in caught.value.faults)
    assert len(str(caught.value).splitlines()) == len(caught.value.faults)
    return [(fault.key, fault.expected) for fault in caught.value.faults]


@pytest.mark.parametrize("named", IDENTIFIERS)
@pytest.mark.parametrize("word", ["$id", "id"])
def test_a_schema_with_an_identifier_of_its_own_works(shipped: Any, word: str, named: str) -> None:
    schema = {
        **(DRAFT_4 if word == "id" else {}),
        word: named,
        "type": "object",
        "required": ["text"],
        "properties": {
            "text": {"$ref": "#/definitions/A-b"},
            "number": {"$ref": "#/definitions/a_b"},
            "below": {"$ref": "#"},
        },
        "definitions": type_of,
    }
    accepts = shipped(schema)
    assert accepts({"text": "a", "number": 1, "below": {"text": "b"}})
    for wrong in ({}, {"text": 1}, {"text": "a", "number": "1"}, {"text": "a", "below": {}}):
        assert not accepts(wrong)


def test_references_follow_identifiers_in_every_form(shipped: Any) -> None:
    accepts = shipped(
        {
            "$id": "https://example.com/schemas/event.json",
            "properties": {
                "whole": {"$ref": "https://example.com/schemas/event.json#/definitions/number"},
                "anchor": {"$ref": "event.json#text"},
                "other": {"$ref": "other.json"},
                "into": {"$ref": "other.json#/definitions/inner"},
                "listed": {"allOf": [{"$ref": "#text"}]},
            },
            "definitions": {
                "number": {"type": "integer"},
                "text": {"$id": "#text", "type": "string"},
                "other": {
                    "$id": "other.json",
                    "type": "object",
                    "required": ["q"],
                    # Within another identifier a pointer begins there.
                    "properties": {"q": {"$ref": "#/definitions/inner"}},
                    "definitions": {"inner": {"type": "null"}},
                },
            },
        }
    )
    good = {"whole": 1, "anchor": "a", "other": {"q": None}, "into": None, "listed": "b"}
    assert accepts(good)
    wrong = {"whole": "1", "anchor": 1, "other": {"q": 1}, "into": 1, "listed": 2}
    for key, value in wrong.items():
        assert not accepts({**good, key: value}), key


def test_names_that_are_alike_are_two_definitions(shipped: Any) -> None:
    """The compiler would make one function of both, and the last one would win."""
    schema = {
        "properties": {"a": {"$ref": "#/definitions/A-b"}, "b": {"$ref": "#/definitions/a_b"}},
        "definitions": type_of,
    }
    accepts = shipped(schema)
    assert accepts({"a": "text", "b": 1})
    assert not accepts({"a": 1})
    assert not accepts({"b": "text"})


def test_data_and_names_are_no_references(shipped: Any) -> None:
    accepts = shipped(
        {
            "default": {"$ref": "http://127.0.0.1:9/none"},
            "examples": [{"$ref": "#/none", "$id": "https://example.com/"}],
            "properties": {
                "$ref": {"type": "string"},
                "$id": {"type": "string"},
                "id": {"const": "https://example.com/"},
            },
        }
    )
    assert accepts({"$ref": "a", "$id": "b", "id": "https://example.com/"})
    assert not accepts({"$ref": 1})


@pytest.mark.parametrize(
    "reference",
    [
        "https://example.com/other.json",
        "other.json#/definitions/a",
        "http://json-schema.org/draft-07/schema#",
        "file:///etc/hostname",
        "urn:example:other",
    ],
)
def test_a_reference_to_another_document_is_refused_without_a_look_for_it(
    read: Any, monkeypatch: pytest.MonkeyPatch, reference: str
) -> None:
    def ask(*_arguments: object, **_options: object) -> None:
        raise AssertionError("asked the network")

    monkeypatch.setattr("urllib.request.urlopen", ask)
    schema = {"$id": "https://example.com/", "items": {"properties": {"a": {"$ref": reference}}}}
    ((key, expected),) = refusals(read, schema)
    assert key == "/items/properties/a/$ref"
    assert f"{reference} is another document" in expected
    # What is data by the specification is a reference for the compiler.
    assert "another document" in refusals(read, {"enum": [{"$ref": "https://example.com/x"}]})[0][1]


@pytest.mark.parametrize(
    ("schema", "key", "expected"),
    [
        ({"$ref": "#/definitions/none"}, "/$ref", "leads nowhere"),
        ({"items": {"$ref": "#none"}}, "/items/$ref", "leads nowhere"),
        ({"$ref": "#/required", "required": ["a"]}, "/$ref", "no schema"),
        ({"$ref": "#"}, "", "leads back to itself"),
        ({"allOf": [{"$ref": "#"}]}, "", "leads back to itself"),
        (
            {"definitions": {"a": {"$id": "x"}, "b": {"$id": "x"}}},
            "/definitions/b/$id",
            "x names /definitions/a already",
        ),
    ],
)
def test_a_reference_that_leads_nowhere_is_refused(
    read: Any, schema: Any, key: str, expected: str
) -> None:
    ((where, said),) = refusals(read, schema)
    assert where == key
    assert expected in said


NEWER = {
    "$anchor": "a",
    "$dynamicAnchor": "a",
    "$dynamicRef": "#a",
    "$recursiveAnchor": True,
    "$recursiveRef": "#",
    "$vocabulary": {},
    "contentSchema": {},
    "dependentRequired": {"a": ["b"]},
    "dependentSchemas": {"a": {}},
    "maxContains": 1,
    "minContains": 1,
    "prefixItems": [{}],
    "unevaluatedItems": False,
    "unevaluatedProperties": False,
    "nullable": True,
    "divisibleBy": 2,
    "extends": {},
    "disallow": "string",
}


@pytest.mark.parametrize("word", sorted(NEWER))
def test_a_word_of_another_specification_is_refused_by_name_and_place(read: Any, word: str) -> None:
    for schema, key in (
        ({word: NEWER[word]}, f"/{word}"),
        ({"properties": {"a/b": {word: NEWER[word]}}}, f"/properties/a~1b/{word}"),
        ({"items": [{}, {"not": {word: NEWER[word]}}]}, f"/items/1/not/{word}"),
        ({"allOf": [{"if": {word: NEWER[word]}}]}, f"/allOf/0/if/{word}"),
        ({"definitions": {"x": {word: NEWER[word]}}}, f"/definitions/x/{word}"),
        ({"$defs": {"x": {word: NEWER[word]}}}, f"/$defs/x/{word}"),
        ({"dependencies": {"x": {word: NEWER[word]}}}, f"/dependencies/x/{word}"),
        ({"$ref": "#/x-own/y", "x-own": {"y": {word: NEWER[word]}}}, f"/x-own/y/{word}"),
    ):
        ((where, expected),) = refusals(read, schema)
        assert where == key
        assert expected.startswith(f"'{word}' is a word of ")


@pytest.mark.parametrize("word", sorted(NEWER))
def test_what_is_only_called_like_a_word_is_not_refused(shipped: Any, word: str) -> None:
    data = {word: NEWER[word]}
    accepts = shipped(
        {
            "properties": {word: {"type": "string"}, "kept": {"enum": [word, {"in": data}]}},
            "patternProperties": {f"^{word.replace('$', '.')}x": {"type": "integer"}},
            "definitions": {word: {"type": "string"}},
            "dependencies": {word: [word]},
            "required": [word],
            "default": data,
            "examples": [data],
            "x-ours": data,
        }
    )
    assert accepts({word: "text"})
    assert not accepts({})
    assert not accepts({word: 7})


@pytest.mark.parametrize(
    ("schema", "key"),
    [
        ({**DRAFT_4, "const": 1}, "/const"),
        ({**DRAFT_4, "items": {"contains": {}}}, "/items/contains"),
        ({**DRAFT_6, "if": {}}, "/if"),
    ],
)
def test_a_word_that_is_newer_than_the_draft_of_the_file_is_refused(
    read: Any, schema: Any, key: str
) -> None:
    ((where, expected),) = refusals(read, schema)
    assert where == key
    assert "newer draft" in expected


@pytest.mark.parametrize(
    "named",
    [
        "https://json-schema.org/draft/2020-12/schema",
        "https://json-schema.org/draft/2019-09/schema",
        "http://json-schema.org/draft-03/schema#",
        "http://json-schema.org/schema#",
        "http://json-schema.org/draft-07/hyper-schema#",
        7,
    ],
)
def test_a_draft_without_a_compiler_is_refused(read: Any, named: Any) -> None:
    assert refusals(read, {"$schema": named}) == [
        ("/$schema", f"{named} cannot be compiled; use one of draft-04, draft-06, draft-07")
    ]
    inner = {"properties": {"a": {"$schema": named}}}
    assert [key for key, _ in refusals(read, inner)] == ["/properties/a/$schema"]


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("require", "required"),
        ("propertes", "properties"),
        ("additionalproperties", "additionalProperties"),
        ("minlength", "minLength"),
        ("types", "type"),
        ("item", "items"),
        ("ref", "$ref"),
        ("anyof", "anyOf"),
    ],
)
def test_a_misspelt_word_is_refused_with_what_is_meant(read: Any, wrong: str, right: str) -> None:
    expected = f"'{wrong}' is no word of JSON Schema; is '{right}' meant?"
    assert refusals(read, {"items": {wrong: {}}}) == [(f"/items/{wrong}", expected)]


def test_annotations_and_words_of_others_are_left_alone(shipped: Any) -> None:
    others = "title description $comment readOnly deprecated example x-require note enumNames"
    assert shipped({"type": "object", **dict.fromkeys(others.split()[:3], "a"), "note": {}})({})
    assert shipped({"type": "object", **dict.fromkeys(others.split()[3:], True)})({})


def test_what_stands_beside_a_reference_is_refused(read: Any, shipped: Any) -> None:
    """Drafts 4 to 7 pass over it, and newer ones do not."""
    definitions = {"definitions": {"a": {"type": "object"}}, "title": "a", "$comment": "b"}
    assert shipped({"$ref": "#/definitions/a", **definitions})({})
    beside = {"$ref": "#/definitions/a", "required": ["a"], "minProperties": 1, **definitions}
    assert [key for key, _ in refusals(read, beside)] == ["/required", "/minProperties"]


def test_every_fault_of_a_file_is_told_at_once(read: Any) -> None:
    schema = {"prefixItems": [], "properties": {"a": {"require": []}, "b": {"nullable": True}}}
    found = [key for key, _ in refusals(read, schema)]
    assert found == ["/prefixItems", "/properties/a/require", "/properties/b/nullable"]


def test_every_format_that_is_known_is_checked(shipped: Any) -> None:
    accepts = shipped({"properties": {name: {"format": name} for name in FORMATS}}, formats=True)
    assert accepts(FORMATS)
    for name in FORMATS:
        assert not accepts({name: NO_FORMAT}), name


def test_a_format_that_would_not_be_checked_is_refused_where_formats_are(read: Any) -> None:
    schema = {"properties": {"a": {"format": "colour"}}}
    assert read(schema)
    ((key, expected),) = refusals(read, schema, formats=True)
    assert key == "/properties/a/format"
    assert "'colour' would not be checked" in expected


@pytest.mark.parametrize(
    ("pattern", "for_python", "for_the_compiler"),
    [
        ("^a$", r"^a\Z", "^a$"),
        (r"a\$", r"a\$", r"a\$"),
        ("[a$]$", r"[a$]\Z", r"[a\$]$"),
        (r"\\$", r"\\\Z", r"\\\Z"),
        (r"[\]$]", r"[\]$]", r"[\]\$]"),
    ],
)
def test_a_dollar_is_the_end_of_the_text(
    pattern: str, for_python: str, for_the_compiler: str
) -> None:
    assert anchored(pattern) == for_python
    assert compiled_pattern(pattern) == for_the_compiler


@pytest.mark.parametrize("pattern", ["^a$", "^[a$]+$", r"^a\\$"])
def test_a_text_with_a_newline_at_its_end_is_another_one(shipped: Any, pattern: str) -> None:
    text = "a\\" if pattern.startswith("^a\\") else "a"
    accepts = shipped(
        {"properties": {"a": {"pattern": pattern}}, "patternProperties": {"^b$": {"const": 1}}}
    )
    assert accepts({"a": text, "b": 1, "b\n": 2})
    assert not accepts({"a": f"{text}\n"})


def test_an_encoded_content_is_no_rule(shipped: Any) -> None:
    """Draft 7 leaves it to the implementation, newer drafts say that it is none."""
    text = {"contentEncoding": "base64", "contentMediaType": "application/json", "type": "string"}
    assert shipped({"properties": {"a": text}})({"a": "?"})
