"""From what Pydantic finds in a document to faults in our own words, with the file's own keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from settings.faults import Fault, WrongKeysError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

#: The kinds of https://docs.pydantic.dev/latest/errors/validation_errors/ that the models can give;
#: what stands in braces is Pydantic's context of the fault.
_EXPECTED = {
    "bool_parsing": "expected true or false",
    "bool_type": "expected true or false",
    "datetime_from_date_parsing": "expected a time, such as 2026-11-24T19:28:20Z",
    "datetime_object_invalid": "expected a time, such as 2026-11-24T19:28:20Z",
    "datetime_parsing": "expected a time, such as 2026-11-24T19:28:20Z",
    "datetime_type": "expected a time, such as 2026-11-24T19:28:20Z",
    "dict_type": "expected a mapping",
    "enum": "expected {expected}",
    "extra_forbidden": "unknown key",
    "finite_number": "expected a finite number",
    "float_parsing": "expected a number",
    "float_type": "expected a number",
    "greater_than": "expected more than {gt}",
    "greater_than_equal": "expected {ge} or more",
    "int_from_float": "expected a whole number",
    "int_parsing": "expected a whole number",
    "int_parsing_size": "expected a smaller number",
    "int_type": "expected a whole number",
    "invalid_key": "expected text as a key; put it in quotes",
    "less_than": "expected less than {lt}",
    "less_than_equal": "expected {le} or less",
    "literal_error": "expected {expected}",
    "missing": "this key is required",
    "model_attributes_type": "expected a mapping",
    "model_type": "expected a mapping",
    "path_type": "expected the path of a file",
    "recursion_loop": "expected a value that does not hold itself",
    "string_pattern_mismatch": "expected text that matches {pattern}",
    "string_sub_type": "expected text; put it in quotes",
    "string_too_long": "expected {max_length} characters or less",
    "string_too_short": "expected {min_length} characters or more",
    "string_type": "expected text; put it in quotes",
    "string_unicode": "expected text without half characters",
    "timezone_aware": "expected a time with an offset, such as 2026-11-24T19:28:20Z",
    "too_long": "expected {max_length} entries or less",
    "too_short": "expected {min_length} entries or more",
    "tuple_type": "expected a list",
}
_OTHERWISE = "expected a value of another form"
#: What tells the forms of a mapping apart; Pydantic has its value among the keys of a fault.
_TAGS = ("mode", "provider", "type")
_KEY_ALONE = {"missing", "extra_forbidden", "invalid_key"}
_LONGEST = 80


@dataclass(frozen=True)
class _Found:
    keys: tuple[str, ...]
    expected: str
    found: str
    one_of_many: bool
    """Whether the value may have several forms, of which this fault is about one."""


def faults_of(error: ValidationError, document: Any, file: str) -> tuple[Fault, ...]:
    """Return all that Pydantic found, in the order in which it did.

    Parameters
    ----------
    document : Any
        What it was asked about: it tells keys from what Pydantic adds to them.
    file : str
        Where the document is from.
    """
    found = [one for fault in error.errors(include_url=False) for one in _read(fault, document)]
    told: dict[tuple[str, ...], list[_Found]] = {}
    for one in found:
        # Of a list with one wrong element, the element is told, and not that text will do as well.
        below = any(other.keys[: len(one.keys)] == one.keys != other.keys for other in found)
        if not (one.one_of_many and below):
            told.setdefault(one.keys, []).append(one)
    return tuple(
        Fault(file, ".".join(keys), expected, ones[0].found)
        for keys, ones in told.items()
        for expected in _joined(ones)
    )


def _joined(ones: list[_Found]) -> list[str]:
    forms = dict.fromkeys(one.expected for one in ones if one.one_of_many)
    rest = dict.fromkeys(one.expected for one in ones if not one.one_of_many)
    first, *others = forms or [""]
    either = " or ".join([first, *(one.removeprefix("expected ") for one in others)])
    return [*([either] if either else []), *rest]


def _read(fault: ErrorDetails, document: Any) -> Iterator[_Found]:
    keys, one_of_many = _written(fault, document)
    kind, value, context = fault["type"], fault["input"], fault.get("ctx", {})
    cause = context.get("error")
    if isinstance(cause, WrongKeysError):
        for key, expected in cause.wrong:
            yield _Found((*keys, *key.split(".")), one_line(expected), "", one_of_many)
    elif isinstance(cause, Exception):
        found = "" if isinstance(value, dict | list) else said(value)
        yield _Found(keys, one_line(str(cause)), found, one_of_many)
    elif kind.startswith("union_tag"):
        yield _tag(keys, fault, one_of_many=one_of_many)
    else:
        expected = _EXPECTED.get(kind, _OTHERWISE).format_map(context)
        found = "" if kind in _KEY_ALONE else said(value)
        yield _Found(keys, one_line(expected), found, one_of_many)


def _tag(keys: tuple[str, ...], fault: ErrorDetails, *, one_of_many: bool) -> _Found:
    """Return the fault of the key that says which form a mapping has."""
    value, context = fault["input"], fault.get("ctx", {})
    if not isinstance(value, dict):
        return _Found(keys, "expected a mapping", said(value), one_of_many)
    name = str(context["discriminator"]).strip("'")
    if name not in value:
        return _Found((*keys, name), _EXPECTED["missing"], "", one_of_many)
    expected = f"expected one of {context['expected_tags']}"
    return _Found((*keys, name), expected, said(value[name]), one_of_many)


def _written(fault: ErrorDetails, document: Any) -> tuple[tuple[str, ...], bool]:
    """Keep of a fault's place what the file has: tags and names of forms are no keys of it."""
    keys: list[str] = []
    node, passed, one_of_many = document, False, False
    for number, part in enumerate(fault["loc"], 1):
        last = number == len(fault["loc"])
        missing, unknown = (last and fault["type"] == one for one in ("missing", "extra_forbidden"))
        # What is unknown is a key, also where `type: name` stands beside `name: …`.
        if isinstance(node, dict) and part in _tags(node) and not passed and not unknown:
            passed = True
        elif isinstance(node, dict) and (part in node or _is_no_name(part)):
            keys.append(one_line(str(part)) or "''")
            node, passed = node.get(part), False
        elif isinstance(node, list) and isinstance(part, int):
            keys.append(str(part))
            node, passed = node[part] if part < len(node) else None, False
        elif missing:
            keys.append(str(part))
        else:
            one_of_many = one_of_many or part != "[key]"
    return tuple(keys), one_of_many


def _is_no_name(part: object) -> bool:
    return not isinstance(part, str)


def _tags(node: Mapping[Any, Any]) -> set[str]:
    return {value for name in _TAGS if isinstance(value := node.get(name), str)}


def said(value: object) -> str:
    """Return a value as a person would write it, in short."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list | tuple | set):
        return "a list"
    if value is None or isinstance(value, bool):
        return {None: "nothing", True: "true", False: "false"}[value]
    if isinstance(value, bytes):
        return "binary data"
    if isinstance(value, int) and value.bit_length() > 256:
        return "a number of many digits"
    text = repr(value) if isinstance(value, str) else str(value)
    return one_line(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…")


def one_line(text: str) -> str:
    """Return a text without line breaks and without what a terminal would obey."""
    folded = " ".join(text.split())
    return "".join(one if one.isprintable() else f"\\u{ord(one):04x}" for one in folded)
