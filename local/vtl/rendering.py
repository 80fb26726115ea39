"""Renders the compiled parts of a template."""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import Any, TypeAlias

from local.vtl.operands import Scope, Value
from local.vtl.values import VtlError, kind_of, to_text

#: API Gateway runs a #foreach at most this often; Velocity then goes on after it.
MAX_ITERATIONS = 1000


class Signal(IntEnum):
    """How a block ended."""

    NEXT = 0
    BREAK = 1
    STOP = 2


Render: TypeAlias = Callable[[Scope, list[str]], Signal]


def sequence(parts: list[Render | str]) -> Render:
    """Render parts one after the other, until one breaks or stops."""
    renders: list[Render] = []
    text = ""
    for part in [*parts, None]:
        if isinstance(part, str):
            text += part
            continue
        if text:
            renders.append(_text(text))
            text = ""
        if part is not None:
            renders.append(part)
    if len(renders) == 1:
        return renders[0]
    steps = tuple(renders)

    def render(scope: Scope, out: list[str]) -> Signal:
        for step in steps:
            if signal := step(scope, out):
                return signal
        return Signal.NEXT

    return render


def _text(text: str) -> Render:
    def render(_: Scope, out: list[str]) -> Signal:
        out.append(text)
        return Signal.NEXT

    return render


def printed(source: str, *, quiet: bool, value: Value) -> Render:
    """Print a reference: its value, or for null what was written (nothing where it is quiet)."""
    instead = "" if quiet else source

    def render(scope: Scope, out: list[str]) -> Signal:
        found = value(scope)
        if found is None:
            out.append(instead)
        else:
            out.append(found if found.__class__ is str else to_text(found))
        return Signal.NEXT

    return render


def iterable(value: Any, where: str) -> list[Any]:
    """Give what a #foreach goes through: for a map its values.

    Raises
    ------
    VtlError
        For what is neither a list nor a map.
    """
    if value is None:
        return []
    if isinstance(value, dict):
        return list(value.values())
    if isinstance(value, list):
        return list(value)
    raise VtlError(f"{where}: #foreach takes a list or a map, got {kind_of(value)}")


def loop(scope: Scope, out: list[str], name: str, items: list[Any], block: Render) -> Signal:
    """Render a block for each item."""
    last = min(len(items), MAX_ITERATIONS) - 1
    for index, item in enumerate(items[:MAX_ITERATIONS]):
        scope[name] = item
        scope["velocityCount"] = index + 1
        scope["foreach"] = {
            "index": index,
            "count": index + 1,
            "hasNext": index < last,
            "first": index == 0,
            "last": index == last,
        }
        if signal := block(scope, out):
            return signal
    return Signal.NEXT
