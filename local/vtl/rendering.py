"""Renders the compiled parts of a template."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from local.vtl.operands import Reference, Scope, located
from local.vtl.values import VtlError, kind_of, to_text

#: API Gateway runs a #foreach at most this often; Velocity then goes on after it.
MAX_ITERATIONS = 1000

Render: TypeAlias = Callable[[Scope, list[str]], None]


def sequence(parts: list[Render | str]) -> Render:
    """Render parts one after the other."""
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

    def render(scope: Scope, out: list[str]) -> None:
        for step in steps:
            step(scope, out)

    return render


def _text(text: str) -> Render:
    return lambda _, out: out.append(text)


def printed(reference: Reference) -> Render:
    """Print a reference: its value, and nothing for null.

    Velocity prints a null as it was written, unless by `$!`. API Gateway prints nothing, recorded
    for `$x` and `$x.y` of an `$input.path` that finds nothing (LocalStack's recordings of AWS,
    test_apigateway_common, test_input_path_template_formatting).
    """
    value, where = reference.value, reference.where

    def render(scope: Scope, out: list[str]) -> None:
        found = value(scope)
        if found is not None:
            out.append(found if found.__class__ is str else _text_of(found, where))

    return render


def _text_of(value: Any, where: str) -> str:
    try:
        return to_text(value)
    except VtlError as error:
        raise located(error, where) from None


def iterable(value: Any, where: str) -> list[Any]:
    """Return what a #foreach goes through: for a map its values.

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


def loop(scope: Scope, out: list[str], name: str, items: list[Any], block: Render) -> None:
    """Render a block for each item."""
    for item in items[:MAX_ITERATIONS]:
        scope[name] = item
        block(scope, out)
