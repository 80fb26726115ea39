"""Breaks the rules of a schema one by one in an instance of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from settings.source.schema_formats import NO_FORMAT
from settings.source.schema_instances import item_places, listed, property_places

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from settings.source.schema_instances import SchemaInstances
    from settings.source.schema_places import Pointer

#: Values that are near to a type: `true` is no number, though Python says so, and 1.0 is an
#: integer since draft 6.
_NEAR: dict[str, tuple[Any, ...]] = {
    "object": ([],),
    "array": ({},),
    "string": (7,),
    "integer": (1.5, "7", True, 1.0),
    "number": (True, "7", 0.0),
    "boolean": (1,),
    "null": (0,),
}
_UNLISTED = "in no list of values"
_UNNAMED = "[ an unnamed key"


#: A rule, the number of its broken value, the kind of value that it was broken for and, where
#: each use of a rule counts, where it is used.
Seen = set[tuple["Pointer", int, type, tuple["Pointer", ...]]]


def spoiled(
    made: SchemaInstances,
    value: Any,
    seen: Seen,
    pick: int = 0,
    places: Sequence[Pointer] = ((),),
) -> Iterator[tuple[Pointer, Any]]:
    """Return instances that should break one rule each.

    Parameters
    ----------
    value : Any
        A valid instance.
    seen : Seen
        What was spoiled before, to be handed on: what many references lead to is spoiled once,
        and at each of them as a whole, which shows that the reference is followed.
    places : Sequence[Pointer]
        The schemas that apply to it.

    Yields
    ------
    tuple[Pointer, Any]
        Where the rule stands, and the instance.
    """
    applying = made.applying(places, pick)
    for pointer, node in applying:
        for word in node if isinstance(node, dict) else ():
            at = (*pointer, word)
            broken = [*_broken(word, node[word], value)]
            if word == "not":
                broken.append(made.make([at], pick, 1))
            for number, wrong in enumerate(broken):
                use = tuple(places) if word == "type" and number == 0 else ()
                key = (at, number, type(value), use)
                if key not in seen:
                    seen.add(key)
                    yield at, wrong
    for name, one, below in _children(applying, value):
        other = pick + (name if isinstance(name, int) else 0)
        for pointer, wrong in spoiled(made, one, seen, other, below):
            yield pointer, _replaced(value, name, wrong)


def _children(
    applying: Sequence[tuple[Pointer, Any]], value: Any
) -> Iterator[tuple[Any, Any, Sequence[Pointer]]]:
    if isinstance(value, dict):
        found = ((key, one, property_places(applying, key)) for key, one in value.items())
        yield from (child for child in found if child[2])
    elif isinstance(value, list):
        items = enumerate(value[:8])
        listed_items = ((number, one, item_places(applying, number)) for number, one in items)
        yield from (child for child in listed_items if child[2])


def _replaced(value: Any, key: Any, wrong: Any) -> Any:
    if isinstance(value, dict):
        return {**value, key: wrong}
    return [*value[:key], wrong, *value[key + 1 :]]


def _broken(word: str, rule: Any, value: Any) -> Iterator[Any]:
    """Return values that break a rule, and for a limit the value at the limit, which keeps it."""
    if word == "type":
        yield from _of_other_types(listed(rule))
    elif word in {"enum", "const"}:
        yield _UNLISTED
    elif word == "pattern":
        yield from ("\n", f"{value}\n")
    elif word == "format":
        yield NO_FORMAT
    elif isinstance(value, dict):
        yield from _objects(word, rule, value)
    elif isinstance(value, list):
        yield from _arrays(word, rule, value)
    elif isinstance(value, str) and word == "minLength":
        yield from ("x" * size for size in _below(rule))
    elif isinstance(value, str) and word == "maxLength":
        yield from ("x" * size for size in _above(rule))
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield from _numbers(word, rule, value)


def _below(rule: float) -> tuple[int, ...]:
    return (int(rule) - 1, int(rule)) if rule >= 1 else (0,)


def _above(rule: float) -> tuple[int, ...]:
    # Nobody makes a text of gigabytes to see that it is too long.
    return (int(rule) + 1, int(rule)) if rule < 100_000 else ()


def _of_other_types(types: list[Any]) -> Iterator[Any]:
    for kind in types:
        yield from _NEAR.get(kind, ())
    if "null" not in types:
        yield None


def _objects(word: str, rule: Any, value: dict[str, Any]) -> Iterator[Any]:
    if word == "required":
        yield from ({key: value[key] for key in value if key != name} for name in rule)
    elif word in {"additionalProperties", "propertyNames"}:
        yield from ({**value, _UNNAMED: wrong} for wrong in ("text", None, 7))
        if isinstance(rule, dict) and isinstance(rule.get("maxLength"), int):
            yield from ({**value, "x" * size: 1} for size in _above(rule["maxLength"]))
    elif word == "minProperties":
        yield from (dict(list(value.items())[:size]) for size in _below(rule))
    elif word == "maxProperties":
        for size in _above(rule):
            more = {f"x{number}": 1 for number in range(size - len(value))}
            yield dict([*value.items(), *more.items()][:size])
    else:
        yield from _keys(word, rule, value)


def _keys(word: str, rule: Any, value: dict[str, Any]) -> Iterator[Any]:
    if word == "dependencies":
        for name, needed in rule.items():
            for other in needed if isinstance(needed, list) else ():
                yield {**{key: value[key] for key in value if key != other}, name: value.get(name)}
    elif word == "properties":
        yield from ({**value, name: "text"} for name, one in rule.items() if one is False)
    elif word == "if" and isinstance(rule, dict):
        yield {**value, **dict.fromkeys(rule.get("required", ()), "text")}


def _arrays(word: str, rule: Any, value: list[Any]) -> Iterator[Any]:
    some = value or ["text"]
    if word == "minItems":
        yield from ((some * size)[:size] for size in _below(rule))
    elif word == "maxItems":
        yield from ((some * size)[:size] for size in _above(rule))
    elif word == "uniqueItems":
        yield [*some, some[0]]
    elif word in {"items", "additionalItems"}:
        yield from ([*value, wrong] for wrong in ("text", None))
        yield from (value[:size] for size in range(len(value) if isinstance(rule, list) else 0))
    elif word == "contains":
        yield from ([], [_UNLISTED])


def _numbers(word: str, rule: Any, value: float) -> Iterator[Any]:
    if isinstance(rule, bool):
        return
    match word:
        case "minimum":
            yield from (rule - 1, rule)
        case "maximum":
            yield from (rule + 1, rule)
        case "exclusiveMinimum" | "exclusiveMaximum":
            yield rule
        case "multipleOf":
            yield from (value + rule / 2, value + 1)
