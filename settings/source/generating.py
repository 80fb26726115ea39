"""Writes compiled sources as Python, the same bytes at each run."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pipeline.event.compiled_source import CompiledSource


def source_text(sources: Mapping[str, CompiledSource]) -> str:
    """Return the module that makes these sources when it is imported.

    `FIELDS` is what the loader compares with its own classes.
    """
    kinds = {kind.__name__: kind for one in sources.values() for kind in _kinds(one)}
    declared = {
        name: tuple(field.name for field in fields(kind))
        for name, kind in kinds.items()
        if is_dataclass(kind)
    }
    lines = ['"""Generated from the source folders: plain data."""', ""]
    lines += [f"from {kind.__module__} import {name}" for name, kind in sorted(kinds.items())]
    lines += ["", f"FIELDS = {_code(declared)}", "SOURCES = {"]
    lines += [f"    {name!r}: {_code(one)}," for name, one in sorted(sources.items())]
    return "\n".join([*lines, "}", ""])


def _kinds(value: Any) -> Iterator[type]:
    """Return the classes that the code for a value names."""
    if is_dataclass(value):
        yield type(value)
        for field in fields(value):
            if field.repr:
                yield from _kinds(getattr(value, field.name))
    elif isinstance(value, dict | tuple):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _kinds(one)
    elif type(value).__module__ != "builtins":
        yield type(value)


def _code(value: Any) -> str:
    if is_dataclass(value):
        values = [
            f"{field.name}={_code(getattr(value, field.name))}"
            for field in fields(value)
            if field.repr
        ]
        return f"{type(value).__name__}({', '.join(values)})"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key!r}: {_code(value[key])}' for key in sorted(value))}}}"
    if isinstance(value, tuple) and any(map(is_dataclass, value)):
        return f"({', '.join(map(_code, value))},)"
    if isinstance(value, frozenset):
        # In an order of its own: that of a set is another one in each process.
        return f"frozenset({tuple(sorted(value))!r})"
    return repr(value)
