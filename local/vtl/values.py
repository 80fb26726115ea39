"""The values of a template: how they print, compare and count as true in Velocity 1.7."""

from __future__ import annotations

import math
import operator
from typing import TYPE_CHECKING, Any, ClassVar

from pipeline.errors import PipelineError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class VtlError(PipelineError):
    """A mapping template uses something that the local engine does not know, or fails."""


class VtlObject:
    """An object that a template can use by name; it offers what its tables list.

    Subclasses give `vtl_methods` (Velocity name to Python method name) and override
    `vtl_property` where they have properties.
    """

    type_name: ClassVar[str] = "object"
    vtl_methods: ClassVar[dict[str, str]] = {}

    def vtl_property(self, name: str) -> Any:
        """Return a property.

        Raises
        ------
        VtlError
            When there is none of this name.
        """
        raise VtlError(f"{self.type_name} has no property {name!r}")

    def vtl_method(self, name: str) -> Callable[..., Any]:
        """Return a method.

        Raises
        ------
        VtlError
            When there is none of this name.
        """
        if name not in self.vtl_methods:
            raise VtlError(f"{self.type_name} has no method {name}()")
        method: Callable[..., Any] = getattr(self, self.vtl_methods[name])
        return method


def to_text(value: Any) -> str:
    """Print a value as Java's `toString` does.

    Raises
    ------
    VtlError
        For a list, a map and whatever else no deployed template prints.
    """
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
    raise VtlError(f"{kind_of(value)} cannot be printed; only strings, numbers and booleans")


_KINDS = {
    type(None): "null", str: "a string", bool: "a boolean", int: "a number",
    list: "a list", dict: "a map",
}  # fmt: skip


def kind_of(value: Any) -> str:
    """Name the kind of a value; errors name kinds, since values are the sender's."""
    return value.type_name if isinstance(value, VtlObject) else _KINDS.get(type(value), "a value")


def is_true(value: Any) -> bool:
    """Tell whether a reference counts as true: everything but null and false, "" included."""
    return value is not None and value is not False


def equals(left: Any, right: Any) -> bool:
    """Compare as `==` does: different classes by what they print.

    A null equals the empty text, as recorded from API Gateway where the recordings of
    `rendering.printed` are from; in Velocity it does not.

    Raises
    ------
    VtlError
        For different classes of which one cannot be printed.
    """
    if type(left) is type(right):
        return bool(left == right)
    if left is None or right is None:
        return "" in (left, right)
    return to_text(left) == to_text(right)


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


_WORK: Mapping[str, Callable[[int, int], Any]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    # Java's remainder has the sign of the left side.
    "%": lambda left, right: int(math.fmod(left, right)),
}


def calculate(symbol: str, left: Any, right: Any) -> Any:
    """Compare, or take the remainder of two whole numbers.

    Raises
    ------
    VtlError
        For a side that is no number, and for a division by zero: Velocity logs that, and takes it
        for false or null.
    """
    if symbol in {"==", "!="}:
        return equals(left, right) is (symbol == "==")
    if not (_is_number(left) and _is_number(right)):
        raise VtlError(f"{symbol} takes numbers, got {kind_of(left)} and {kind_of(right)}")
    if symbol == "%" and right == 0:
        raise VtlError("% by zero")
    return _WORK[symbol](left, right)
