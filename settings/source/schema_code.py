"""Writes the validator of a schema as Python, and runs such a text.

fastjsonschema names its functions after `$id` and `$ref`, takes `#/definitions/a-b` and
`#/definitions/a_b` for one function, fetches what a reference names, and reads `$ref` and `id`
in what is data. So it is given a plain schema: each target of a reference under a name of its own
in `definitions`, and of the other words those alone that it checks.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import fastjsonschema

from settings.source.schema_lean import lean_code
from settings.source.schema_words import ONE_SCHEMA, RULES, SCHEMA_LIST, SCHEMA_MAP

if TYPE_CHECKING:
    from settings.source.schema_places import Pointer, SchemaPlaces

Validate = Callable[[Any], Any]

_NO_NAME = re.compile(r"[^a-z0-9]+")
#: Without a draft the compiler knows the formats `uuid` and `duration` beside those of draft 7.
_NAMED = {
    4: "http://json-schema.org/draft-04/schema#",
    6: "http://json-schema.org/draft-06/schema#",
}


def validator_code(places: SchemaPlaces, draft: int, *, formats: bool) -> str:
    """Return the module that is shipped for a schema; its function is `validate`.

    Parameters
    ----------
    formats : bool
        Whether `format` is checked.

    Raises
    ------
    Exception
        Whatever the compiler meets in a schema that is wrong.
    """
    return _code(json.dumps(_PlainSchema(places, draft).schema()), formats=formats)


@lru_cache(maxsize=1024)
def _code(plain: str, *, formats: bool) -> str:
    """Compile a plain schema: once for all stages, and all stacks, that have it."""
    return lean_code(
        fastjsonschema.compile_to_code(
            json.loads(plain), handlers=_NoDocuments(), use_default=False, use_formats=formats
        )
    )


@lru_cache(maxsize=1024)
def run_code(code: str, name: str) -> Validate:
    """Return the function `validate` of a validator's module.

    Parameters
    ----------
    name : str
        What tracebacks call it.

    Raises
    ------
    Exception
        Whatever running it raises; KeyError where it has no such function.
    """
    module: dict[str, Any] = {"__name__": name}
    exec(compile(code, name, "exec"), module)  # noqa: S102 - what is shipped is what is run
    validate: Validate = module["validate"]
    return validate


class _PlainSchema:
    def __init__(self, places: SchemaPlaces, draft: int) -> None:
        self._places, self._draft = places, draft
        self._names: dict[Pointer, str] = {}

    def schema(self) -> dict[str, Any]:
        plain = self._plain((), self._places.root)
        definitions: dict[str, Any] = {}
        while missing := [one for one in self._names if self._names[one] not in definitions]:
            for pointer in missing:
                definitions[self._names[pointer]] = self._plain(pointer, self._places.at(pointer))
        named = {"$schema": _NAMED[self._draft]} if self._draft in _NAMED else {}
        return {**named, **plain, **({"definitions": definitions} if definitions else {})}

    def _plain(self, pointer: Pointer, node: Any) -> Any:
        if not isinstance(node, dict):
            return node
        target = self._places.target(pointer)
        if target is not None:
            return {"$ref": self._reference(target)}
        return {
            word: self._value(word, (*pointer, word), value)
            for word, value in node.items()
            if word in RULES[self._draft]
        }

    def _reference(self, target: Pointer) -> str:
        if not target:
            return "#"
        # The number makes it one of its kind, the word is for whoever reads the module.
        label = _NO_NAME.sub("_", target[-1].lower()).strip("_")[:40]
        name = self._names.setdefault(target, f"{label or 'schema'}_{len(self._names)}")
        return f"#/definitions/{name}"

    def _value(self, word: str, at: Pointer, value: Any) -> Any:
        if word == "pattern" and isinstance(value, str):
            return compiled_pattern(value)
        if word in SCHEMA_LIST and isinstance(value, list):
            return [self._plain((*at, str(number)), one) for number, one in enumerate(value)]
        if word in SCHEMA_MAP and isinstance(value, dict):
            # `dependencies` may hold lists of names, which are kept as they are.
            return {
                anchored(name) if word == "patternProperties" else name: self._plain(
                    (*at, name), one
                )
                for name, one in value.items()
            }
        return self._plain(at, value) if word in ONE_SCHEMA else value


def anchored(pattern: str) -> str:
    r"""Return a pattern of ECMA 262 for Python: `$` is the end, `\Z`, not before a last newline."""
    return "".join(
        "\\Z" if part == "$" and not inside else part for part, inside in _parts(pattern)
    )


def compiled_pattern(pattern: str) -> str:
    r"""Return a pattern for the compiler, which writes `\Z` for a `$` that has no `\` before it.

    It does so inside of `[…]` as well, and not after an escaped backslash.
    """
    written, before = [], ""
    for part, inside in _parts(pattern):
        if part == "$" and inside:
            written.append("\\$")
        else:
            written.append("\\Z" if part == "$" and before.endswith("\\") else part)
        before = part
    return "".join(written)


def _parts(pattern: str) -> Iterator[tuple[str, bool]]:
    """Return characters and escapes, with whether each is inside of `[…]`."""
    inside = False
    for part in re.findall(r"\\.|.", pattern, re.DOTALL):
        yield part, inside
        if part in {"[", "]"}:
            inside = part == "[" if not inside else part != "]"


class _NoDocuments(Mapping[str, Callable[[str], Any]]):
    """Has a handler for each scheme, which refuses: else the compiler would ask the network."""

    def __getitem__(self, scheme: str) -> Callable[[str], Any]:
        def refuse(uri: str) -> Any:
            raise fastjsonschema.JsonSchemaDefinitionException(f"{uri} is another document")

        return refuse

    def __contains__(self, scheme: object) -> bool:
        return True

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0
