"""Compiles the text and the directives of a template into closures."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from local.vtl import methods
from local.vtl.expressions import expression
from local.vtl.operands import Scope, Value, operand, reference
from local.vtl.rendering import Render, iterable, loop, printed, sequence
from local.vtl.scanner import ReferenceUse
from local.vtl.values import VtlError, is_true

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.vtl.scanner import Scanner

_EOL = r"(?:[ \t]*\r?\n)?"
# Spaces before a #set are no text where they begin a line or follow a reference, as in Velocity.
_TEXT = re.compile(r"\n|[^$#\\ \t\n][^$#\\\n]*|[ \t]++(?!\#\{?set\b)[^$#\\\n]*")
_BEFORE_SET = re.compile(r"[ \t]+(?=#)")
_COMMENT_OR_RAW = re.compile(r"##|#\*|#\[\[")
_ESCAPE = re.compile(r"\\+(?=\$!?\{?[A-Za-z_]|#\{?[a-z])")
_DIRECTIVE = re.compile(r"#(?:\{(\w+)\}|([a-z]+))")
_SET = re.compile(r"\s*\(\s*\$\{?([A-Za-z_][\w-]*(?:\.[A-Za-z_][\w-]*)*)\}?\s*=(?!=)\s*", re.ASCII)
_FOREACH = re.compile(r"\s*\(\s*\$\{?([A-Za-z_][\w-]*)\}?\s+in\s+", re.ASCII)
_OPEN = re.compile(r"\s*\(")
_CLOSE = re.compile(r"\s*\)" + _EOL)
_LITERAL = re.compile(r"\s*(?:'[^']*'|\"[^\"]*\"|-?[\d.]+)\s*\)")
_REST = re.compile(_EOL)
_CLOSERS = {"end", "else"}
_REFUSED = {"break", "define", "elseif", "evaluate", "include", "macro", "parse", "stop"}


def compile_text(scanner: Scanner) -> Render:
    """Compile a whole text.

    Raises
    ------
    VtlError
        For a directive that is not known, or does not fit where it stands.
    """
    block, closer = _block(scanner)
    if closer:
        raise scanner.error(f"#{closer} without its beginning")
    return block


def _block(scanner: Scanner) -> tuple[Render, str]:
    """Compile up to the directive that closes the block; return it, too."""
    parts: list[Render | str] = []
    while not scanner.done:
        if (text := scanner.take(_TEXT)) is not None:
            parts.append(text[0])
        elif scanner.take(_BEFORE_SET):
            continue
        elif scanner.take(_COMMENT_OR_RAW):
            raise scanner.error("a comment or a text that is not parsed is not supported")
        elif scanner.take(_ESCAPE):
            raise scanner.error("an escaped reference or directive is not supported")
        elif found := reference(scanner):
            parts.append(printed(found))
        else:
            part = _directive(scanner)
            if isinstance(part, tuple):
                return sequence(parts), part[0]
            parts.append(part)
    return sequence(parts), ""


def _directive(scanner: Scanner) -> Render | str | tuple[str]:
    """Compile a directive; a closing one is returned as a tuple, plain text as text."""
    start = scanner.position
    found = scanner.take(_DIRECTIVE)
    name = (found[1] or found[2]) if found else ""
    if name in _CLOSERS:
        scanner.take(_REST)
        return (name,)
    if name in _DIRECTIVES:
        return _DIRECTIVES[name](scanner)
    if name in _REFUSED or (name and scanner.at("(")):
        scanner.position = start
        raise scanner.error(f"#{name} is not supported")
    scanner.position = start + 1
    return scanner.text[start]


def _set(scanner: Scanner) -> Render:
    where = scanner.where()
    place = scanner.expect(_SET, "($name = value)")[1]
    value = expression(scanner)
    scanner.expect(_CLOSE, ")")
    *path, last = place.split(".")
    if path:
        scanner.uses.append(
            ReferenceUse(path[0], tuple((name, False) for name in [*path[1:], last]), where)
        )
    else:
        scanner.given.add(last)

    def assign(scope: Scope, _: list[str]) -> None:
        new = value(scope)
        # A null on the right leaves the left as it was: directive.set.null.allowed is false.
        if new is None:
            return
        if not path:
            scope[last] = new
            return
        target: Any = scope.get(path[0])
        try:
            for name in path[1:]:
                target = methods.get_property(target, name)
            methods.set_property(target, last, new)
        except VtlError as error:
            raise VtlError(f"{where}: {error}") from None

    return assign


def _condition(scanner: Scanner) -> Value:
    scanner.expect(_OPEN, "(")
    if scanner.take(_LITERAL):
        raise scanner.error("a plain string or number as the condition is always false")
    condition = expression(scanner)
    scanner.expect(_CLOSE, ")")
    return condition


def _if(scanner: Scanner) -> Render:
    condition = _condition(scanner)
    block, closer = _block(scanner)
    otherwise = sequence([])
    if closer == "else":
        otherwise, closer = _block(scanner)
    if closer != "end":
        raise scanner.error("expected #end of the #if")

    def render(scope: Scope, out: list[str]) -> None:
        (block if is_true(condition(scope)) else otherwise)(scope, out)

    return render


def _foreach(scanner: Scanner) -> Render:
    name = scanner.expect(_FOREACH, "($name in list)")[1]
    scanner.given.add(name)
    items = operand(scanner)
    scanner.expect(_CLOSE, ")")
    where = scanner.where()
    block, closer = _block(scanner)
    if closer != "end":
        raise scanner.error("expected #end of the #foreach")

    def render(scope: Scope, out: list[str]) -> None:
        found = iterable(items(scope), where)
        outer = scope.get(name)
        loop(scope, out, name, found, block)
        scope[name] = outer

    return render


_DIRECTIVES: dict[str, Callable[[Scanner], Render]] = {"set": _set, "if": _if, "foreach": _foreach}
