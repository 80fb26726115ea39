"""The methods of Java's strings, lists, maps and numbers that templates call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from local.vtl.strings import STRING_METHODS
from local.vtl.values import Entry, JsonList, VtlError, VtlObject, equals, kind_of, to_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def _get(items: list[Any], index: int) -> Any:
    if not 0 <= index < len(items):
        raise VtlError(f"index {index} of a list of {len(items)}")
    return items[index]


def _set(items: list[Any], index: int, value: Any) -> Any:
    before = _get(items, index)
    items[index] = value
    return before


def _add(items: list[Any], value: Any) -> bool:
    items.append(value)
    return True


def _add_all(items: list[Any], others: list[Any]) -> bool:
    items.extend(others)
    return bool(others)


def _remove(items: list[Any], index: int) -> Any:
    value = _get(items, index)
    del items[index]
    return value


_LIST: Mapping[str, Callable[..., Any]] = {
    "size": len,
    "length": len,
    "isEmpty": lambda items: not items,
    "get": _get,
    "set": _set,
    "add": _add,
    "addAll": _add_all,
    "remove": _remove,
    "clear": list.clear,
    "contains": lambda items, value: any(equals(item, value) for item in items),
    "indexOf": lambda items, value: next((i for i, v in enumerate(items) if equals(v, value)), -1),
    "equals": lambda items, other: items == other,
    "toString": to_text,
}


def _put(table: dict[Any, Any], key: Any, value: Any) -> Any:
    before = table.get(key)
    table[key] = value
    return before


_MAP: Mapping[str, Callable[..., Any]] = {
    "get": dict.get,
    "getOrDefault": dict.get,
    "put": _put,
    "putAll": dict.update,
    "remove": lambda table, key: table.pop(key, None),
    "containsKey": lambda table, key: key in table,
    "containsValue": lambda table, value: any(equals(item, value) for item in table.values()),
    "keySet": list,
    "values": lambda table: list(table.values()),
    "entrySet": lambda table: [Entry(key, value) for key, value in table.items()],
    "size": len,
    "isEmpty": lambda table: not table,
    "equals": lambda table, other: table == other,
    "toString": to_text,
}

_OTHER: Mapping[str, Callable[..., Any]] = {"equals": equals, "toString": to_text}
_NUMBER: Mapping[str, Callable[..., Any]] = {**_OTHER, "intValue": int, "longValue": int}

_METHODS: Mapping[type, Mapping[str, Callable[..., Any]]] = {
    str: STRING_METHODS,
    list: _LIST,
    JsonList: _LIST,
    dict: _MAP,
    int: _NUMBER,
    float: _NUMBER,
    bool: _OTHER,
}


def call(value: Any, name: str, arguments: list[Any]) -> Any:
    """Call a method of a value.

    Raises
    ------
    VtlError
        For a method that the value does not have, and for arguments that it does not take.
    """
    table = _METHODS.get(type(value))
    try:
        if table is None:
            if isinstance(value, VtlObject):
                return value.vtl_method(name)(*arguments)
            raise VtlError(f"{kind_of(value)} has no methods")
        if name not in table:
            raise VtlError(f"{kind_of(value)} has no method {name}()")
        return table[name](value, *arguments)
    except (TypeError, AttributeError):
        given = ", ".join(map(kind_of, arguments)) or "nothing"
        raise VtlError(f"{name}() does not take {given}") from None


def get_property(value: Any, name: str) -> Any:
    """Give a property of a value: an item of a map, or what an object offers.

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


def get_item(value: Any, index: Any) -> Any:
    """Give the item of a list or map, as `$x[index]` does.

    Raises
    ------
    VtlError
        For a value that has no items, or not this one.
    """
    if isinstance(value, dict):
        return value.get(index)
    if isinstance(value, list) and isinstance(index, int):
        return _get(value, index)
    raise VtlError(f"{kind_of(value)} has no item for {kind_of(index)}")


def set_property(value: Any, name: str, new: Any) -> None:
    """Set a property of a map or an object.

    Raises
    ------
    VtlError
        For a value whose properties cannot be set.
    """
    if isinstance(value, dict):
        value[name] = new
    elif isinstance(value, VtlObject):
        value.vtl_set(name, new)
    else:
        raise VtlError(f"property {name!r} of {kind_of(value)} cannot be set")
