"""The words of JSON Schema: what the compiler checks, and what it would pass over in silence.

The tables are those of the specifications: draft-fge-json-schema-validation-00 (draft 4),
draft-wright-json-schema-validation-01 (6), draft-handrews-json-schema-validation-01 (7) and, for
the words that are newer, those of 2019-09 and 2020-12. fastjsonschema knows the first three.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from settings.source.schema_places import Pointer

DRAFTS = {
    "http://json-schema.org/draft-04/schema": 4,
    "http://json-schema.org/draft-06/schema": 6,
    "http://json-schema.org/draft-07/schema": 7,
}
#: Without `$schema` a schema is of the newest draft that there is a compiler for.
NEWEST = 7

_DRAFT_4 = frozenset(
    [
        "$ref",
        "additionalItems",
        "additionalProperties",
        "allOf",
        "anyOf",
        "dependencies",
        "enum",
        "exclusiveMaximum",
        "exclusiveMinimum",
        "format",
        "items",
        "maxItems",
        "maxLength",
        "maxProperties",
        "maximum",
        "minItems",
        "minLength",
        "minProperties",
        "minimum",
        "multipleOf",
        "not",
        "oneOf",
        "pattern",
        "patternProperties",
        "properties",
        "required",
        "type",
        "uniqueItems",
    ]
)
_DRAFT_6 = _DRAFT_4 | {"const", "contains", "propertyNames"}
_DRAFT_7 = _DRAFT_6 | {"if", "then", "else"}
#: The words by which an event can be refused, by draft.
RULES = {4: _DRAFT_4, 6: _DRAFT_6, 7: _DRAFT_7}

#: One schema, a list of them, or an object of them. `items` can be either of the first two.
ONE_SCHEMA = frozenset(
    [
        "additionalItems",
        "additionalProperties",
        "contains",
        "else",
        "if",
        "items",
        "not",
        "propertyNames",
        "then",
    ]
)
SCHEMA_LIST = frozenset({"allOf", "anyOf", "items", "oneOf"})
SCHEMA_MAP = frozenset({"dependencies", "patternProperties", "properties"})
#: Their schemas are about the value itself, and not about what is in it.
SAME_VALUE = frozenset(["allOf", "anyOf", "dependencies", "else", "if", "not", "oneOf", "then"])
#: Where schemas are kept that others refer to; `$defs` is what newer drafts call `definitions`.
CONTAINERS = frozenset({"definitions", "$defs"})

_ELSEWHERE = {
    "$anchor": ("draft 2019-09", "use '$id' with '#name'"),
    "$dynamicAnchor": ("draft 2020-12", ""),
    "$dynamicRef": ("draft 2020-12", "use '$ref'"),
    "$recursiveAnchor": ("draft 2019-09", ""),
    "$recursiveRef": ("draft 2019-09", "use '$ref' with '#'"),
    "$vocabulary": ("draft 2019-09", ""),
    "contentSchema": ("draft 2019-09", ""),
    "dependentRequired": ("draft 2019-09", "use 'dependencies'"),
    "dependentSchemas": ("draft 2019-09", "use 'dependencies'"),
    "maxContains": ("draft 2019-09", ""),
    "minContains": ("draft 2019-09", ""),
    "prefixItems": ("draft 2020-12", "use 'items' with a list"),
    "unevaluatedItems": ("draft 2019-09", "use 'additionalItems'"),
    "unevaluatedProperties": ("draft 2019-09", "use 'additionalProperties'"),
    "disallow": ("draft 3", "use 'not'"),
    "divisibleBy": ("draft 3", "use 'multipleOf'"),
    "extends": ("draft 3", "use 'allOf'"),
    "nullable": ("OpenAPI", "use 'type' with a list that has 'null'"),
}
_ANNOTATIONS = frozenset(
    [
        "$comment",
        "$id",
        "$schema",
        "contentEncoding",
        "contentMediaType",
        "default",
        "deprecated",
        "description",
        "example",
        "examples",
        "id",
        "readOnly",
        "title",
        "writeOnly",
    ]
)
#: Shorter words are near to too much that is no misspelling of them ('note' and 'not').
_SHORTEST, _NEAR = 4, 0.8


def draft_of(schema: Mapping[str, Any]) -> int | None:
    """Return the number of a schema's draft; None for one that cannot be compiled."""
    named = schema.get("$schema")
    if named is None:
        return NEWEST
    # The fragment is empty, and is left out by some. https is what many write by mistake.
    bare = str(named).removesuffix("#")
    return DRAFTS.get(bare.replace("https://", "http://", 1))


def wrong_words(pointer: Pointer, node: Mapping[str, Any], draft: int) -> Iterator[tuple[str, str]]:
    """Find what would be passed over in silence in one schema, its subschemas left out.

    Yields
    ------
    tuple[str, str]
        The word, and what is wrong with it.
    """
    rules = RULES[draft]
    beside = isinstance(node.get("$ref"), str)
    for word in node:
        if beside and word in rules and word != "$ref":
            expected = "is passed over beside '$ref', up to draft 7; put both into 'allOf'"
            yield word, f"'{word}' {expected}"
        elif word in _ELSEWHERE:
            origin, instead = _ELSEWHERE[word]
            advice = f"; {instead}" if instead else ""
            yield word, f"'{word}' is a word of {origin} and would be passed over{advice}"
        elif word in _DRAFT_7 - rules:
            yield word, f"'{word}' is a word of a newer draft than draft {draft}; name that one"
        elif word not in rules | _ANNOTATIONS | CONTAINERS and (meant := _meant(word, rules)):
            yield word, f"'{word}' is no word of JSON Schema; is '{meant}' meant?"
        elif word == "$schema" and pointer and draft_of(node) != draft:
            yield word, "a schema has the draft of its file; put '$schema' at the top"


def _meant(word: str, rules: frozenset[str]) -> str | None:
    if word.startswith(("x-", "X-")):
        return None
    lower = {known.lower(): known for known in sorted(rules) if len(known) >= _SHORTEST}
    near = difflib.get_close_matches(word.lower(), lower, n=1, cutoff=_NEAR)
    return lower[near[0]] if near else None
