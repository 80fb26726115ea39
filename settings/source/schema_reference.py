"""Makes the reference library's validator of a schema: the other side of the shipped module."""

from __future__ import annotations

import copy
from fractions import Fraction
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from settings.source.schema_code import anchored
from settings.source.schema_formats import FORMATS, NO_FORMAT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from jsonschema.protocols import Validator

    from settings.source.schemas import CompiledSchema


@lru_cache(maxsize=64)
def reference_for(schema: CompiledSchema) -> Validator:
    """Return the reference's validator of a schema, which asks no network.

    Two things are not the reference's: `multipleOf` is exact, where it divides floats, and `$` in
    a pattern is the end of the text, as in ECMA 262, where Python's is before a last newline too.
    Of formats it knows one value that fits none.
    """
    # Not at the top: it takes some 80 ms, and most commands only load sources.
    import jsonschema
    import referencing

    known = jsonschema.FormatChecker(formats=())
    for name in FORMATS if schema.formats else ():
        known.checks(name)(lambda value: value != NO_FORMAT)
    registry: Any = referencing.Registry()
    kind = _reference_class(schema.draft)
    made: Validator = kind(_with_anchors(schema), registry=registry, format_checker=known)
    return made


@cache
def _reference_class(draft: int) -> Any:
    import jsonschema

    drafts: dict[int, Any] = {
        4: jsonschema.Draft4Validator,
        6: jsonschema.Draft6Validator,
        7: jsonschema.Draft7Validator,
    }
    extend: Any = jsonschema.validators.extend
    return extend(drafts[draft], {"multipleOf": _multiple_of})


def _multiple_of(
    _validator: Any, divisor: float, instance: Any, _schema: Any
) -> Iterable[Exception]:
    from jsonschema import ValidationError

    number = isinstance(instance, int | float) and not isinstance(instance, bool)
    if number and Fraction(repr(instance)) % Fraction(repr(divisor)):
        yield ValidationError(f"{instance!r} is not a multiple of {divisor}")


def _with_anchors(schema: CompiledSchema) -> Any:
    written = [
        (pointer, node)
        for pointer, node in schema.places
        if any("$" in str(node.get(word)) for word in ("pattern", "patternProperties"))
    ]
    if not written:
        return schema.document
    document = copy.deepcopy(schema.document)
    # The deepest first: what is renamed is on the way to what lies below it.
    for pointer, _ in sorted(written, key=lambda one: -len(one[0])):
        node: Any = document
        for token in pointer:
            node = node[int(token)] if isinstance(node, list) else node[token]
        if isinstance(node.get("pattern"), str):
            node["pattern"] = anchored(node["pattern"])
        if isinstance(node.get("patternProperties"), dict):
            patterns = node["patternProperties"].items()
            node["patternProperties"] = {anchored(name): one for name, one in patterns}
    return document
