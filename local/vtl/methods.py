"""The methods of Java's strings and maps that the deployed templates call."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from local.vtl.values import VtlError, VtlObject, kind_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_JAVA_GROUP = re.compile(r"\\(.)|\$(\d)|\\$|\$", re.DOTALL)


def _length(text: str) -> int:
    # Java counts UTF-16 units: an emoji has the length 2.
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def _replacement(text: str) -> Callable[[re.Match[str]], str]:
    # Java writes a group as $1 and takes a backslash before any character as that character.
    def part(found: re.Match[str], value: re.Match[str]) -> str:
        literal, group = found.groups()
        if literal is not None:
            return str(literal)
        if group is None:
            raise VtlError("replacement: a lone $, or a backslash at its end")
        try:
            return value.group(int(group)) or ""
        except IndexError:
            raise VtlError(f"replacement: no group {group}") from None

    return lambda value: _JAVA_GROUP.sub(lambda found: part(found, value), text)


def _replace_all(text: str, regex: str, replacement: str) -> str:
    try:
        return re.sub(regex, _replacement(replacement), text)
    except re.error as error:
        raise VtlError(f"regular expression: {error}") from None


_METHODS: Mapping[type, Mapping[str, Callable[..., Any]]] = {
    str: {
        "contains": lambda text, part: part in text,
        "length": _length,
        "replaceAll": _replace_all,
        "startsWith": lambda text, prefix: text.startswith(prefix),
        "toLowerCase": str.lower,
    },
    dict: {"get": dict.get, "keySet": list},
}
METHODS = frozenset(name for table in _METHODS.values() for name in table)


def call(value: Any, name: str, arguments: list[Any]) -> Any:
    """Call a method of a value.

    Raises
    ------
    VtlError
        For a method that the value does not have, and for arguments that it does not take.
    """
    table = _METHODS.get(type(value), {})
    try:
        if isinstance(value, VtlObject):
            return value.vtl_method(name)(*arguments)
        if name not in table:
            raise VtlError(f"{kind_of(value)} has no method {name}()")
        return table[name](value, *arguments)
    except (TypeError, AttributeError):
        given = ", ".join(map(kind_of, arguments)) or "nothing"
        raise VtlError(f"{name}() does not take {given}") from None


def get_property(value: Any, name: str) -> Any:
    """Return a property of a value: an item of a map, or what an object offers.

    Raises
    ------
    VtlError
        For a value that has no properties.
    """
    if isinstance(value, dict):
        return value.get(name)
    if isinstance(value, VtlObject):
        return value.vtl_property(name)
    raise VtlError(f"{kind_of(value)} has no property {name!r}")


def set_property(value: Any, name: str, new: Any) -> None:
    """Set a property of a map.

    Raises
    ------
    VtlError
        For a value whose properties cannot be set.
    """
    if not isinstance(value, dict):
        raise VtlError(f"property {name!r} of {kind_of(value)} cannot be set")
    value[name] = new
