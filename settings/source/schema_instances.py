"""Makes instances of a schema, and spoils them rule by rule.

These are guesses: whether one is valid is for the reference library to say. What matters is that
each rule of a schema is met by one value that keeps it and one that breaks it.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

from settings.source.schema_code import anchored
from settings.source.schema_formats import FORMATS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from settings.source.schema_places import Pointer, SchemaPlaces

#: Levels below which only what is required is made.
DEEPEST = 8
_TEXTS = ("text", "a", "A", "0", "7", "a1", "A-1", "x-a", "a@example.com", "0a", "AB-1234", "abc_1")
_TYPES = ("object", "array", "string", "integer", "number", "boolean", "null")
_TYPE_OF_WORD = {
    "object": "properties required additionalProperties patternProperties minProperties"
    " maxProperties dependencies propertyNames",
    "array": "items minItems maxItems uniqueItems contains additionalItems",
    "string": "minLength maxLength pattern format",
    "number": "minimum maximum exclusiveMinimum exclusiveMaximum multipleOf",
}


class SchemaInstances:
    """Instances of the schemas of one file."""

    def __init__(self, places: SchemaPlaces) -> None:
        self._places = places
        # None is long: a pattern can take a time that doubles with each character.
        self._texts = (*_TEXTS, *FORMATS.values())

    def instances(self) -> Iterator[Any]:
        """Return instances: one with all that the schema names, one with the least, and variants.

        A variant takes another branch of each `anyOf` and `oneOf`, and another type and value
        where several are listed.
        """
        yield self.make([()], 0, 0)
        yield self.make([()], 0, DEEPEST)
        yield from (self.make([()], pick, 0) for pick in range(1, self._most()))

    def _most(self) -> int:
        lists = ("anyOf", "oneOf", "enum", "type")
        sizes = [
            len(node[word])
            for _, node in self._places
            for word in lists
            if isinstance(node.get(word), list)
        ]
        sizes += [2 for _, node in self._places if "if" in node]
        return min(max(sizes, default=1), 8)

    def applying(self, pointers: Sequence[Pointer], pick: int) -> list[tuple[Pointer, Any]]:
        """Return the schemas that hold at one place together, references followed."""
        found: list[tuple[Pointer, Any]] = []
        waiting = list(pointers)
        while waiting and len(found) < 50:
            pointer = waiting.pop(0)
            target = self._places.target(pointer)
            if target is not None:
                waiting.append(target)
                continue
            node = self._places.at(pointer)
            found.append((pointer, node))
            if not isinstance(node, dict):
                continue
            for word in ("allOf", "anyOf", "oneOf"):
                branches = range(len(node.get(word, ())))
                taken = branches if word == "allOf" or not branches else [pick % len(branches)]
                waiting += [(*pointer, word, str(number)) for number in taken]
            linked = node.get("dependencies", {})
            schemas = (name for name in linked if isinstance(linked[name], dict))
            waiting += [(*pointer, "dependencies", name) for name in schemas]
            if "if" in node:
                taken_words = ("else",) if pick % 2 else ("if", "then")
                waiting += [(*pointer, word) for word in taken_words if word in node]
        return found

    def make(self, pointers: Sequence[Pointer], pick: int, depth: int) -> Any:
        """Return a value to which the schemas at these places apply together."""
        applying = self.applying(pointers, pick)
        nodes = [node for _, node in applying if isinstance(node, dict)]
        for node in nodes:
            if "const" in node:
                return node["const"]
            if node.get("enum"):
                return node["enum"][pick % len(node["enum"])]
        types = _types(nodes, nested=depth % DEEPEST > 0)
        match types[pick % len(types)]:
            case "object":
                return self._object(applying, pick, depth)
            case "array":
                return self._array(applying, pick, depth)
            case "string":
                return self.text(nodes)
            case "integer" | "number" as kind:
                return _number(nodes, whole=kind == "integer")
            case "boolean":
                return True
        return None

    def _object(self, applying: Sequence[tuple[Pointer, Any]], pick: int, depth: int) -> Any:
        nodes = [node for _, node in applying if isinstance(node, dict)]
        names = dict.fromkeys(name for node in nodes for name in node.get("required", ()))
        if depth < DEEPEST:
            names |= dict.fromkeys(name for node in nodes for name in node.get("properties", ()))
            for node in nodes:
                found = (self._matching(one) for one in node.get("patternProperties", ()))
                names |= dict.fromkeys(name for name in found if name is not None)
        least = max((int(node.get("minProperties", 0)) for node in nodes), default=0)
        names |= dict.fromkeys(f"key{number}" for number in range(least - len(names)))
        made = {}
        for name in names:
            below = property_places(applying, name)
            if depth < 3 * DEEPEST and all(self._places.at(one) is not False for one in below):
                made[name] = self.make(below, pick, depth + 1)
        return made

    def _array(self, applying: Sequence[tuple[Pointer, Any]], pick: int, depth: int) -> Any:
        nodes = [node for _, node in applying if isinstance(node, dict)]
        least = max((int(node.get("minItems", 0)) for node in nodes), default=0)
        listed = max(
            (len(node["items"]) for node in nodes if isinstance(node.get("items"), list)), default=0
        )
        within = any("items" in node or "contains" in node for node in nodes) and depth < DEEPEST
        size = min(max(least, listed if depth < DEEPEST else 0, int(within)), 50)
        made = []
        for number in range(size):
            below = item_places(applying, number)
            if number == 0:
                below += [(*at, "contains") for at, node in applying if "contains" in _dict(node)]
            made.append(self.make(below, pick + number, depth + 1))
        return made

    def text(self, nodes: Sequence[dict[str, Any]]) -> str:
        """Return a text that keeps the rules of these schemas, as far as one is known."""
        least = max((int(node.get("minLength", 0)) for node in nodes), default=0)
        most = min((int(node.get("maxLength", 10**6)) for node in nodes), default=10**6)
        formats = [FORMATS[node["format"]] for node in nodes if node.get("format") in FORMATS]
        patterns = [re.compile(anchored(node["pattern"])) for node in nodes if "pattern" in node]
        sized = ["text".ljust(least, "x")[:most], "7" * least, "A" * least]
        for text in (*formats, *sized, *self._texts):
            if least <= len(text) <= most and all(one.search(text) for one in patterns):
                return text
        return sized[0]

    def _matching(self, pattern: str) -> str | None:
        compiled = re.compile(anchored(pattern))
        return next((text for text in self._texts if compiled.search(text)), None)


def property_places(applying: Sequence[tuple[Pointer, Any]], name: str) -> list[Pointer]:
    """Return where the schemas of a property are, of an object to which these apply."""
    found: list[Pointer] = []
    for pointer, node in applying:
        if not isinstance(node, dict):
            continue
        own: list[Pointer] = []
        if name in node.get("properties", {}):
            own.append((*pointer, "properties", name))
        own += [
            (*pointer, "patternProperties", pattern)
            for pattern in node.get("patternProperties", {})
            if re.search(anchored(pattern), name)
        ]
        if not own and "additionalProperties" in node:
            own.append((*pointer, "additionalProperties"))
        found += own
    return found


def item_places(applying: Sequence[tuple[Pointer, Any]], number: int) -> list[Pointer]:
    """Return where the schemas of an item are, of an array to which these apply."""
    found: list[Pointer] = []
    for pointer, node in applying:
        items = _dict(node).get("items")
        if isinstance(items, list):
            if number < len(items):
                found.append((*pointer, "items", str(number)))
            elif "additionalItems" in node:
                found.append((*pointer, "additionalItems"))
        elif items is not None:
            found.append((*pointer, "items"))
    return found


def _dict(node: Any) -> dict[str, Any]:
    return node if isinstance(node, dict) else {}


def listed(value: Any) -> list[Any]:
    """Return what `type` names, as a list."""
    return value if isinstance(value, list) else [value]


def _types(nodes: Sequence[dict[str, Any]], *, nested: bool) -> list[str]:
    allowed = [one for node in nodes if "type" in node for one in listed(node["type"])]
    both = [
        kind
        for kind in dict.fromkeys(allowed)
        if kind in _TYPES
        and all(_allows(listed(node["type"]), kind) for node in nodes if "type" in node)
    ]
    if both:
        return both
    words = {word for node in nodes for word in node}
    guessed = [kind for kind, named in _TYPE_OF_WORD.items() if words & set(named.split())]
    return guessed or (["string"] if nested else ["object"])


def _allows(types: Sequence[str], kind: str) -> bool:
    return kind in types or (kind == "integer" and "number" in types)


def _number(nodes: Sequence[dict[str, Any]], *, whole: bool) -> int | float:
    low, high, step = -math.inf, math.inf, 0.0
    for node in nodes:
        low = max(low, *(_bound(node, word, low) for word in ("minimum", "exclusiveMinimum")))
        high = min(high, *(_bound(node, word, high) for word in ("maximum", "exclusiveMaximum")))
        step = max(step, node.get("multipleOf", 0))
    if step:
        first = math.ceil(low / step) if low > -math.inf else 0
        wanted = [first * step, (first + 1) * step]
    else:
        wanted = [7.0 if whole else 7.5, low + 1, high - 1, low, high, (low + high) / 2]
    fits = [one for one in wanted if low < one < high] or [
        one for one in wanted if low <= one <= high
    ]
    made = fits[0] if fits else wanted[0]
    return int(made) if math.isfinite(made) and float(made).is_integer() else made


def _bound(node: dict[str, Any], word: str, otherwise: float) -> float:
    # In draft 4 the exclusive ones are booleans.
    bound = node.get(word, otherwise)
    return otherwise if isinstance(bound, bool) else float(bound)
