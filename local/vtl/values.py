"""The values of a template: how they print, compare and count as true in Velocity 1.7."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar

import orjson

from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from collections.abc import Callable

_SCIENTIFIC_ABOVE = 1e7
_SCIENTIFIC_BELOW = 1e-3


class VtlError(PipelineError):
    """A mapping template uses something that the local engine does not know, or fails."""


class JsonList(list[Any]):
    """A list that came out of JSON: it prints as JSON, where a Velocity list prints as Java."""


class Missing:
    """What `$input.path` gives for a path that is not there: prints as "", equals $null and ""."""

    __slots__ = ()


class VtlObject:
    """An object that a template can use by name; it offers what its tables list.

    Subclasses give `vtl_methods` (Velocity name to Python method name) and override
    `vtl_property` and `vtl_set` where they have properties.
    """

    type_name: ClassVar[str] = "object"
    vtl_methods: ClassVar[dict[str, str]] = {}

    def vtl_property(self, name: str) -> Any:
        """Give a property.

        Raises
        ------
        VtlError
            When there is none of this name.
        """
        raise VtlError(f"{self.type_name} has no property {name!r}")

    def vtl_set(self, name: str, value: Any) -> None:
        """Take the value of a property.

        Raises
        ------
        VtlError
            When there is none of this name, or it cannot be set.
        """
        raise VtlError(f"{self.type_name}.{name} cannot be set to {kind_of(value)}")

    def vtl_method(self, name: str) -> Callable[..., Any]:
        """Give a method.

        Raises
        ------
        VtlError
            When there is none of this name.
        """
        if name not in self.vtl_methods:
            raise VtlError(f"{self.type_name} has no method {name}()")
        method: Callable[..., Any] = getattr(self, self.vtl_methods[name])
        return method


class Entry(VtlObject):
    """One entry of a map, as `entrySet()` gives it."""

    type_name = "map entry"
    vtl_methods: ClassVar[dict[str, str]] = {"getKey": "key_of", "getValue": "value_of"}

    def __init__(self, key: Any, value: Any) -> None:
        self.key, self.value = key, value

    def key_of(self) -> Any:
        """Give the key."""
        return self.key

    def value_of(self) -> Any:
        """Give the value."""
        return self.value

    def vtl_property(self, name: str) -> Any:
        """Give `key` or `value`."""
        if name in {"key", "value"}:
            return getattr(self, name)
        return super().vtl_property(name)

    def __str__(self) -> str:
        return f"{to_text(self.key)}={to_text(self.value)}"


def json_value(parsed: Any) -> Any:
    """Mark the lists of a parsed JSON document, which print as JSON on API Gateway."""
    if isinstance(parsed, dict):
        return {key: json_value(item) for key, item in parsed.items()}
    if isinstance(parsed, list):
        return JsonList(json_value(item) for item in parsed)
    return parsed


def to_text(value: Any) -> str:
    """Print a value as Java's `toString` does."""
    if isinstance(value, str):
        return value
    printer = _PRINTERS.get(type(value), str)
    return printer(value)


def _float_text(value: float) -> str:
    magnitude = abs(value)
    if magnitude == 0 or _SCIENTIFIC_BELOW <= magnitude < _SCIENTIFIC_ABOVE:
        return repr(value)
    mantissa, _, exponent = f"{Decimal(repr(value)).normalize():e}".partition("e")
    return f"{mantissa if '.' in mantissa else mantissa + '.0'}E{int(exponent)}"


def _map_text(value: dict[Any, Any]) -> str:
    return "{" + ", ".join(f"{to_text(k)}={to_text(v)}" for k, v in value.items()) + "}"


def _list_text(value: list[Any]) -> str:
    return "[" + ", ".join(to_text(item) for item in value) + "]"


_PRINTERS: dict[type, Callable[[Any], str]] = {
    type(None): lambda _: "null",
    bool: lambda value: "true" if value else "false",
    float: _float_text,
    dict: _map_text,
    JsonList: lambda value: orjson.dumps(value, default=list).decode(),
    list: _list_text,
    Missing: lambda _: "",
}


_KINDS = {
    type(None): "null", str: "a string", bool: "a boolean", int: "a number", float: "a number",
    list: "a list", JsonList: "a list", dict: "a map", Missing: "a missing path",
}  # fmt: skip


def kind_of(value: Any) -> str:
    """Name the kind of a value; errors name kinds, since values are the sender's."""
    return value.type_name if isinstance(value, VtlObject) else _KINDS.get(type(value), "a value")


def is_true(value: Any) -> bool:
    """Tell whether a reference counts as true: everything but null and false, "" included."""
    if value is True:
        return True
    return value is not None and value is not False and not isinstance(value, Missing)


def equals(left: Any, right: Any) -> bool:
    """Compare as `==` does: numbers by value, different classes by what they print."""
    if type(left) is type(right):
        return isinstance(left, Missing) or bool(left == right)
    if isinstance(left, Missing) or isinstance(right, Missing):
        return to_text(left) in {"", "null"} and to_text(right) in {"", "null"}
    if left is None or right is None:
        return False
    if _is_number(left) and _is_number(right):
        return bool(left == right)
    return to_text(left) == to_text(right)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def compare(operator: str, left: Any, right: Any) -> bool:
    """Compare two numbers.

    Raises
    ------
    VtlError
        When one of them is no number: Velocity logs that and gives false.
    """
    if not (_is_number(left) and _is_number(right)):
        raise VtlError(f"{operator} compares numbers, got {kind_of(left)} and {kind_of(right)}")
    match operator:
        case "<":
            return bool(left < right)
        case "<=":
            return bool(left <= right)
        case ">":
            return bool(left > right)
        case _:
            return bool(left >= right)


def calculate(operator: str, left: Any, right: Any) -> Any:
    """Calculate; `+` joins where one side is a string.

    Raises
    ------
    VtlError
        For a side that is no number, and for a division by zero: Velocity gives null for both.
    """
    if operator == "+" and (isinstance(left, str) or isinstance(right, str)):
        if left is None or right is None:
            raise VtlError("+ has a side that is null")
        return to_text(left) + to_text(right)
    if not (_is_number(left) and _is_number(right)):
        raise VtlError(f"{operator} takes numbers, got {kind_of(left)} and {kind_of(right)}")
    if operator in "/%" and right == 0:
        raise VtlError(f"{operator} by zero")
    match operator:
        case "+":
            return left + right
        case "-":
            return left - right
        case "*":
            return left * right
        case "/":
            return _divide(left, right)
        case _:
            # Java's remainder has the sign of the left side.
            return left - right * int(left / right)


def _divide(left: float, right: float) -> float:
    if isinstance(left, int) and isinstance(right, int):
        quotient = abs(left) // abs(right)
        return quotient if (left < 0) == (right < 0) else -quotient
    return left / right
