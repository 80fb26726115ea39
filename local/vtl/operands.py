"""Compiles references and literals into closures."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

from local.vtl import methods
from local.vtl.scanner import ReferenceUse, Scanner
from local.vtl.values import VtlError

Scope: TypeAlias = dict[str, Any]
Value: TypeAlias = Callable[[Scope], Any]
Step: TypeAlias = Callable[[Any, Scope], Any]

# An identifier holds hyphens in Velocity 1.7: `$a-$b` starts with a reference named "a-".
_START = re.compile(r"\$!?(\{?)([A-Za-z_][\w-]*)", re.ASCII)
_MEMBER = re.compile(r"\.([A-Za-z_][\w-]*)", re.ASCII)
OPEN = re.compile(r"\(\s*")
CLOSE = re.compile(r"\s*\)")
_BRACE = re.compile(r"\s*\}")
_COMMA = re.compile(r"\s*,\s*")
_NUMBER = re.compile(r"-?\d+(?![\w.])")
_SINGLE = re.compile(r"'((?:[^']|'')*)'", re.DOTALL)
_DOUBLE = re.compile(r'"((?:[^"]|"")*)"', re.DOTALL)
#: What Velocity itself puts into a #foreach.
_OF_A_LOOP = {"foreach", "velocityCount"}


class Reference(NamedTuple):
    """A reference: where it is written, and its value."""

    where: str
    value: Value


def reference(scanner: Scanner) -> Reference | None:
    """Compile the reference that is next, if one is."""
    start = scanner.position
    found = scanner.take(_START)
    if not found:
        return None
    brace, name = found.groups()
    if name in _OF_A_LOOP:
        raise scanner.error(f"${name} is not supported")
    steps: list[Step] = []
    members: list[tuple[str, bool]] = []
    while step := _step(scanner, start, members):
        steps.append(step)
    if scanner.at("["):
        raise scanner.error("an item by its index is not supported")
    if brace:
        scanner.expect(_BRACE, "}")
    where = scanner.where(start)
    scanner.uses.append(ReferenceUse(name, tuple(members), where))
    return Reference(where, _chain(name, steps))


def _chain(name: str, steps: list[Step]) -> Value:
    if not steps:
        return operator.methodcaller("get", name)
    if len(steps) == 1:
        (only,) = steps

        def single(scope: Scope) -> Any:
            value = scope.get(name)
            return None if value is None else only(value, scope)

        return single

    def chained(scope: Scope) -> Any:
        value = scope.get(name)
        for step in steps:
            if value is None:
                return None
            value = step(value, scope)
        return value

    return chained


def _step(scanner: Scanner, start: int, members: list[tuple[str, bool]]) -> Step | None:
    found = scanner.take(_MEMBER)
    if not found:
        return None
    called = bool(scanner.take(OPEN))
    members.append((found[1], called))
    if called:
        arguments = _arguments(scanner)
        return _call_step(found[1], arguments, scanner.where(start))
    return _property_step(found[1], scanner.where(start))


def located(error: VtlError, where: str) -> VtlError:
    """Say where an error happened, unless it says so already."""
    return error if str(error).startswith("template ") else VtlError(f"{where}: {error}")


# One closure for each kind of step, each with its own try: this is the hot path of a render.
def _property_step(name: str, where: str) -> Step:
    def step(value: Any, _: Scope) -> Any:
        try:
            return methods.get_property(value, name)
        except VtlError as error:
            raise located(error, where) from None

    return step


def _call_step(name: str, arguments: list[Value], where: str) -> Step:
    def step(value: Any, scope: Scope) -> Any:
        try:
            return methods.call(value, name, [argument(scope) for argument in arguments])
        except VtlError as error:
            raise located(error, where) from None

    return step


def _arguments(scanner: Scanner) -> list[Value]:
    arguments: list[Value] = []
    if scanner.take(CLOSE):
        return arguments
    while True:
        arguments.append(operand(scanner))
        if scanner.take(CLOSE):
            return arguments
        scanner.expect(_COMMA, "a comma or the end of the arguments")


def operand(scanner: Scanner) -> Value:
    """Compile a reference or a literal.

    Raises
    ------
    VtlError
        When neither is next.
    """
    found = reference(scanner)
    if found:
        return found.value
    if scanner.at('"'):
        return _interpolated(scanner)
    return _constant(_literal(scanner))


def _literal(scanner: Scanner) -> Any:
    if number := scanner.take(_NUMBER):
        return int(number[0])
    if single := scanner.take(_SINGLE):
        return single[1].replace("''", "'")
    raise scanner.error("expected a reference, a string or a whole number")


def _constant(value: Any) -> Value:
    return lambda _: value


def _interpolated(scanner: Scanner) -> Value:
    line = scanner.line
    text = scanner.expect(_DOUBLE, "the end of the string")[1]
    if text.endswith("\\"):
        raise scanner.error("a backslash does not escape a \" here; use '\"' in single quotes")
    text = text.replace('""', '"')
    if "$" not in text and "#" not in text:
        return _constant(text)
    compile_text = scanner.compile_text
    render = compile_text(Scanner(text, scanner.name, compile_text, line, scanner))

    def value(scope: Scope) -> str:
        out: list[str] = []
        render(scope, out)
        return "".join(out)

    return value
